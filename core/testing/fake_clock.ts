/**
 * A clock that tests turn by hand.
 *
 * @module
 */
import type { Clock } from "../net/clock.ts";

interface Timer {
  due: number;
  readonly interval: number;
  readonly callback: () => void;
}

/** Time that stands still until `advance` moves it. */
export class FakeClock implements Clock {
  #now = 1_000;
  #timers = new Set<Timer>();

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    return this.#add({ due: this.#now + milliseconds, interval: 0, callback });
  }

  every(milliseconds: number, callback: () => void): () => void {
    const due = this.#now + milliseconds;
    return this.#add({ due, interval: milliseconds, callback });
  }

  /** Moves time, running what falls due in its order. */
  advance(milliseconds: number): void {
    const target = this.#now + milliseconds;
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.#timers) {
        if (timer.due <= target && (!next || timer.due < next.due)) {
          next = timer;
        }
      }
      if (next === undefined) break;
      this.#now = next.due;
      if (next.interval > 0) next.due += next.interval;
      else this.#timers.delete(next);
      next.callback();
    }
    this.#now = target;
  }

  /** Timers that are set: a leak shows here. */
  get pending(): number {
    return this.#timers.size;
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }
}
