/**
 * Bytes in pieces in memory, that several readers read while they grow.
 *
 * @module
 */
import type { BodyReader } from "../message/body.ts";

/** Bytes of a piece: what one write to a socket takes well. */
export const PIECE = 64 << 10;

const LEAST_PIECE = 4 << 10;

/** A growing list of pieces; all but the last are full. */
export class ChunkList {
  readonly #pieces: Uint8Array[] = [];
  /** Where each piece begins. */
  readonly #starts: number[] = [];
  /** Bytes of the last piece that are taken. */
  #room = 0;
  #expected: number | undefined;
  length = 0;

  /** `expected` bytes are to come, where that is known: pieces then fit exactly. */
  constructor(expected?: number) {
    this.#expected = expected;
  }

  /** Copies bytes in. */
  append(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#room === 0) this.#grow(bytes.length - at);
      const piece = this.#pieces.at(-1)!;
      const count = Math.min(this.#room, bytes.length - at);
      piece.set(bytes.subarray(at, at + count), piece.length - this.#room);
      this.#room -= count;
      this.length += count;
      at += count;
    }
  }

  #grow(wanted: number): void {
    const left = this.#expected === undefined
      ? Math.max(wanted, this.length, LEAST_PIECE)
      : this.#expected - this.length;
    const size = Math.max(1, Math.min(PIECE, left));
    this.#pieces.push(new Uint8Array(size));
    this.#starts.push(this.length);
    this.#room = size;
  }

  /** Bytes that it takes in memory. */
  get allocated(): number {
    return this.length + this.#room;
  }

  /** Gives back what the last piece has too much. */
  trim(): void {
    if (this.#room === 0) return;
    const last = this.#pieces.pop()!;
    this.#pieces.push(last.slice(0, last.length - this.#room));
    this.#room = 0;
  }

  /** Reads from `start` to before `end`, at most what is there. */
  read(start: number, end: number): BodyReader {
    return new ChunkReader(
      this.#pieces,
      this.#starts,
      start,
      Math.min(end, this.length),
    );
  }
}

/** Reads pieces that are all at hand. */
class ChunkReader implements BodyReader {
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;
  last = false;
  // The pieces are many readers': none of them writes to them.
  readonly headroom = 0;
  readonly tailroom = 0;
  readonly #pieces: readonly Uint8Array[];
  readonly #starts: readonly number[];
  readonly #end: number;
  #at: number;
  #piece: number;

  constructor(
    pieces: readonly Uint8Array[],
    starts: readonly number[],
    start: number,
    end: number,
  ) {
    this.#pieces = pieces;
    this.#starts = starts;
    this.#at = start;
    this.#end = end;
    this.#piece = start === 0 ? 0 : pieceAt(starts, start);
  }

  advance(): boolean {
    if (this.last) return true;
    if (this.#at >= this.#end) {
      this.bytes = EMPTY;
      this.start = this.end = 0;
      this.last = true;
      return true;
    }
    const piece = this.#pieces[this.#piece]!;
    const from = this.#starts[this.#piece]!;
    this.bytes = piece;
    this.start = this.#at - from;
    this.end = Math.min(piece.length, this.#end - from);
    this.#at = from + this.end;
    this.#piece++;
    this.last = this.#at >= this.#end;
    return true;
  }

  next(): Promise<boolean> {
    if (this.last) return NO;
    this.advance();
    return this.end > this.start ? YES : NO;
  }

  cancel(): void {
    this.last = true;
  }
}

/** The piece that the byte lies in. */
function pieceAt(starts: readonly number[], at: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

const YES = Promise.resolve(true);
const NO = Promise.resolve(false);
const EMPTY = new Uint8Array(0);
