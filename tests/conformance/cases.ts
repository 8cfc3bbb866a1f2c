/**
 * The executable cases of an HTTP/1.1 proxy, as http1_cases.json's `about`
 * describes them.
 *
 * @module
 */
import type { RawReply, RawScript } from "../support/raw_backend.ts";
import { CHOSEN } from "./stricter.ts";

/** What a client does: sends bytes as latin1, pauses for seconds, ends its direction. */
export type Step =
  | { readonly send: string }
  | { readonly pause: number }
  | { readonly halfClose: true };

/** What has to come of a case. */
export interface Expectation {
  /** Statuses of the client's side in their order: alternatives split by `|`, an empty one means that none need come. */
  readonly st: readonly string[];
  /** The proxy has to close. */
  readonly close?: boolean;
  /** 0: not a byte may reach the backend. */
  readonly up?: 0;
  /** Connections to the backend. */
  readonly ups?: number;
  /** The backend's connection must not be used again. */
  readonly nopool?: boolean;
  /** The response's framing has to be whole. */
  readonly okframe?: boolean;
  /** The last response's body, without its framing. */
  readonly body?: string;
  readonly upre?: readonly string[];
  readonly upno?: readonly string[];
  readonly outre?: readonly string[];
  readonly outno?: readonly string[];
  readonly upmin?: number;
  readonly outmin?: number;
}

/** One case. */
export interface Http1Case {
  readonly id: string;
  readonly name: string;
  readonly source: string;
  readonly steps: readonly Step[];
  readonly backend: RawScript;
  readonly expect: Expectation;
}

type Text =
  | string
  | { readonly cat: readonly (string | { readonly rep: [string, number] })[] };

interface FileReply extends Omit<RawReply & object, "data" | "close" | "then"> {
  readonly data?: Text;
  readonly close?: Text;
  readonly then?: Text;
}

interface FileCase {
  readonly id: string;
  readonly name: string;
  readonly source: string;
  readonly send: readonly (Text | number)[];
  readonly upstream: null | "down" | readonly (Text | FileReply)[];
  readonly expect: Expectation;
}

/** All cases of the file, in its order, with Headrace's choice where they leave one. */
export async function http1Cases(): Promise<Http1Case[]> {
  const file = new URL("../core/http1/http1_cases.json", import.meta.url);
  const { cases } = JSON.parse(await Deno.readTextFile(file)) as {
    cases: FileCase[];
  };
  return cases.map(({ id, name, source, send, upstream, expect }) => ({
    id,
    name,
    source,
    steps: send.map(stepOf),
    backend: typeof upstream === "object" && upstream !== null
      ? upstream.map(replyOf)
      : upstream,
    expect: { ...expect, st: CHOSEN[id] ?? expect.st },
  }));
}

/** Every byte that a case sends. */
export function sentText(steps: readonly Step[]): string {
  return steps.map((step) => "send" in step ? step.send : "").join("");
}

function stepOf(part: Text | number): Step {
  if (typeof part === "number") return { pause: part };
  return part === "SHUT" ? { halfClose: true } : { send: expand(part) };
}

function replyOf(reply: Text | FileReply): RawReply {
  if (typeof reply === "string" || "cat" in reply) return expand(reply);
  const { data, close, then, ...rest } = reply;
  return {
    ...rest,
    ...(data !== undefined && { data: expand(data) }),
    ...(close !== undefined && { close: expand(close) }),
    ...(then !== undefined && { then: expand(then) }),
  };
}

function expand(text: Text): string {
  if (typeof text === "string") return text;
  return text.cat.map((part) =>
    typeof part === "string" ? part : part.rep[0].repeat(part.rep[1])
  ).join("");
}
