/**
 * A body that comes from another worker, as fast as it is read.
 *
 * @module
 */
import type { ClientReader } from "../cache/fill.ts";
import type { ProxyError } from "../errors.ts";
import { STREAM_WINDOW } from "./protocol.ts";
import { drop, type Piece, SLOT } from "./slab.ts";

/** What a body does to where it comes from. */
export interface InflowSource {
  /** So many bytes more were read. */
  more(count: number): void;
  /** Nobody reads the rest. */
  stop(): void;
}

/** Bytes that are read before the source is told of them. */
const TOLD = STREAM_WINDOW / 4;

/** A body; whoever gets its messages calls `take`, `finish` and `fail`. */
export class Inflow implements ClientReader {
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;
  last = false;
  // What lies around a piece is nobody's: each came in a buffer of its own.
  readonly headroom = 0;
  readonly tailroom = 0;
  readonly #source: InflowSource;
  #pieces: Piece[] = [];
  /** Where pieces are copied to that come in slots: one at a time. */
  #own: Uint8Array | undefined;
  /** Bytes that were read and not told of yet. */
  #read = 0;
  /** All has come. */
  #whole = false;
  #error: ProxyError | undefined;
  /** Its client is gone. */
  #given = false;
  #wake: (() => void) | undefined;

  constructor(source: InflowSource) {
    this.#source = source;
  }

  /** Bytes that came. */
  take(pieces: readonly Piece[], last: boolean): void {
    if (this.last || this.#given) return drop(pieces);
    this.#pieces.push(...pieces);
    this.#whole ||= last;
    this.#signal();
  }

  /** All has come. */
  finish(): void {
    this.#whole = true;
    this.#signal();
  }

  /** It breaks off: who reads it gets what has come, and then this. */
  fail(error: ProxyError): void {
    if (this.#whole) return;
    this.#error ??= error;
    this.#signal();
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  advance(): boolean {
    const piece = this.last ? undefined : this.#pieces.shift();
    if (piece === undefined) {
      if (!this.last && !this.#whole) return false;
      this.last = true;
      this.start = this.end = 0;
      return true;
    }
    this.#show(piece);
    this.last = this.#whole && this.#pieces.length === 0;
    this.#read += piece.length;
    if (this.#read >= TOLD && !this.#whole) {
      this.#source.more(this.#read);
      this.#read = 0;
    }
    return true;
  }

  #show(piece: Piece): void {
    this.start = 0;
    this.end = piece.length;
    if (!("slot" in piece)) {
      this.bytes = piece;
      return;
    }
    this.#own ??= new Uint8Array(SLOT);
    piece.slab!.unpack(piece, this.#own);
    this.bytes = this.#own;
  }

  #drop(): void {
    drop(this.#pieces);
    this.#pieces = [];
  }

  async next(): Promise<boolean> {
    for (;;) {
      if (this.last) return false;
      if (this.advance()) return this.end > this.start;
      if (this.#error !== undefined) {
        this.last = true;
        throw this.#error;
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  cancel(): void {
    if (this.last) return;
    this.last = true;
    this.#drop();
    if (!this.#whole && this.#error === undefined) this.#source.stop();
    this.#signal();
  }

  giveUp(reason: ProxyError): void {
    if (this.last) return;
    const ends = !this.#whole && this.#error === undefined;
    this.#drop();
    this.#given = true;
    this.#whole = false;
    this.#error = reason;
    if (ends) this.#source.stop();
    this.#signal();
  }
}

const EMPTY = new Uint8Array(0);
