/**
 * When backends were away: what failed then is explained.
 *
 * @module
 */

/** A backend that comes back is found again within so many milliseconds. */
const AFTER = 3_000;

/** A death is told a moment after it, in milliseconds. */
const BEFORE = 500;

/** The times of one run, by the clock that all processes share. */
export class FaultTimes {
  readonly #times: { from: number; until: number }[] = [];

  /** A backend goes. */
  begin(at: number): void {
    this.#times.push({ from: at - BEFORE, until: Infinity });
  }

  /** It is back. */
  end(at: number): void {
    const last = this.#times.at(-1);
    if (last !== undefined) last.until = at + AFTER;
  }

  /** Whether a backend was away at some time between the two. */
  explain(from: number, until: number): boolean {
    return this.#times.some((each) => each.from <= until && from <= each.until);
  }
}
