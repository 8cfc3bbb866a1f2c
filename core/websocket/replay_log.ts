/**
 * A client's messages from when they came until the backend is known to have
 * read them, so that another backend can get what a dead one lost.
 *
 * @module
 */
import type { Buffers } from "../net/buffer_pool.ts";
import type { MessageKind } from "./link.ts";

/** Before each payload: its kind and, in four bytes, its length. */
const ENTRY = 5;

const EMPTY = new Uint8Array(0);

/** What an entry is given to. */
export type EntryTaker = (
  kind: MessageKind,
  bytes: Uint8Array,
  start: number,
  end: number,
) => void;

/**
 * Messages in their order, numbered from 1 on, in one buffer that grows: a
 * `Uint8Array` per message would cost more than the message. It is a pooled one
 * and goes back as soon as nothing is kept.
 */
export class ReplayLog {
  readonly #buffers: Buffers;
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  /** The number of the last message that was dropped. */
  #dropped = 0;
  #last = 0;

  constructor(buffers: Buffers) {
    this.#buffers = buffers;
  }

  /** Bytes that are kept, with a few for each message. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Bytes of memory. */
  get memory(): number {
    return this.#bytes.length;
  }

  /** How many messages are kept. */
  get count(): number {
    return this.#last - this.#dropped;
  }

  /** The number of the last message that came. */
  get last(): number {
    return this.#last;
  }

  /** The number of the last message that is not kept any more. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Keeps a copy. */
  append(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const length = end - start;
    this.#makeRoom(ENTRY + length);
    const kept = this.#bytes;
    const at = this.#end;
    kept[at] = kind;
    kept[at + 1] = length;
    kept[at + 2] = length >>> 8;
    kept[at + 3] = length >>> 16;
    kept[at + 4] = length >>> 24;
    if (length > 0) kept.set(bytes.subarray(start, end), at + ENTRY);
    this.#end = at + ENTRY + length;
    this.#last++;
  }

  /** Numbers a message that need not be kept, while none is. */
  skip(): number {
    return this.#dropped = ++this.#last;
  }

  /** Drops all up to this number. */
  dropTo(number: number): void {
    while (this.#dropped < number && this.#dropped < this.#last) {
      this.#start += ENTRY + this.#lengthAt(this.#start);
      this.#dropped++;
    }
    if (this.#start === this.#end) this.#giveBack();
  }

  /** Drops all: nobody is to get any of it. */
  clear(): void {
    this.#dropped = this.#last;
    this.#giveBack();
  }

  /** Gives all messages after this number, or after what was dropped, in their order. */
  giveAfter(number: number, take: EntryTaker): void {
    let at = this.#start;
    for (let n = this.#dropped + 1; n <= this.#last; n++) {
      const start = at + ENTRY;
      const end = start + this.#lengthAt(at);
      if (n > number) {
        take(this.#bytes[at] as MessageKind, this.#bytes, start, end);
      }
      at = end;
    }
  }

  #lengthAt(at: number): number {
    const bytes = this.#bytes;
    return (bytes[at + 1]! | bytes[at + 2]! << 8 | bytes[at + 3]! << 16 |
      bytes[at + 4]! << 24) >>> 0;
  }

  #makeRoom(count: number): void {
    const { length } = this.#bytes;
    if (this.#end + count <= length) return;
    const needed = this.size + count;
    // Moving to the front is worth it where that frees at least half.
    if (2 * needed <= length) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    } else {
      const size = this.size;
      const larger = this.#newBuffer(Math.max(2 * length, needed));
      larger.set(this.#bytes.subarray(this.#start, this.#end));
      this.#giveBack();
      this.#bytes = larger;
      this.#end = size;
      return;
    }
    this.#end -= this.#start;
    this.#start = 0;
  }

  #newBuffer(size: number): Uint8Array {
    const { small, medium, large } = this.#buffers;
    for (const pool of [small, medium, large]) {
      if (size <= pool.size && !pool.exhausted) return pool.take();
    }
    return new Uint8Array(size);
  }

  #giveBack(): void {
    const bytes = this.#bytes;
    this.#bytes = EMPTY;
    this.#start = this.#end = 0;
    if (bytes !== EMPTY) this.#buffers.give(bytes);
  }
}
