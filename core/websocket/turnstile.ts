/**
 * The order in which sessions that all leave a backend at once come to other
 * ones: a few at a time, the first all the way before the last begin.
 *
 * Were all dials begun at once, nobody would be heard meanwhile, those neither
 * that stay where they are (measured, of 420 sessions 210 move: those that stay
 * pause for 57 ms after a Close, for 30 ms at a planned move; in turns for 18
 * and 10 ms).
 *
 * @module
 */
import type { Clock } from "../net/clock.ts";

/** One for each kind of move, for all sessions of a thread. */
export interface Turnstiles {
  /** Of those that have lost their backend, or are to leave a stalled one: their clients wait. */
  readonly lost: Turnstile;
  /** Of those that are to leave one that still works: they are in no hurry. */
  readonly planned: Turnstile;
}

/** Makes both. */
export function createTurnstiles(clock: Clock): Turnstiles {
  return {
    // With 4 the last of 200 is there 15 ms later (measured): the backend's
    // answers are waited for. With 16 those that stay wait as long as with all.
    lost: new Turnstile(clock, 8),
    planned: new Turnstile(clock, 4),
  };
}

/**
 * Who is within for longer waits for a backend far away and not for the
 * processor, in milliseconds: as many again are let in. Dials can hardly be
 * begun faster (measured: 130 µs each).
 */
const PATIENCE = 1;

/** Lets in a few at a time, in the order in which they came. */
export class Turnstile {
  readonly #clock: Clock;
  readonly #width: number;
  #waiting: (() => void)[] = [];
  #within = 0;
  #cancel: (() => void) | undefined;

  /** So many may be within at once, or more where they are within for long. */
  constructor(clock: Clock, width: number) {
    this.#clock = clock;
    this.#width = width;
  }

  /** Lets in: at once, without a promise, or when it is one's turn. Whoever is let in is to `leave`. */
  enter(): Promise<void> | undefined {
    if (this.#within < this.#width) {
      this.#within++;
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#cancel ??= this.#clock.after(PATIENCE, this.#onPatienceOver);
    return promise;
  }

  /** Lets in the next. */
  leave(): void {
    this.#within--;
    if (this.#within < this.#width) this.#admit(1);
  }

  #admit(count: number): void {
    for (const letIn of this.#waiting.splice(0, count)) {
      this.#within++;
      letIn();
    }
    if (this.#waiting.length > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  readonly #onPatienceOver = (): void => {
    this.#cancel = this.#clock.after(PATIENCE, this.#onPatienceOver);
    this.#admit(this.#width);
  };
}
