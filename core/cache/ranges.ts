/**
 * Ranges: what a request wants of a representation and what a 206 brings (RFC
 * 9110 §14).
 *
 * @module
 */
import { type FieldLine } from "./store.ts";
import { valuesOf } from "./stored_response.ts";

/** One range as it is asked for; without `first` the last so many bytes. */
export interface ByteRange {
  readonly first: number | undefined;
  /** The last byte, or how many from the end; undefined = to the end. */
  readonly last: number | undefined;
}

/** The one range that Range asks for; undefined for anything else, which is answered whole (§14.2). */
export function parseRange(value: string): ByteRange | undefined {
  const match = /^bytes[ \t]*=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(value);
  if (match === null) return undefined;
  const [, from = "", to = ""] = match;
  if (from === "" && to === "") return undefined;
  if (from === "") return { first: undefined, last: number(to) };
  const range = {
    first: number(from),
    last: to === "" ? undefined : number(to),
  };
  return range.last !== undefined && range.last < range.first
    ? undefined
    : range;
}

function number(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** Bytes of a representation, from `start` to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The bytes that a range means of so many; undefined where there are none (416). */
export function spanOf(
  { first, last }: ByteRange,
  length: number,
): Span | undefined {
  if (first === undefined) {
    return last === 0 || length === 0
      ? undefined
      : { start: Math.max(0, length - last!), end: length };
  }
  if (first >= length) return undefined;
  return {
    start: first,
    end: last === undefined ? length : Math.min(last + 1, length),
  };
}

/** Content-Range's span and the whole length, undefined where that is not said. */
export interface ContentRange extends Span {
  readonly length: number | undefined;
}

/** What a 206's lines say of the part; undefined where it is not one range of bytes. */
export function parseContentRange(
  fields: readonly FieldLine[],
): ContentRange | undefined {
  const values = valuesOf(fields, "content-range");
  if (values.length !== 1) return undefined;
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(values[0]!);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2]) + 1;
  const length = match[3] === "*" ? undefined : Number(match[3]);
  const valid = start < end && (length === undefined || end <= length) &&
    Number.isSafeInteger(end);
  return valid ? { start, end, length } : undefined;
}

/** Content-Range as it is sent. */
export function formatContentRange(
  span: Span | undefined,
  length: number | undefined,
): string {
  const said = span === undefined ? "*" : `${span.start}-${span.end - 1}`;
  return `bytes ${said}/${length ?? "*"}`;
}
