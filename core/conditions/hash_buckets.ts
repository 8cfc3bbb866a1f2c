/**
 * Buckets of values for gradual roll-outs: `hash_in("0-99|500")`.
 *
 * @module
 */
import { murmur3 } from "./murmur3.ts";

/** As BFE: one bucket is a hundredth of a percent. */
export const BUCKETS = 10_000;

/** What 2 to the power of 32 leaves when divided by the number of buckets. */
const HIGH_REST = 2 ** 32 % BUCKETS;

const encoder = new TextEncoder();

/** The bucket of a value, from 0 to 9,999: `murmur3 % 10000`, as in BFE. */
export function bucketOf(value: string): number {
  const { high, low } = murmur3(encoder.encode(value));
  return ((high % BUCKETS) * HIGH_REST + low) % BUCKETS;
}

/**
 * Compiles buckets and ranges of them (`["0-99", "500"]`) to a test of values.
 * Throws a `RangeError` for what is none.
 */
export function matchBuckets(
  sections: readonly string[],
): (value: string) => boolean {
  const chosen = new Uint8Array(BUCKETS);
  for (const section of sections) {
    const [, first = "", last = first] =
      /^ *(\d{1,4}) *(?:- *(\d{1,4}) *)?$/.exec(section) ?? [];
    if (first === "" || Number(last) < Number(first)) {
      throw new RangeError(
        `A bucket must be a number or a range from 0 to ${
          BUCKETS - 1
        }, such as 0-99: current value is ${JSON.stringify(section)}`,
      );
    }
    chosen.fill(1, Number(first), Number(last) + 1);
  }
  return (value) => chosen[bucketOf(value)] === 1;
}
