/**
 * Durations in options, written as in the rest of the config: `250ms`, `5s`,
 * `1m`, `2h`.
 *
 * @module
 */
import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;

/** Checks a duration; the option is milliseconds. */
export function duration(atLeast = "1ms") {
  const least = milliseconds(atLeast);
  return z.string().regex(DURATION, "Expected a duration such as 250ms, 5s, 1m")
    .transform(milliseconds)
    .refine((value) => value >= least, `Expected at least ${atLeast}`);
}

function milliseconds(text: string): number {
  const [, count, unit = ""] = DURATION.exec(text) ?? [];
  return Number(count) * (UNITS[unit] ?? NaN);
}
