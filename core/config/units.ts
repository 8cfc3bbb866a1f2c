/**
 * Values with a unit: durations, sizes, percentages, ranges of statuses.
 *
 * @module
 */
import { ValueError } from "./value_error.ts";

/** Milliseconds by unit. */
const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Bytes by unit. */
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["B", 1],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
  ["TiB", 1024 ** 4],
]);

/** The largest weight of a backend or subcluster. */
export const MAX_WEIGHT = 10_000;

/** A longer timer fires at once: `setTimeout` keeps its delay in 31 bits. */
export const MAX_DURATION = 2 ** 31 - 1;

/** The text form of a duration as a pattern, for editors. */
export const DURATION_PATTERN = "^\\d+(\\.\\d+)?(ms|s|m|h|d)$";

/** The text form of a size as a pattern, for editors. */
export const SIZE_PATTERN = "^\\d+(\\.\\d+)?(B|KiB|MiB|GiB|TiB)$";

/** A range of response statuses, both ends included. */
export type StatusRange = readonly [from: number, to: number];

/**
 * Milliseconds of `250ms`, `5s`, `1.5m`, `1h` or `1d`: whole ones, at most
 * 2^31-1. Throws a `ValueError`.
 */
export function parseDuration(text: string): number {
  const expected = "Expected a duration such as 250ms, 5s, 1m or 1h";
  const match = /^(\d+(?:\.\d+)?) ?([a-zA-Zµ]*)$/.exec(text.trim());
  const [, amount = "", unit = ""] = match ?? [];
  if (match === null) throw new ValueError(expected);
  const factor = DURATION_UNITS.get(unit);
  if (factor === undefined || text !== amount + unit) {
    const meant = durationUnit(unit);
    throw new ValueError(expected, meant && `${amount}${meant}`);
  }
  const milliseconds = scale(amount, factor);
  if (!Number.isInteger(milliseconds)) {
    throw new ValueError("Expected a duration of whole milliseconds");
  }
  if (milliseconds > MAX_DURATION) {
    throw new ValueError("Expected a duration of at most 24 days");
  }
  return milliseconds;
}

/**
 * Bytes of `512B`, `16KiB`, `1.5MiB`, `10GiB` or a plain number of bytes.
 * Throws a `ValueError`.
 */
export function parseSize(text: string): number {
  const expected = "Expected a size such as 512B, 16KiB or 1MiB";
  const match = /^(\d+(?:\.\d+)?) ?([a-zA-Z]*)$/.exec(text.trim());
  const [, amount = "", unit = ""] = match ?? [];
  if (match === null) throw new ValueError(expected);
  const factor = SIZE_UNITS.get(unit);
  if (factor === undefined || text !== amount + unit) {
    const meant = sizeUnit(unit);
    throw new ValueError(expected, meant && `${amount}${meant}`);
  }
  const bytes = scale(amount, factor);
  if (!Number.isSafeInteger(bytes)) {
    throw new ValueError("Expected a size of whole bytes, below 8192TiB");
  }
  return bytes;
}

/** The share, 0 to 1, of `20%`. Throws a `ValueError`. */
export function parsePercentage(text: string): number {
  const amount = Number(/^(\d+(?:\.\d+)?)%$/.exec(text)?.[1] ?? NaN);
  if (!(amount <= 100)) {
    throw new ValueError("Expected a percentage from 0% to 100%");
  }
  return amount / 100;
}

/** Both ends of `502` or `200-399`. Throws a `ValueError`. */
export function parseStatusRange(text: string): StatusRange {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text);
  const from = Number(match?.[1] ?? NaN);
  const to = Number(match?.[2] ?? from);
  if (!(from <= to)) {
    throw new ValueError(
      "Expected a status or a range of them from 100 to 599, such as 502 or 200-399",
    );
  }
  return [from, to];
}

/** Whether a status is in one of the ranges. */
export function inStatusRanges(
  ranges: readonly StatusRange[],
  status: number,
): boolean {
  return ranges.some(([from, to]) => from <= status && status <= to);
}

/** Ranges as the config has them: `200-399, 404`. */
export function formatStatusRanges(ranges: readonly StatusRange[]): string {
  return ranges.map(([from, to]) => from === to ? `${from}` : `${from}-${to}`)
    .join(", ");
}

/** Multiplies decimals exactly enough: 0.29 × 100 must be 29. */
function scale(amount: string, factor: number): number {
  const [whole = "", fraction = ""] = amount.split(".");
  return Number(whole) * factor +
    Number(fraction) * factor / 10 ** fraction.length;
}

function durationUnit(unit: string): string | undefined {
  const lower = unit.toLowerCase();
  if (DURATION_UNITS.has(lower)) return lower;
  if (lower.startsWith("milli") || lower === "msec") return "ms";
  // "sec", "minutes", "hours", "days"; "mo" for month is none of them.
  const initial = lower.charAt(0);
  return /^(s(ec|econd)s?|m(in|inute)s?|h(r|our)s?|days?)$/.test(lower)
    ? initial
    : undefined;
}

function sizeUnit(unit: string): string | undefined {
  const initial = /^([kmgt])(i?b?)$/i.exec(unit)?.[1]?.toUpperCase();
  if (initial !== undefined) return `${initial}iB`;
  return /^b(ytes?)?$/i.test(unit) ? "B" : undefined;
}
