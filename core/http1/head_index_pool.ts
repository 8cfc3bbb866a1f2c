/**
 * Indexes of heads from a free list: to make one costs 0.3 µs and memory outside
 * of V8's heap (measured), and many a client comes for one request.
 *
 * @module
 */
import { FIRST_FIELDS, HeadIndex, STRIDE } from "./head_index.ts";

/** Indexes that wait at most: with those that are out more than enough for who comes at once. */
const KEPT = 256;

/** Indexes for connections of one listener. */
export class HeadIndexPool {
  readonly #capacity: number;
  readonly #free: HeadIndex[] = [];

  /** For heads of so many fields at most. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** An index that holds no head. */
  take(): HeadIndex {
    return this.#free.pop() ?? new HeadIndex(this.#capacity);
  }

  /** Takes one back, which forgets its head; its owner must not touch it any more. */
  give(index: HeadIndex): void {
    index.forget();
    const isSmall = index.ranges.length <= FIRST_FIELDS * STRIDE;
    if (isSmall && this.#free.length < KEPT) this.#free.push(index);
  }
}
