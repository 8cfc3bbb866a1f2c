/**
 * One body for two readers: the client that waits for it and the store that
 * keeps it.
 *
 * Each piece is copied once, whoever reads first. The one that is ahead waits
 * where the other is too far behind, so that memory stays bounded; the one that
 * leaves holds nobody up.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import { type BodyReader, HEADROOM } from "./body.ts";
import type { ListFields } from "./list_fields.ts";

/** How far two readers of a body may be apart. */
export interface TeeOptions {
  /** Bytes that one may be behind the other before that one waits; the last piece may exceed them. */
  readonly bound: number;
  /** Milliseconds that the client waits for a store that takes nothing; then the store's reader fails, and the client goes on. */
  readonly patience: number;
  readonly deadlines: Deadlines;
}

/** The two readers of a body. */
export interface Tee {
  readonly client: BodyReader;
  readonly store: BodyReader;
}

const EMPTY = new Uint8Array(HEADROOM);

/**
 * Has a body read by two. A reader that is cancelled leaves the whole to the
 * other one; the source is cancelled when both are. A failure of the source is
 * both readers', behind what came before it.
 */
export function teeBody(source: BodyReader, options: TeeOptions): Tee {
  const shared = new SharedBody(source, options);
  return { client: shared.client, store: shared.store };
}

/** The source, and what each reader has not had yet. */
class SharedBody implements Expiring {
  place = NOWHERE;
  readonly client = new Branch(this);
  readonly store = new Branch(this);
  deadline = Infinity;
  trailers: ListFields | undefined;
  ended = false;
  error: ProxyError | undefined;
  readonly #source: BodyReader;
  readonly #options: TeeOptions;
  #pulling: Promise<void> | undefined;

  constructor(source: BodyReader, options: TeeOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** Takes a piece that is at hand; false where none is, or the other reader is to come first. */
  advance(reader: Branch): boolean {
    if (this.#pulling !== undefined || this.#isAhead(reader)) return false;
    try {
      if (!this.#source.advance()) return false;
    } catch (thrown) {
      throw this.#fail(thrown);
    }
    this.#take();
    return true;
  }

  /** Waits for a piece, or for the reader that is behind. */
  more(reader: Branch): Promise<void> {
    if (this.#isAhead(reader)) return this.#waitFor(this.#other(reader));
    if (this.advance(reader)) return Promise.resolve();
    return this.#pulling ??= this.#pull();
  }

  async #pull(): Promise<void> {
    try {
      await this.#source.next();
      this.#take();
    } catch (thrown) {
      this.#fail(thrown);
    } finally {
      this.#pulling = undefined;
    }
  }

  #take(): void {
    const { bytes, start, end, last } = this.#source;
    if (end > start) {
      // Each reader's framing writes before the piece, nobody into it.
      const piece = new Uint8Array(HEADROOM + end - start);
      piece.set(bytes.subarray(start, end), HEADROOM);
      this.client.add(piece);
      this.store.add(piece);
    }
    if (!last) return;
    this.ended = true;
    this.trailers = this.#source.trailers;
  }

  #fail(thrown: unknown): ProxyError {
    return this.error ??= asProxyError(thrown);
  }

  #other(reader: Branch): Branch {
    return reader === this.client ? this.store : this.client;
  }

  #isAhead(reader: Branch): boolean {
    return this.#other(reader).held >= this.#options.bound;
  }

  /** A slow client has its own time limit; a store that stands still must not hold it up. */
  async #waitFor(behind: Branch): Promise<void> {
    if (behind === this.client) return await behind.moved();
    const { deadlines, patience } = this.#options;
    this.deadline = deadlines.after(patience);
    deadlines.add(this);
    try {
      await behind.moved();
    } finally {
      deadlines.delete(this);
    }
  }

  expire(): void {
    this.store.fail(
      new ProxyError(
        "buffer_failed",
        `The body was not taken for ${this.#options.patience} ms`,
      ),
    );
  }

  /** A reader wants nothing more. */
  left(): void {
    if (this.client.active || this.store.active) return;
    if (!this.#source.last) this.#source.cancel();
  }
}

/** One of the two readers. */
class Branch implements BodyReader {
  bytes: Uint8Array = EMPTY;
  start = HEADROOM;
  end = HEADROOM;
  readonly headroom = HEADROOM;
  readonly tailroom = 0;
  /** Whether it reads on. */
  active = true;
  /** Bytes that it has not had yet. */
  held = 0;
  readonly #shared: SharedBody;
  readonly #pieces: Uint8Array[] = [];
  #error: ProxyError | undefined;
  #moved: PromiseWithResolvers<void> | undefined;

  constructor(shared: SharedBody) {
    this.#shared = shared;
  }

  get last(): boolean {
    if (!this.active) return this.#error === undefined;
    return this.#shared.ended && this.#pieces.length === 0;
  }

  get trailers(): ListFields | undefined {
    return this.#shared.trailers;
  }

  advance(): boolean {
    if (this.#shift() || this.#isOver()) return true;
    if (!this.active || this.#shared.error !== undefined) return false;
    return this.#shared.advance(this) && (this.#shift() || this.#isOver());
  }

  async next(): Promise<boolean> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#shift()) return true;
      if (this.#isOver()) return false;
      if (this.#shared.error !== undefined) throw this.#shared.error;
      await this.#shared.more(this);
    }
  }

  cancel(): void {
    if (!this.active) return;
    this.active = false;
    this.#pieces.length = 0;
    this.held = 0;
    this.#move();
    this.#shared.left();
  }

  /** Ends it: whoever reads it is told. */
  fail(error: ProxyError): void {
    this.#error = error;
    this.cancel();
  }

  /** A piece for it, where it still reads. */
  add(piece: Uint8Array): void {
    if (!this.active) return;
    this.#pieces.push(piece);
    this.held += piece.length - HEADROOM;
  }

  /** Resolves when it has taken a piece or has left. */
  moved(): Promise<void> {
    this.#moved ??= Promise.withResolvers();
    return this.#moved.promise;
  }

  #shift(): boolean {
    const piece = this.#pieces.shift();
    if (piece === undefined) return false;
    this.held -= piece.length - HEADROOM;
    this.#show(piece);
    this.#move();
    return true;
  }

  /** Whether nothing is left, which it then shows. */
  #isOver(): boolean {
    if (!this.last) return false;
    this.#show(EMPTY);
    return true;
  }

  #move(): void {
    this.#moved?.resolve();
    this.#moved = undefined;
  }

  #show(piece: Uint8Array): void {
    this.bytes = piece;
    this.end = piece.length;
  }
}
