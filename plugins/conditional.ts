/**
 * Preconditions and ranges of requests for something with an ETag and a time
 * (RFC 9110 §13 and §14).
 *
 * @module
 */
import type { HttpRequest } from "../core/plugin.ts";

/** What there is now. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch. */
  readonly modified: number;
}

/** What preconditions come to: the status to answer, undefined to go on. In the order of RFC 9110 §13.2.2. */
export function preconditionStatus(
  { headers, method }: HttpRequest,
  { etag, modified }: Validators,
): 304 | 412 | undefined {
  const ifMatch = headers.get("if-match");
  const seconds = Math.floor(modified / 1_000);
  if (ifMatch !== null) {
    if (!lists(ifMatch, etag, false)) return 412;
  } else {
    const since = secondsOf(headers.get("if-unmodified-since"));
    if (since !== undefined && seconds > since) return 412;
  }
  const reads = method === "GET" || method === "HEAD";
  const ifNoneMatch = headers.get("if-none-match");
  if (ifNoneMatch !== null) {
    if (!lists(ifNoneMatch, etag, true)) return undefined;
    return reads ? 304 : 412;
  }
  const since = secondsOf(headers.get("if-modified-since"));
  return reads && since !== undefined && seconds <= since ? 304 : undefined;
}

/** Bytes from `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The range that a GET asks for; undefined for the whole, which is also the answer to several ranges at once. */
export function rangeOf(
  { headers, method }: HttpRequest,
  { etag, modified }: Validators,
  size: number,
): ByteRange | "unsatisfiable" | undefined {
  const field = headers.get("range");
  if (field === null || method !== "GET") return undefined;
  const [, first, last] = /^bytes=(\d*)-(\d*)$/i.exec(field.trim()) ?? [];
  if (first === undefined || last === undefined || first + last === "") {
    return undefined;
  }
  const ifRange = headers.get("if-range");
  if (ifRange !== null && ifRange !== etag) {
    // A time is as good as a strong validator only where it is the very same.
    const since = secondsOf(ifRange);
    if (since !== Math.floor(modified / 1_000)) return undefined;
  }
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0
      ? "unsatisfiable"
      : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}

function lists(field: string, etag: string, weak: boolean): boolean {
  if (field.trim() === "*") return true;
  const tags = field.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (weak && tag === `W/${etag}`));
}

/** Seconds of an HTTP date; undefined for none. */
function secondsOf(field: string | null): number | undefined {
  if (field === null || !/GMT$|^\w{3} \w{3}/.test(field.trim())) {
    return undefined;
  }
  const milliseconds = Date.parse(field);
  return Number.isNaN(milliseconds)
    ? undefined
    : Math.floor(milliseconds / 1_000);
}
