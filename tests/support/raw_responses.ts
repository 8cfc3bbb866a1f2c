/**
 * Reads responses out of what a client got, leniently: whatever looks like a
 * response is one, so that a test sees what a proxy really sent.
 *
 * @module
 */

/** A response among the bytes. */
export interface RawResponse {
  readonly status: number;
  /** The status line and the fields, without the empty line. */
  readonly head: string;
  /** The body without its framing, as far as it came. */
  readonly body: string;
  readonly framing: "none" | "length" | "chunked" | "end";
  /** Lines behind a chunked body. */
  readonly trailers: readonly string[];
  /** Whether all of it came; one that lasts to the end of the connection never is by itself. */
  readonly complete: boolean;
}

/** What there is among the bytes. */
export interface RawResponses {
  readonly responses: readonly RawResponse[];
  /** Bytes that are no response: a tunnel's after a 101, or garbage. */
  readonly rest: string;
}

/** All responses in `text`; the nth final one answers the nth of `methods`, GET where none is named. */
export function parseResponses(
  text: string,
  methods: readonly string[] = [],
): RawResponses {
  const responses: RawResponse[] = [];
  let at = 0;
  let finals = 0;
  while (at < text.length) {
    const start = /^HTTP\/\d\.\d (\d{3})/.exec(text.slice(at, at + 16));
    const headEnd = text.indexOf("\r\n\r\n", at);
    if (start === null || headEnd < 0) break;
    const status = Number(start[1]);
    const head = text.slice(at, headEnd);
    const bodyAt = headEnd + 4;
    const method = methods[finals] ?? "GET";
    const body = parseBody(text, bodyAt, head, status, method);
    responses.push({ status, head, ...body.parts });
    at = body.end;
    if (status >= 200) finals++;
    if (status === 101 || !body.parts.complete) break;
  }
  return { responses, rest: text.slice(at) };
}

/** The values of a field of a head. */
export function fieldValues(head: string, name: string): string[] {
  return head.split("\r\n").slice(1).flatMap((line) => {
    const colon = line.indexOf(":");
    return line.slice(0, colon).toLowerCase() === name
      ? [line.slice(colon + 1).trim()]
      : [];
  });
}

type Body = Pick<RawResponse, "body" | "framing" | "trailers" | "complete">;

function parseBody(
  text: string,
  at: number,
  head: string,
  status: number,
  method: string,
): { parts: Body; end: number } {
  const bodiless = status < 200 || status === 204 || status === 304 ||
    method === "HEAD";
  if (bodiless) {
    const none = { body: "", framing: "none", trailers: [] } as const;
    return { parts: { ...none, complete: true }, end: at };
  }
  const coding = fieldValues(head, "transfer-encoding").join();
  if (coding.toLowerCase().includes("chunked")) {
    const { data, end, trailers, complete } = parseChunks(text, at);
    const parts = { body: data, framing: "chunked", trailers, complete };
    return { parts: parts as Body, end };
  }
  const [length] = fieldValues(head, "content-length");
  if (length === undefined) {
    const body = text.slice(at);
    const parts = { body, framing: "end", trailers: [], complete: false };
    return { parts: parts as Body, end: text.length };
  }
  const end = at + Number(length);
  const parts = {
    body: text.slice(at, end),
    framing: "length",
    trailers: [],
    complete: end <= text.length,
  };
  return { parts: parts as Body, end: Math.min(end, text.length) };
}

/** What a chunked body holds. */
export interface Chunks {
  readonly data: string;
  /** Lines behind the last chunk. */
  readonly trailers: readonly string[];
  readonly end: number;
  readonly complete: boolean;
}

/** The data of a chunked body that starts at `start`, and where it ends. */
export function parseChunks(text: string, start: number): Chunks {
  let at = start;
  let data = "";
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) break;
    const size = parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) break;
    const dataAt = lineEnd + 2;
    if (size === 0) {
      // The last chunk's CRLF is the first half of what ends the section.
      const sectionEnd = text.indexOf("\r\n\r\n", lineEnd);
      if (sectionEnd < 0) break;
      const trailers = text.slice(dataAt, sectionEnd).split("\r\n")
        .filter((line) => line !== "");
      return { data, trailers, end: sectionEnd + 4, complete: true };
    }
    data += text.slice(dataAt, dataAt + size);
    at = dataAt + size + 2;
    if (at > text.length) break;
  }
  return { data, trailers: [], end: text.length, complete: false };
}
