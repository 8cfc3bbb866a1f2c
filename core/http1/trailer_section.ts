/**
 * The trailer section of a chunked body: held to the rules of fields, then
 * dropped, since whoever merges trailers into a head can be made to believe
 * anything (RFC 9110 §6.5.1).
 *
 * @module
 */
import { COLON, CR, FIELD_VALUE, LF, TOKEN } from "./chars.ts";
import { type HeadCodes, refuseByte, refuseSize } from "./head_errors.ts";

/** What a trailer section may have. */
export interface TrailerLimits {
  /** Bytes, the empty line included. */
  readonly headerBytes: number;
  /** Fields. */
  readonly headers: number;
}

// What comes next.
const LINE = 0;
const NAME = 1;
const VALUE = 2;
const VALUE_LF = 3;
const LAST_LF = 4;

/** Reads the section wherever it is split. */
export class TrailerSection {
  readonly #limits: TrailerLimits;
  readonly #codes: HeadCodes;
  #state = LINE;
  #length = 0;
  #count = 0;

  /** Failures are called by `codes`. */
  constructor(limits: TrailerLimits, codes: HeadCodes) {
    this.#limits = limits;
    this.#codes = codes;
  }

  /** Goes on at `start` and returns the offset behind the section, or -1 where `end` comes first. Throws a ProxyError. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      if (++this.#length > this.#limits.headerBytes) {
        refuseSize(this.#codes, this.#limits.headerBytes, "bytes of trailers");
      }
      const byte = bytes[at]!;
      if (this.#state === LAST_LF && byte === LF) return at + 1;
      this.#state = this.#nextState(byte);
    }
    return -1;
  }

  #nextState(byte: number): number {
    switch (this.#state) {
      case LINE:
        if (byte === CR) return LAST_LF;
        if (TOKEN[byte] === 0) break;
        if (++this.#count > this.#limits.headers) {
          refuseSize(this.#codes, this.#limits.headers, "trailers");
        }
        return NAME;
      case NAME:
        if (TOKEN[byte] !== 0) return NAME;
        if (byte === COLON) return VALUE;
        break;
      case VALUE:
        if (FIELD_VALUE[byte] !== 0) return VALUE;
        if (byte === CR) return VALUE_LF;
        break;
      case VALUE_LF:
        if (byte === LF) return LINE;
        break;
    }
    return refuseByte(this.#codes, byte, "a trailer has an illegal byte");
  }
}
