/**
 * Holds what came of a case against what has to.
 *
 * @module
 */
import { patternOf } from "../core/http1/acceptance_cases.ts";
import type { RawBackend } from "../support/raw_backend.ts";
import type { RawClient } from "../support/raw_client.ts";
import { parseResponses } from "../support/raw_responses.ts";
import type { Expectation, Http1Case } from "./cases.ts";

/** What a case left behind. */
export interface CaseResult {
  readonly client: RawClient;
  readonly backend: RawBackend;
  /** Methods of the requests in their order, as far as they matter for reading responses. */
  readonly methods: readonly string[];
  /** The client's direction was still open when the proxy closed. */
  readonly closedByProxy: boolean;
  /** The head is well-formed, so what is wrong lies in the body, and the body came in pieces. */
  readonly streamedFault: boolean;
}

/** Every expectation that is not met, in words. */
export function judge(
  { expect }: Http1Case,
  result: CaseResult,
): string[] {
  const { client, backend, methods } = result;
  const { responses, rest } = parseResponses(client.received, methods);
  const statuses = responses.map(({ status }) => String(status));
  const failures: string[] = [];
  const check = (ok: boolean, wanted: string, got: unknown) => {
    if (!ok) failures.push(`wanted ${wanted}, got ${JSON.stringify(got)}`);
  };

  check(
    matchesStatuses(expect.st, statuses),
    `statuses ${expect.st.join(", ")}`,
    statuses,
  );
  if (expect.close === true) {
    check(result.closedByProxy, "the connection closed", "it stays open");
  }
  judgeBackend(expect, result, check);
  for (const source of expect.outre ?? []) {
    check(
      patternOf(source).test(client.received),
      `out ∋ ${source}`,
      start(client.received),
    );
  }
  for (const source of expect.outno ?? []) {
    check(
      !patternOf(source).test(client.received),
      `out ∌ ${source}`,
      start(client.received),
    );
  }
  check(
    client.received.length >= (expect.outmin ?? 0),
    `${expect.outmin} bytes at the client`,
    client.received.length,
  );
  const body = responses.at(-1)?.body;
  check(
    expect.body === undefined || expect.body === body,
    `the body ${JSON.stringify(expect.body)}`,
    body,
  );
  if (expect.okframe === true) {
    const framed = responses.every(({ complete, framing }) =>
      complete || framing === "end"
    );
    check(framed, "whole responses", start(client.received));
  }
  // Of every case: nothing but responses comes, and nothing but requests goes.
  const last = responses.at(-1);
  if (last?.status !== 101) check(rest === "", "only responses", start(rest));
  for (const { problem } of backend.requests) {
    check(problem === undefined, "only well-formed requests", problem);
  }
  return failures;
}

type Check = (ok: boolean, wanted: string, got: unknown) => void;

function judgeBackend(
  expect: Expectation,
  { backend, streamedFault }: CaseResult,
  check: Check,
): void {
  const { received, connections, requests } = backend;
  if (expect.up === 0 && !streamedFault) {
    check(received === "", "no byte at the backend", start(received));
  } else if (expect.up === 0) {
    // A body is streamed: its head has left when the fault comes. The backend
    // must not get a whole request, and its connection must not go on.
    check(
      requests.every(({ complete }) => !complete),
      "no whole request at the backend",
      start(received),
    );
  }
  if (expect.nopool === true || expect.up === 0) {
    check(
      connections.every(({ ended }) => ended),
      "the backend's connection closed",
      "it stays open",
    );
  }
  if (expect.ups !== undefined) {
    check(
      connections.length === expect.ups,
      `${expect.ups} connections to the backend`,
      connections.length,
    );
  }
  // Framing is the proxy's own, so a body is looked at without it as well.
  const plain = requests.map(({ head, body }) => `${head}\r\n\r\n${body}`)
    .join("");
  for (const source of expect.upre ?? []) {
    const pattern = patternOf(source);
    check(
      pattern.test(received) || pattern.test(plain),
      `up ∋ ${source}`,
      start(received),
    );
  }
  for (const source of expect.upno ?? []) {
    const pattern = patternOf(source);
    const found = connections.some((each) => pattern.test(each.received)) ||
      pattern.test(plain);
    check(!found, `up ∌ ${source}`, start(received));
  }
  check(
    received.length >= (expect.upmin ?? 0),
    `${expect.upmin} bytes at the backend`,
    received.length,
  );
}

/** Whether the statuses are those expected, where an element with an empty alternative may be missing. */
export function matchesStatuses(
  expected: readonly string[],
  got: readonly string[],
): boolean {
  const [first, ...others] = expected;
  if (first === undefined) return got.length === 0;
  const alternatives = first.split("|");
  if (alternatives.includes("") && matchesStatuses(others, got)) return true;
  return got.length > 0 && alternatives.includes(got[0]!) &&
    matchesStatuses(others, got.slice(1));
}

/** The statuses that have to come at least. */
export function requiredStatuses(expect: Expectation): number {
  return expect.st.filter((each) => !each.split("|").includes("")).length;
}

function start(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…(${text.length})` : text;
}
