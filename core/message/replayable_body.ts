/**
 * A request's body whose beginning is kept, so that it can be sent again.
 *
 * @module
 */
import { type BodyReader, HEADROOM, type RequestBody } from "./body.ts";
import { KeptPieces } from "./kept_pieces.ts";
import type { ListFields } from "./list_fields.ts";

const NOTHING = new Uint8Array(HEADROOM);

/**
 * Reads a body while keeping a copy of at most `bound` bytes of it; longer ones
 * pass through uncopied from there on and can't be read again.
 */
export class ReplayableBody implements BodyReader {
  readonly #source: RequestBody;
  readonly #bound: number;
  /** What was read so far; undefined once it was more than may be kept. */
  #kept: KeptPieces | undefined = new KeptPieces();
  #size = 0;
  /** How many of its pieces were given. */
  #given = 0;
  /** The copy at hand; undefined where the piece is the source's own. */
  #current: Uint8Array | undefined = NOTHING;

  constructor(source: RequestBody, bound: number) {
    this.#source = source;
    this.#bound = bound;
  }

  /** Whether all that was read so far can be read again. */
  get replayable(): boolean {
    return this.#kept !== undefined;
  }

  /** Starts over, also after a `cancel`. Throws a `RangeError` where the beginning is not kept. */
  rewind(): void {
    if (this.#kept === undefined) {
      throw new RangeError(
        `Cannot read the body again as it exceeds ${this.#bound} bytes`,
      );
    }
    this.#given = 0;
    this.#current = NOTHING;
    this.#source.resume();
  }

  get bytes(): Uint8Array {
    return this.#current ?? this.#source.bytes;
  }

  get start(): number {
    return this.#current === undefined ? this.#source.start : HEADROOM;
  }

  get end(): number {
    return this.#current?.length ?? this.#source.end;
  }

  get headroom(): number {
    return this.#current === undefined ? this.#source.headroom : HEADROOM;
  }

  get tailroom(): number {
    return this.#current === undefined ? this.#source.tailroom : 0;
  }

  get trailers(): ListFields | undefined {
    return this.#source.trailers;
  }

  get last(): boolean {
    return this.#source.last &&
      (this.#kept === undefined || this.#given === this.#kept.pieces.length);
  }

  advance(): boolean {
    if (this.#giveAgain()) return true;
    if (this.#source.last) {
      this.#current = NOTHING;
      return true;
    }
    if (!this.#source.advance()) return false;
    this.#keep();
    return true;
  }

  async next(): Promise<boolean> {
    if (this.#giveAgain()) return true;
    const more = await this.#source.next();
    if (more) this.#keep();
    else this.#current = NOTHING;
    return more;
  }

  cancel(): void {
    this.#source.cancel();
  }

  #giveAgain(): boolean {
    const copy = this.#kept?.pieces[this.#given];
    if (copy === undefined) return false;
    this.#given++;
    this.#current = copy;
    return true;
  }

  /** The source's piece, copied while that is within the bound. */
  #keep(): void {
    const { bytes, start, end } = this.#source;
    this.#size += end - start;
    this.#current = undefined;
    if (this.#kept === undefined || this.#size > this.#bound) {
      this.#kept = undefined;
      return;
    }
    this.#kept.add(bytes.subarray(start, end));
    this.#given = this.#kept.pieces.length;
  }
}
