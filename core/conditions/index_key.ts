/**
 * What an index of rules may look a request up by: exact texts, beginnings and
 * ends of something that a request has.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import type { SafeRegExp } from "./safe_regexp.ts";

/** Something of a request that rules ask for, such as its path. */
export interface Dimension {
  /** The same for the same thing. */
  readonly name: string;
  /** Whether it costs so much to read that a few tests cost less. */
  readonly dear: boolean;
  /** Undefined where the request has none. */
  readonly read: (request: HttpRequest) => string | undefined;
}

/**
 * How a key fits a request's text: it is the text, its beginning, its first
 * whole path segments (the text goes on with `/` or not at all), its end, a part
 * of it.
 */
export type KeyFit = "whole" | "prefix" | "segments" | "suffix" | "part";

/** Characters that a `part` must have: an index finds parts by so many. */
export const MIN_PART = 3;

/** One thing that a request may have in a dimension. */
export interface IndexKey {
  readonly dimension: Dimension;
  readonly fit: KeyFit;
  readonly text: string;
}

/** A key for each text; in lower case where case is ignored, in a dimension of its own. */
export function keysOf(
  dimension: Dimension,
  fit: KeyFit,
  texts: readonly string[],
  ignoreCase: boolean,
): readonly IndexKey[] {
  const { name, dear, read } = dimension;
  const folded = ignoreCase
    ? {
      name: `${name} in lower case`,
      dear,
      read: (request: HttpRequest) => read(request)?.toLowerCase(),
    }
    : dimension;
  return texts.map((text) => ({
    dimension: folded,
    fit,
    text: ignoreCase ? text.toLowerCase() : text,
  }));
}

/** As {@linkcode keysOf} for parts of texts; undefined where one is too short to be found. */
export function partKeys(
  dimension: Dimension,
  texts: readonly string[],
  ignoreCase: boolean,
): readonly IndexKey[] | undefined {
  const keys = keysOf(dimension, "part", texts, ignoreCase);
  return keys.every(({ text }) => text.length >= MIN_PART) ? keys : undefined;
}

/** The key of a pattern: the longest text that its matches must have at their beginning, their end or anywhere. */
export function patternKeys(
  dimension: Dimension,
  { literals: { prefix, suffix, part } }: SafeRegExp,
): readonly IndexKey[] | undefined {
  const longest = Math.max(prefix.length, suffix.length);
  if (part.length > longest) {
    const keys = partKeys(dimension, [part], false);
    if (keys !== undefined) return keys;
  }
  if (longest === 0) return undefined;
  return prefix.length === longest
    ? keysOf(dimension, "prefix", [prefix], false)
    : keysOf(dimension, "suffix", [suffix], false);
}
