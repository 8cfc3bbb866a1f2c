/**
 * How many of something are open over all workers, in memory that they share,
 * with a bound that holds exactly. Each worker has a count of its own, so that
 * the share of one that is lost goes with it.
 *
 * @module
 */
import { Locks } from "./set_lock.ts";

/** Layout in Int32: a line of what all use, then one for each seat, so that none slows another's. */
const LINE = 16;
const LOCK = 0;
/** Grows with each call of those who wait for room. */
const CALLS = 1;

/** In a seat's line: how many are open, and whether somebody waits for room. */
const OPEN = 0;
const WAITS = 1;

/** The count of a worker that is gone: below 0, however much it may still count. */
const GONE = -(2 ** 30);

/** Milliseconds after which who waits looks by itself: a worker that is lost calls nobody. */
const PATIENCE = 1_000;

/** The bytes of counts for workers in so many seats. */
export function seatCountsBytes(seats: number): number {
  return (1 + seats) * LINE * 4;
}

/** The worker of a seat is gone with all that it had open. One that only hung may come back, and count on: that counts for nothing. */
export function loseSeatCount(memory: SharedArrayBuffer, seat: number): void {
  setSeat(memory, seat, GONE);
}

/** A worker is about to take a seat. */
export function openSeatCount(memory: SharedArrayBuffer, seat: number): void {
  setSeat(memory, seat, 0);
}

function setSeat(memory: SharedArrayBuffer, seat: number, value: number) {
  const ints = new Int32Array(memory);
  Atomics.store(ints, lineOf(seat) + OPEN, value);
  Atomics.store(ints, lineOf(seat) + WAITS, value);
}

function lineOf(seat: number): number {
  return (1 + seat) * LINE;
}

/** The counts as the worker of one seat uses them. */
export class SeatCounts {
  readonly #ints: Int32Array;
  readonly #own: number;
  readonly #seats: number;
  readonly #locks: Locks;

  constructor(memory: SharedArrayBuffer, seat: number) {
    this.#ints = new Int32Array(memory);
    this.#own = lineOf(seat);
    this.#seats = this.#ints.length / LINE - 1;
    this.#locks = new Locks(this.#ints);
  }

  /** How many are open, over all workers. */
  get open(): number {
    const ints = this.#ints;
    let sum = 0;
    for (let at = LINE + OPEN; at < ints.length; at += LINE) {
      sum += Math.max(0, Atomics.load(ints, at));
    }
    return sum;
  }

  /** One more, unless there are `most` already; whether there was room. */
  enterBelow(most: number): boolean {
    // Far from the bound nobody waits: each of the others may add one meanwhile.
    if (this.open + this.#seats <= most) {
      this.enter();
      return true;
    }
    this.#locks.take(LOCK);
    try {
      if (this.open >= most) return false;
      this.enter();
      return true;
    } finally {
      this.#locks.give(LOCK);
    }
  }

  /** One more, whatever the bound is. */
  enter(): void {
    Atomics.add(this.#ints, this.#own + OPEN, 1);
  }

  /** One less; whether others were called, who wait for the room as well as anybody here. */
  leave(): boolean {
    const ints = this.#ints;
    const at = this.#own + OPEN;
    if (Atomics.load(ints, at) > 0) Atomics.sub(ints, at, 1);
    if (!this.#othersWait) return false;
    Atomics.add(ints, CALLS, 1);
    Atomics.notify(ints, CALLS);
    return true;
  }

  /** Resolves when somebody leaves who knows of this wait, after a second at the latest; who asks looks for room once more before it waits. */
  async called(): Promise<void> {
    const ints = this.#ints;
    Atomics.store(ints, this.#own + WAITS, 1);
    const calls = Atomics.load(ints, CALLS);
    await Atomics.waitAsync(ints, CALLS, calls, PATIENCE).value;
    Atomics.store(ints, this.#own + WAITS, 0);
  }

  get #othersWait(): boolean {
    const ints = this.#ints;
    for (let line = LINE; line < ints.length; line += LINE) {
      if (line !== this.#own && Atomics.load(ints, line + WAITS) > 0) {
        return true;
      }
    }
    return false;
  }
}
