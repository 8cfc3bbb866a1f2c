/**
 * Reads requests out of what a backend got, strictly: a proxy that sends
 * anything but well-formed requests is found here.
 *
 * @module
 */
import { fieldValues, parseChunks } from "./raw_responses.ts";

/** A request among the bytes. */
export interface RawRequest {
  readonly method: string;
  readonly target: string;
  /** The request line and the fields, without the empty line. */
  readonly head: string;
  /** The body without its framing, as far as it came. */
  readonly body: string;
  /** Lines behind a chunked body. */
  readonly trailers: readonly string[];
  readonly complete: boolean;
  /** Where it ends in the text. */
  readonly end: number;
  /** What is wrong with it. */
  readonly problem: string | undefined;
}

/** The request that starts at `start`, undefined while its head is incomplete. */
export function parseRequest(
  text: string,
  start: number,
): RawRequest | undefined {
  const headEnd = text.indexOf("\r\n\r\n", start);
  if (headEnd < 0) return undefined;
  const head = text.slice(start, headEnd);
  const [line = "", ...fields] = head.split("\r\n");
  const [method = "", target = ""] = line.split(" ");
  const coding = fieldValues(head, "transfer-encoding");
  const length = fieldValues(head, "content-length");
  const problem = problemOf(line, fields, coding, length);
  const bodyAt = headEnd + 4;
  const base = { method, target, head, problem };
  if (coding.length > 0) {
    const { data, trailers, end, complete } = parseChunks(text, bodyAt);
    const unasked = trailers.length > 0 && fieldValues(head, "te").length === 0
      ? "trailers that nobody asked for"
      : undefined;
    return {
      ...base,
      problem: problem ?? unasked,
      body: data,
      trailers,
      end,
      complete,
    };
  }
  const end = bodyAt + Number(length[0] ?? 0);
  return {
    ...base,
    body: text.slice(bodyAt, end),
    trailers: [],
    end: Math.min(end, text.length),
    complete: end <= text.length,
  };
}

function problemOf(
  line: string,
  fields: readonly string[],
  coding: readonly string[],
  length: readonly string[],
): string | undefined {
  if (!/^[!#$%&'*+.^_`|~\w-]+ [\x21-\x7e]+ HTTP\/1\.1$/.test(line)) {
    return `not a request line: ${JSON.stringify(line)}`;
  }
  for (const field of fields) {
    if (!/^[!#$%&'*+.^_`|~\w-]+:[\t\x20-\x7e\x80-\xff]*$/.test(field)) {
      return `not a field: ${JSON.stringify(field)}`;
    }
  }
  if (coding.length > 1 || (coding.length === 1 && coding[0] !== "chunked")) {
    return `Transfer-Encoding ${JSON.stringify(coding)}`;
  }
  if (length.length > 1 || length.some((value) => !/^\d{1,16}$/.test(value))) {
    return `Content-Length ${JSON.stringify(length)}`;
  }
  if (coding.length > 0 && length.length > 0) {
    return "both Content-Length and Transfer-Encoding";
  }
  const hosts = fields.filter((field) => /^host:/i.test(field));
  return hosts.length === 1 ? undefined : `${hosts.length} Host fields`;
}
