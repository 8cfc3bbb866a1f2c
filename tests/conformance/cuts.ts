/**
 * Ways to cut bytes into writes.
 *
 * @module
 */
import type { Cut } from "./run_case.ts";

/** Up to so many bytes are sent one by one: beyond that it takes too long. */
const MAX_SINGLE = 2 << 10;

/** One byte a piece, as long as that is not too long. */
export function singleBytes(bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length > MAX_SINGLE) return [bytes];
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}

/** At places that look random and are the same for the same seed. */
export function randomCut(seed: number): Cut {
  let state = seed * 2_654_435_761 >>> 0 || 1;
  const next = (bound: number): number => {
    // xorshift32.
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    return state % bound;
  };
  return (bytes) => {
    if (bytes.length < 2) return [bytes];
    const places = Array.from(
      { length: 1 + next(6) },
      () => 1 + next(bytes.length - 1),
    ).sort((a, b) => a - b);
    const ends = [...new Set(places), bytes.length];
    return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
  };
}
