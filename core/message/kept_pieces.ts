/**
 * Bytes that are kept to be read again, in few pieces however they came.
 *
 * @module
 */
import { HEADROOM } from "./body.ts";

/** A piece gets no more room for what may follow. */
const MOST_ROOM = 64 << 10;

/**
 * Copies of bytes, each piece behind its headroom. A body in chunks of one byte
 * must not cost an object for each: a piece has room for as many bytes more as
 * came before it.
 */
export class KeptPieces {
  /** In order; the last one may become longer. */
  readonly pieces: Uint8Array[] = [];
  #length = 0;
  /** What the last piece lies in. */
  #block = new Uint8Array(0);

  /** Keeps a copy. */
  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const last = this.pieces.length - 1;
    const end = this.pieces[last]?.length ?? 0;
    if (last >= 0 && this.#block.length - end >= bytes.length) {
      this.#block.set(bytes, end);
      this.pieces[last] = this.#block.subarray(0, end + bytes.length);
    } else {
      const room = Math.min(this.#length, MOST_ROOM);
      const length = HEADROOM + bytes.length;
      this.#block = new Uint8Array(Math.max(length, HEADROOM + room));
      this.#block.set(bytes, HEADROOM);
      this.pieces.push(this.#block.subarray(0, length));
    }
    this.#length += bytes.length;
  }
}
