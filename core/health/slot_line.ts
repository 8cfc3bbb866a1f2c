/**
 * Who waits for a slot of one backend, over all workers: a slot that one of them
 * frees goes to others that wait, so that no worker keeps a small backend to
 * itself.
 *
 * @module
 */

/** Milliseconds after which who waits looks by itself; Deno 2.4.2 wakes nobody who has nothing else to do. */
const PATIENCE = 1_000;

/** The line of a backend, as one worker sees it. */
export class SlotLine {
  readonly #ints: Int32Array;
  /** The place of the first worker's count, and how far the next one's is. */
  readonly #first: number;
  readonly #step: number;
  readonly #own: number;
  /** The place of the number that grows with each call. */
  readonly #calls: number;

  constructor(
    ints: Int32Array,
    places: { first: number; step: number; own: number; calls: number },
  ) {
    this.#ints = ints;
    this.#first = places.first;
    this.#step = places.step;
    this.#own = places.own;
    this.#calls = places.calls;
  }

  /** Somebody in this worker waits. */
  join(): void {
    Atomics.add(this.#ints, this.#own, 1);
  }

  /** Somebody waits no longer. */
  leave(): void {
    Atomics.sub(this.#ints, this.#own, 1);
  }

  /** Whether somebody waits in another worker. */
  get othersWait(): boolean {
    const ints = this.#ints;
    for (let at = this.#first; at < ints.length; at += this.#step) {
      if (at !== this.#own && Atomics.load(ints, at) > 0) return true;
    }
    return false;
  }

  /** Calls those that wait in other workers. */
  call(): void {
    Atomics.add(this.#ints, this.#calls, 1);
    Atomics.notify(this.#ints, this.#calls);
  }

  /** Resolves at the next call, after a second at the latest. */
  async called(): Promise<void> {
    const ints = this.#ints;
    const calls = Atomics.load(ints, this.#calls);
    await Atomics.waitAsync(ints, this.#calls, calls, PATIENCE).value;
  }
}
