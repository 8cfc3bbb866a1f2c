/**
 * Slow start: a backend that came back gets its share little by little, so that
 * cold caches and compilers are not flooded.
 *
 * @module
 */

/** Steps are no longer than this, in milliseconds; a shorter start has ten. */
const LONGEST_STEP = 1_000;

/**
 * The part of its weight, above 0 and at most 1, that a backend gets at `now`
 * where it came back at `from`: growing by equal steps, so that weights don't
 * change with every pick. Both in milliseconds since the epoch, 0 for one that
 * never went away; `duration` in milliseconds. A clock that was set back ends it.
 */
export function slowStartFactor(
  from: number,
  duration: number,
  now: number,
): number {
  const step = stepOf(duration);
  const steps = Math.floor((now - from) / step) + 1;
  if (steps < 1) return 1;
  return Math.min(1, steps * step / duration);
}

/** When that next grows, in milliseconds since the epoch; Infinity where it is whole. */
export function slowStartChangesAt(
  from: number,
  duration: number,
  now: number,
): number {
  if (slowStartFactor(from, duration, now) === 1) return Infinity;
  const step = stepOf(duration);
  return from + (Math.floor((now - from) / step) + 1) * step;
}

function stepOf(duration: number): number {
  return Math.min(LONGEST_STEP, Math.ceil(duration / 10));
}
