/**
 * Which of many things of different sizes is forgotten next: S3-FIFO (Yang et
 * al., SOSP 2023). What is new waits in a small queue; what is asked for again
 * there moves to the main one; what was forgotten there lately and comes back
 * goes to the main one at once. A scan passes through the small queue and
 * drives nothing else out.
 *
 * `scripts/cache_policy.ts` measures it against LRU.
 *
 * @module
 */

/** A thing in the queues; the queues' own beside its size. */
export interface Queued {
  /** Bytes that it takes; changed only by `resize`. */
  size: number;
  /** By which it is known after it was forgotten. */
  readonly identity: number;
  /** Uses since it last passed an end, at most 3. */
  uses: number;
  queue: Queue<this> | undefined;
  before: this | undefined;
  behind: this | undefined;
}

/** A doubly linked list: the oldest is `head`. */
export class Queue<T extends Queued> {
  head: T | undefined;
  #tail: T | undefined;
  bytes = 0;

  push(item: T): void {
    item.queue = this as Queue<T & Queued> as never;
    item.before = this.#tail;
    item.behind = undefined;
    if (this.#tail === undefined) this.head = item;
    else this.#tail.behind = item;
    this.#tail = item;
    this.bytes += item.size;
  }

  remove(item: T): void {
    const { before, behind } = item;
    if (before === undefined) this.head = behind;
    else before.behind = behind;
    if (behind === undefined) this.#tail = before;
    else behind.before = before;
    item.before = undefined;
    item.behind = undefined;
    item.queue = undefined;
    this.bytes -= item.size;
  }
}

/** Share of the bytes that the small queue keeps. */
export const SMALL = 0.1;

/** The queues. */
export class S3Fifo<T extends Queued> {
  readonly #capacity: number;
  readonly #small = new Queue<T>();
  readonly #main = new Queue<T>();
  readonly #ghosts: Ghosts;

  /** Keeps so many bytes. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#ghosts = new Ghosts(capacity);
  }

  /** Bytes of all that is in. */
  get bytes(): number {
    return this.#small.bytes + this.#main.bytes;
  }

  /** Takes a new one in; `evict` says then what has to go. */
  add(item: T): void {
    item.uses = 0;
    if (this.#ghosts.take(item.identity)) this.#main.push(item);
    else this.#small.push(item);
  }

  /** It was of use. */
  use(item: T): void {
    if (item.uses < 3) item.uses++;
  }

  /** It is gone. */
  remove(item: T): void {
    (item.queue as Queue<T> | undefined)?.remove(item);
  }

  /** It takes more or less from now on. */
  resize(item: T, size: number): void {
    const queue = item.queue as Queue<T> | undefined;
    if (queue !== undefined) queue.bytes += size - item.size;
    item.size = size;
  }

  /** Takes out the next one to forget, with so many bytes to come; undefined where there is room for them, or nothing in. */
  evict(coming: number): T | undefined {
    while (this.bytes + coming > this.#capacity) {
      const small = this.#small.head;
      const main = this.#main.head;
      if (small === undefined && main === undefined) return undefined;
      const fromSmall = small !== undefined &&
        (main === undefined || this.#small.bytes > this.#capacity * SMALL);
      if (!fromSmall) {
        this.#main.remove(main!);
        if (main!.uses === 0) return main;
        main!.uses--;
        this.#main.push(main!);
      } else if (small.uses > 1) {
        // Asked for more than once since it came: it is no passer-by.
        this.#small.remove(small);
        small.uses = 0;
        this.#main.push(small);
      } else {
        this.#small.remove(small);
        this.#ghosts.add(small.identity, small.size);
        return small;
      }
    }
    return undefined;
  }
}

const MAX_GHOSTS = 1 << 17;

/** What left the small queue lately. */
export class Ghosts {
  readonly #most: number;
  /** Bytes by identity, the oldest first. */
  readonly #ghosts = new Map<number, number>();
  #bytes = 0;

  /** As much as the main queue of such a capacity holds, and never more names than that is worth. */
  constructor(capacity: number) {
    this.#most = capacity * (1 - SMALL);
  }

  /** Whether it was here; it is not any more. */
  take(identity: number): boolean {
    const bytes = this.#ghosts.get(identity);
    if (bytes === undefined) return false;
    this.#forget(identity, bytes);
    return true;
  }

  /** It left. */
  add(identity: number, size: number): void {
    this.take(identity);
    this.#ghosts.set(identity, size);
    this.#bytes += size;
    while (this.#bytes > this.#most || this.#ghosts.size > MAX_GHOSTS) {
      const [oldest, bytes] = this.#ghosts.entries().next().value!;
      this.#forget(oldest, bytes);
    }
  }

  #forget(identity: number, bytes: number): void {
    this.#ghosts.delete(identity);
    this.#bytes -= bytes;
  }
}
