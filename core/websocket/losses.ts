/**
 * When a session lost its backends and when others took their places: those that
 * are lost as soon as they are there count as one loss.
 *
 * @module
 */

/** A backend that is lost within so many milliseconds never really was there. */
const STEADY = 1_000;

/** The losses of one session; all times by the clock's monotonic time. */
export class Losses {
  #lostAt = 0;
  /** When a backend took the place of a lost one. */
  #arrivedAt = -Infinity;
  #flaps = 0;
  /** When the first of these was. */
  #flapsSince = 0;

  /** The backend is lost. */
  lost(now: number): void {
    this.#lostAt = now;
    if (now - this.#arrivedAt >= STEADY) this.#flaps = 0;
    else if (this.#flaps++ === 0) this.#flapsSince = now;
  }

  /** Another one has taken its place. */
  replaced(now: number): void {
    this.#arrivedAt = now;
  }

  /** Backends in a row that were lost as soon as they were there. */
  get flaps(): number {
    return this.#flaps;
  }

  /** Since when there has been none that stayed. */
  get since(): number {
    return this.#flaps > 0 ? this.#flapsSince : this.#lostAt;
  }

  /** Milliseconds since the last loss. */
  gap(now: number): number {
    return now - this.#lostAt;
  }
}
