/**
 * A body whose pieces a test decides.
 *
 * @module
 */
import fc from "fast-check";
import type { RequestBody } from "../../core/message/body.ts";

/** One piece: at hand at once, or only for who waits. */
export interface Piece {
  readonly bytes: number[];
  readonly atHand: boolean;
}

/** Up to eight pieces of up to eight bytes. */
export const pieces = fc.array(
  fc.record({
    bytes: fc.array(fc.integer({ min: 0, max: 255 }), {
      minLength: 1,
      maxLength: 8,
    }),
    atHand: fc.boolean(),
  }),
  { maxLength: 8 },
);

/** Pieces, each at hand at once or only for who waits. */
export class PiecesBody implements RequestBody {
  bytes = new Uint8Array(0);
  start = 0;
  end = 0;
  last = false;
  readonly headroom = 0;
  readonly tailroom = 0;
  cancelled = false;
  readonly #pieces: Piece[];
  readonly #lastKnown: boolean;

  constructor(
    pieces: readonly Piece[],
    lastKnown: boolean,
  ) {
    this.#pieces = [...pieces];
    this.#lastKnown = lastKnown;
  }

  advance(): boolean {
    if (this.last) return true;
    if (this.#pieces[0]?.atHand !== true) return false;
    this.#shift();
    return true;
  }

  next(): Promise<boolean> {
    if (this.last) return Promise.resolve(false);
    if (this.#pieces.length === 0) {
      this.start = this.end = 0;
      this.last = true;
      return Promise.resolve(false);
    }
    this.#shift();
    return Promise.resolve(true);
  }

  cancel(): void {
    this.cancelled = true;
  }

  resume(): void {
    this.cancelled = false;
  }

  #shift(): void {
    // The bytes before belong to who reads next: whoever keeps them must copy.
    this.bytes.fill(0xee);
    this.bytes = new Uint8Array(this.#pieces.shift()!.bytes);
    this.start = 0;
    this.end = this.bytes.length;
    this.last = this.#lastKnown && this.#pieces.length === 0;
  }
}
