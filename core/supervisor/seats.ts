/**
 * The places in shared memory where workers count what they do. A worker that
 * hangs is lost but can't be ended, and may go on counting when its loop ends: so
 * the one in its stead gets another seat, and there are more seats than workers.
 *
 * @module
 */

/** How many seats so many workers have. */
export function seatCount(workers: number): number {
  return 2 * workers;
}

/** The seats of one proxy. */
export class Seats {
  readonly #taken: boolean[];
  #next = 0;

  constructor(workers: number) {
    this.#taken = new Array<boolean>(seatCount(workers)).fill(false);
  }

  /** The free seat that was left longest ago. Throws a `RangeError` where there are more workers than said. */
  take(): number {
    const count = this.#taken.length;
    for (let i = 0; i < count; i++) {
      const seat = (this.#next + i) % count;
      if (this.#taken[seat]) continue;
      this.#taken[seat] = true;
      this.#next = (seat + 1) % count;
      return seat;
    }
    throw new RangeError("Cannot seat another worker: all seats are taken");
  }

  /** Its worker was lost. */
  lose(seat: number): void {
    this.#taken[seat] = false;
  }
}
