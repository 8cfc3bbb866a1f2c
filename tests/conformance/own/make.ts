/**
 * Words to write cases with.
 *
 * @module
 */
import type { RawScript } from "../../support/raw_backend.ts";
import type { Expectation, Http1Case, Step } from "../cases.ts";

/** A request's first lines; fields and an empty line follow. */
export const GET = "GET / HTTP/1.1\r\nHost: a\r\n";
export const POST = "POST / HTTP/1.1\r\nHost: a\r\n";
export const CHUNKED = "Transfer-Encoding: chunked\r\n";
/** What would be smuggled. */
export const SMUGGLED = "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n";
/** A request that follows. */
export const NEXT = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
/** A backend's response. */
export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Bytes, seconds to pause, or the end of the client's direction. */
export type Send = string | readonly (string | number | "SHUT")[];

/** The rest of a case. */
export interface Rest {
  readonly backend?: RawScript;
  readonly expect?: Partial<Expectation>;
}

/** A case whose statuses are these. */
export function answered(
  id: string,
  name: string,
  source: string,
  send: Send,
  statuses: string | readonly string[],
  { backend = null, expect = {} }: Rest = {},
): Http1Case {
  const st = typeof statuses === "string" ? [statuses] : statuses;
  return {
    id,
    name,
    source,
    steps: stepsOf(send),
    backend,
    expect: { st, ...expect },
  };
}

/** A request that is refused: one answer, the end, and not a byte to the backend. */
export function refused(
  id: string,
  name: string,
  source: string,
  send: Send,
  status = "400",
): Http1Case {
  return answered(id, name, source, send, status, {
    expect: { close: true, up: 0 },
  });
}

/** A GET whose backend's response is this one. */
export function replied(
  id: string,
  name: string,
  source: string,
  reply: Exclude<RawScript, null | "down">[number],
  statuses: string | readonly string[],
  expect: Partial<Expectation> = {},
): Http1Case {
  return answered(id, name, source, `${GET}\r\n`, statuses, {
    backend: [reply],
    expect,
  });
}

/** Cases in a row that differ in one text, numbered from `first` on. */
export function each(
  letter: string,
  first: number,
  texts: Readonly<Record<string, string>>,
  make: (id: string, name: string, text: string) => Http1Case,
): Http1Case[] {
  return Object.entries(texts).map(([name, text], i) =>
    make(`${letter}${first + i}`, name, text)
  );
}

function stepsOf(send: Send): Step[] {
  const parts = typeof send === "string" ? [send] : send;
  return parts.map((part): Step => {
    if (typeof part === "number") return { pause: part };
    return part === "SHUT" ? { halfClose: true } : { send: part };
  });
}
