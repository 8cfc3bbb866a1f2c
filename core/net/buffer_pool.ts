/**
 * Buffers from free lists: a new `Uint8Array` of 16 KiB costs 2.7 µs, a quarter
 * of what a whole proxied request may cost (measured).
 *
 * @module
 */

import { HEADROOM } from "../message/body.ts";

/** A free list of buffers of one size. */
export class BufferPool {
  /** Bytes of each buffer. */
  readonly size: number;
  /** Buffers that are out. */
  inUse = 0;
  readonly #free: Uint8Array[] = [];
  readonly #keep: number;
  #limit: number;

  constructor(
    size: number,
    options: { readonly keep: number; readonly limit?: number },
  ) {
    this.size = size;
    this.#keep = options.keep;
    this.#limit = options.limit ?? Infinity;
  }

  /** Another bound for those that are out and wait; more that are out now come back. */
  bound(limit: number): void {
    this.#limit = limit;
    if (this.#free.length > limit) this.#free.length = limit;
  }

  /** Whether the bound of buffers that may be out is reached. */
  get exhausted(): boolean {
    return this.inUse >= this.#limit;
  }

  /** Buffers that wait to be used. */
  get free(): number {
    return this.#free.length;
  }

  /** A buffer with old bytes in it. */
  take(): Uint8Array {
    this.inUse++;
    return this.#free.pop() ?? new Uint8Array(this.size);
  }

  /** Leaves a buffer that is out to the garbage collector: somebody may still read it. */
  drop(): void {
    this.inUse--;
  }

  /** Gives a buffer back; whoever gives it must not touch it any more. */
  give(buffer: Uint8Array): void {
    this.inUse--;
    const { length } = this.#free;
    if (length < this.#keep && length < this.#limit) this.#free.push(buffer);
  }
}

/** The sizes in use, by what they hold. */
export class Buffers {
  /** The standing read of a connection that is mostly silent: what it costs is what all such connections hold together (measured: 7.6 KB for an idle one with 64 bytes, 11 with 4 KiB). */
  readonly tiny = new BufferPool(HEADROOM + 64, { keep: 4096 });
  /** The standing read of an idle HTTP connection: most heads arrive in one read of it. */
  readonly small = new BufferPool(4 << 10, { keep: 1024 });
  /** Heads that outgrow a small one, reads of a backend, and what is about to be written: a response up to 32 KiB takes one read and one write (measured: 17.9 µs instead of 22.0 with 16 KiB). */
  readonly medium = new BufferPool(33 << 10, { keep: 512 });
  /** Bulk: the knee of CPU per byte is at 256 KiB (measured); bounded (`limitBulk`), beyond it medium ones serve. */
  readonly large = new BufferPool(256 << 10, { keep: 16, limit: 64 });

  /** Streams may have large ones of so many bytes at once; 16 MiB until it is said. */
  limitBulk(bytes: number): void {
    this.large.bound(Math.floor(bytes / this.large.size));
  }

  /** Gives back a buffer of any of the sizes. */
  give(buffer: Uint8Array): void {
    if (buffer.length === this.tiny.size) this.tiny.give(buffer);
    else if (buffer.length === this.small.size) this.small.give(buffer);
    else if (buffer.length === this.medium.size) this.medium.give(buffer);
    else if (buffer.length === this.large.size) this.large.give(buffer);
  }

  /** Leaves a buffer of any of the sizes to the garbage collector. */
  drop(buffer: Uint8Array): void {
    if (buffer.length === this.tiny.size) this.tiny.drop();
    else if (buffer.length === this.small.size) this.small.drop();
    else if (buffer.length === this.medium.size) this.medium.drop();
    else if (buffer.length === this.large.size) this.large.drop();
  }

  /**
   * The next size up, or the same where there is no larger one to have. For what
   * needs it whole, and not only goes faster in it, the bound does not count.
   */
  larger(buffer: Uint8Array, { whole = false } = {}): BufferPool {
    if (buffer.length < this.small.size) return this.small;
    if (buffer.length < this.medium.size) return this.medium;
    return this.large.exhausted && !whole ? this.medium : this.large;
  }

  /** The pools by the names that operators see. */
  get pools(): readonly (readonly [size: string, pool: BufferPool])[] {
    const { tiny, small, medium, large } = this;
    return Object.entries({ tiny, small, medium, large });
  }
}
