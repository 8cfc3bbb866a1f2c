/**
 * The value in the middle.
 *
 * @module
 */

/** The median of at least one value; of an even number of them the upper one. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
