/**
 * Locks of a few dozen instructions in shared memory. A worker may be ended while
 * it holds one: who waits long enough takes it over.
 *
 * @module
 */

/** Looks at a lock before its waiter sleeps. */
const SPINS = 200;

/** Milliseconds between two looks of one that sleeps. */
const NAP = 1;

/** Milliseconds after which a holder is taken for dead: one that lives holds a lock for less than a microsecond, unless the system let others run. */
const DEAD_AFTER = 100;

/** The locks of one memory as one thread uses them. */
export class Locks {
  readonly #ints: Int32Array;
  /** Tells this holder from others: odd, and so not 0. */
  readonly #holder = crypto.getRandomValues(new Int32Array(1))[0]! | 1;

  constructor(ints: Int32Array) {
    this.#ints = ints;
  }

  /** Takes the lock at this place; the thread waits for it. */
  take(at: number): void {
    if (Atomics.compareExchange(this.#ints, at, 0, this.#holder) !== 0) {
      this.#wait(at);
    }
  }

  /** Gives it back; nothing happens where another has taken it over. */
  give(at: number): void {
    Atomics.compareExchange(this.#ints, at, this.#holder, 0);
  }

  #wait(at: number): void {
    const ints = this.#ints;
    let since = performance.now();
    let last = 0;
    for (let looks = 0;; looks++) {
      const holder = Atomics.compareExchange(ints, at, 0, this.#holder);
      if (holder === 0) return;
      if (looks < SPINS) continue;
      const now = performance.now();
      if (holder !== last) {
        last = holder;
        since = now;
      } else if (now - since > DEAD_AFTER) {
        const found = Atomics.compareExchange(ints, at, holder, this.#holder);
        if (found === holder) return;
      }
      Atomics.wait(ints, at, holder, NAP);
    }
  }
}
