/**
 * Cases of other parsers' test suites: their bytes, what they make of them, and
 * what Headrace does.
 *
 * @module
 */
import { driveResponses } from "../../core/http1/codec.ts";
import type { Http1Case } from "../cases.ts";
import type { RawReply } from "../../support/raw_backend.ts";

/** A line that the source's case does not have and Headrace wants. */
export interface Added {
  readonly added: string;
}

/** The Host of an absolute form that comes without one. */
export function added(host: string): Added {
  return { added: `Host: ${host}` };
}

/** The Host that most of the cases lack. */
export const HOST: Added = added("a");

/**
 * What the source makes of the bytes: `lenient` is refused unless a switch
 * allows it, `waits` has not seen the end of the message.
 */
export type Verdict = "accepts" | "refuses" | "lenient" | "waits";

/** One request, or several in a row. */
export interface RequestRow {
  readonly name: string;
  readonly theirs: Verdict;
  /** What becomes of each: a status, 200 where the backend gets it, or `more` where its end is missing. */
  readonly ours: readonly string[];
  readonly parts: readonly (string | Added)[];
  /** Why Headrace decides otherwise. */
  readonly why: string | undefined;
}

/** One response, to GET unless it says otherwise. */
export interface ReplyRow {
  readonly name: string;
  readonly theirs: Verdict;
  /** The status that the client gets: the response's own, or 502. */
  readonly ours: string;
  readonly text: string;
  /** What the client gets of the body, where all of it is there. */
  readonly body: string | undefined;
  readonly why: string | undefined;
}

/** A row of requests: lines without their CRLF, the last one without any. */
export function requests(
  name: string,
  theirs: Verdict,
  ours: string | readonly string[],
  parts: readonly (string | Added)[],
  why?: string,
): RequestRow {
  return { name, theirs, ours: [ours].flat(), parts, why };
}

/** A row of a response that is refused. */
export function badReply(
  name: string,
  theirs: Verdict,
  lines: readonly string[],
  why?: string,
): ReplyRow {
  const text = lines.join("\r\n");
  return { name, theirs, ours: "502", text, body: undefined, why };
}

/** A row of a response that the client gets. */
export function goodReply(
  name: string,
  theirs: Verdict,
  ours: string,
  lines: readonly string[],
  body: string | undefined,
  why?: string,
): ReplyRow {
  return { name, theirs, ours, text: lines.join("\r\n"), body, why };
}

/** The bytes of a row, with or without the lines that were added. */
export function bytesOf(row: RequestRow, added: "with" | "without"): string {
  return row.parts.flatMap((part) => {
    if (typeof part === "string") return [part];
    return added === "with" ? [part.added] : [];
  }).join("\r\n");
}

/** Whether a row says why where it decides otherwise than its source, and only there. */
export function isExplained(row: RequestRow | ReplyRow): boolean {
  const first = typeof row.ours === "string" ? row.ours : row.ours[0]!;
  const refused = first === "502" || /^[45]/.test(first) && "parts" in row;
  const same = refused
    ? row.theirs === "refuses" || row.theirs === "lenient"
    : row.theirs === "accepts" || row.theirs === "waits";
  return same === (row.why === undefined);
}

/** A row as a case for real sockets. */
export function requestCase(
  row: RequestRow,
  id: string,
  source: string,
): Http1Case {
  const send = bytesOf(row, "with");
  return {
    id,
    name: row.name,
    source,
    steps: [{ send }, { halfClose: true }],
    // HEAD's response has no body.
    backend: send.startsWith("HEAD ")
      ? ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"]
      : null,
    expect: {
      st: row.ours.map((each) => each === "more" ? "400|408|" : each),
      close: true,
      ...(row.ours.includes("200") ? {} : { nopool: true }),
      ...(/^[45]/.test(row.ours[0]!) ? { up: 0 } : {}),
    },
  };
}

/** As {@linkcode requestCase}; the backend closes behind its response. */
export function replyCase(
  row: ReplyRow,
  id: string,
  source: string,
): Http1Case {
  const reply: RawReply = { close: row.text };
  const { body } = row;
  return {
    id,
    name: row.name,
    source,
    steps: [{ send: "GET / HTTP/1.1\r\nHost: a\r\n\r\n" }],
    backend: [reply],
    expect: {
      ...(breaksLate(row)
        // In pieces its head is out before: then it ends without a last chunk.
        ? {
          st: ["200|502"],
          close: true,
          outno: ["chunked[^]*\\r\\n0\\r\\n\\r\\n$"],
        }
        : { st: [row.ours] }),
      ...(body === undefined ? {} : { okframe: true, body }),
    },
  };
}

/** Whether a response that is refused has a good head. */
function breaksLate({ ours, text }: ReplyRow): boolean {
  const { messages, error } = driveResponses([text]);
  return ours === "502" && error !== undefined && messages.length > 0;
}
