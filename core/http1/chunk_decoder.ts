/**
 * Takes the chunks off a body (RFC 9112 §7.1), strictly: what two decoders
 * read differently is how requests are smuggled.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { ListFields } from "../message/list_fields.ts";
import { CR, LF } from "./chars.ts";
import { ChunkLine } from "./chunk_line.ts";
import { REQUEST, RESPONSE } from "./head_errors.ts";
import { type TrailerLimits, TrailerSection } from "./trailer_section.ts";

// What comes next.
const LINE = 0;
const DATA = 1;
const DATA_CR = 2;
const DATA_LF = 3;
const TRAILERS = 4;
const DONE = 5;

/** Up to here a loop moves bytes faster than a call out of JavaScript (measured). */
const SHORT = 24;

/** Decodes one body, wherever it is split, in work that is linear in its bytes. */
export class ChunkDecoder {
  /** Where the data of the last window starts. */
  dataStart = 0;
  /** Where it ends: nothing lies between where both are equal. */
  dataEnd = 0;
  /** Bytes of the chunk at hand that are still to come. */
  remaining = 0;
  /** Takes the trailers that may be sent on; undefined where all are dropped. */
  readonly trailers: ListFields | undefined;
  readonly #code: "bad_request" | "bad_response";
  readonly #limits: TrailerLimits;
  readonly #line: ChunkLine;
  #section: TrailerSection | undefined;
  #state = LINE;

  /** Failures get `code`; `limits` bound the trailers, `trailers` keeps them. */
  constructor(
    code: "bad_request" | "bad_response",
    limits: TrailerLimits,
    trailers?: ListFields,
  ) {
    this.#code = code;
    this.#limits = limits;
    this.trailers = trailers;
    this.#line = new ChunkLine(code);
  }

  /** Whether the body and its trailers are complete. */
  get done(): boolean {
    return this.#state === DONE;
  }

  /**
   * Decodes the window from `start` to `end`, which follows the last one, and
   * returns how far it goes: to `end`, or to where the body ends. The data of
   * all its chunks is moved together in place: `dataStart` to `dataEnd`.
   *
   * Throws a ProxyError; then no byte of the window is to be used.
   */
  decode(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    let dataStart = start;
    let dataEnd = start;
    while (at < end && this.#state !== DONE) {
      if (this.#state === DATA) {
        const length = Math.min(this.remaining, end - at);
        if (dataEnd === dataStart) dataStart = dataEnd = at;
        else move(bytes, dataEnd, at, length);
        dataEnd += length;
        at += length;
        this.remaining -= length;
        if (this.remaining === 0) this.#state = DATA_CR;
      } else {
        at = this.#frame(bytes, at, end);
      }
    }
    this.dataStart = dataStart;
    this.dataEnd = dataEnd;
    return at;
  }

  /** Reads what is not data and returns how far that goes, `end` at most. */
  #frame(bytes: Uint8Array, at: number, end: number): number {
    switch (this.#state) {
      case DATA_CR:
        if (bytes[at] !== CR) this.#refuseEnd();
        this.#state = DATA_LF;
        return at + 1;
      case DATA_LF:
        if (bytes[at] !== LF) this.#refuseEnd();
        this.#line.begin();
        this.#state = LINE;
        return at + 1;
      case LINE: {
        const behind = this.#line.scan(bytes, at, end);
        if (behind < 0) return end;
        this.remaining = this.#line.size;
        this.#state = this.remaining > 0 ? DATA : TRAILERS;
        return behind;
      }
      default: {
        this.#section ??= new TrailerSection(
          this.#limits,
          this.#code === "bad_request" ? REQUEST : RESPONSE,
          this.trailers,
        );
        const behind = this.#section.scan(bytes, at, end);
        if (behind < 0) return end;
        this.#state = DONE;
        return behind;
      }
    }
  }

  #refuseEnd(): never {
    throw new ProxyError(
      this.#code,
      "Cannot parse chunk as its data is not followed by CRLF",
    );
  }
}

function move(bytes: Uint8Array, to: number, from: number, length: number) {
  if (length > SHORT) {
    bytes.copyWithin(to, from, from + length);
    return;
  }
  for (let i = 0; i < length; i++) bytes[to + i] = bytes[from + i]!;
}
