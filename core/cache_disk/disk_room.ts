/**
 * Keeps a store on disk within its bound: segments are evicted one by one while
 * it holds more, and no more than a part of it may be on its way in.
 *
 * @module
 */
import type { Ghosts } from "../cache/s3_fifo.ts";
import type { SegmentTable } from "./segments.ts";

/** Of the capacity, what one body may take, and what may be on its way in. */
const MAX_ENTRY = 1 / 2;
const MAX_COMING = 1 / 2;

/** What takes room. */
export interface DiskRoomOptions {
  /** Bytes that all may take. */
  readonly capacity: number;
  readonly segments: SegmentTable;
  readonly ghosts: Ghosts;
  /** Bytes of all journals. */
  readonly journals: () => number;
}

/** A store's room. */
export class DiskRoom {
  readonly #options: DiskRoomOptions;
  /** Bytes on their way in. */
  #coming = 0;
  #making = false;
  #closed = false;
  /** Evictions under way. */
  #made: Promise<void> = Promise.resolve();

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  /** Bytes that are taken. */
  get bytes(): number {
    const { segments, journals } = this.#options;
    return segments.bytes + journals() + this.#coming;
  }

  /** Bytes that one body may take. */
  get mostEntry(): number {
    return Math.floor(this.#options.capacity * MAX_ENTRY);
  }

  /** Whether so many bytes more may be on their way in. */
  mayCome(bytes: number): boolean {
    return this.#coming + bytes <= this.#options.capacity * MAX_COMING;
  }

  /** So many bytes are on their way in, or are not any more with less than 0; false where there is no room. */
  take(bytes: number): boolean {
    if (bytes > 0 && !this.mayCome(bytes)) return false;
    this.#coming += bytes;
    if (bytes > 0) this.make();
    return true;
  }

  /** Forgets what is over the bound. */
  make(): void {
    if (this.#making || this.#closed || !this.#isFull) return;
    this.#making = true;
    this.#made = this.#evictAll().finally(() => {
      this.#making = false;
    });
  }

  get #isFull(): boolean {
    return this.bytes > this.#options.capacity;
  }

  async #evictAll(): Promise<void> {
    const { capacity, segments, ghosts } = this.#options;
    while (this.#isFull && !this.#closed) {
      const segment = segments.oldest(capacity);
      if (segment === undefined) return;
      await segment.owner.evict(segment, ghosts);
    }
  }

  /** No more is evicted; resolves once nothing is being evicted. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#made;
  }
}
