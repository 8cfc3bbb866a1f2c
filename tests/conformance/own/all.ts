/**
 * Our own cases: haproxy.md §3 rule by rule, in both directions. Groups and
 * form are those of http1_cases.json, numbers begin at 101.
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import { bodyCases } from "./bodies.ts";
import { brokenReplyCases } from "./broken_replies.ts";
import { chunkCases } from "./chunks.ts";
import { fieldCases } from "./fields.ts";
import { hopCases } from "./hops.ts";
import { interimCases } from "./interim.ts";
import { replyCases } from "./replies.ts";
import { requestLineCases } from "./request_lines.ts";
import { targetCases } from "./targets.ts";
import { upgradeCases } from "./upgrades.ts";

/** All of them; each id once. */
export const OWN_CASES: readonly Http1Case[] = [
  ...requestLineCases,
  ...targetCases,
  ...fieldCases,
  ...bodyCases,
  ...chunkCases,
  ...hopCases,
  ...interimCases,
  ...upgradeCases,
  ...brokenReplyCases,
  ...replyCases,
];
