/**
 * The trailer section of a chunked body: held to the rules of fields, then
 * dropped, or kept where the recipient wants trailers and for fields that may
 * be some (RFC 9110 §6.5.1).
 *
 * @module
 */
import { checkFieldValue } from "../message/field_rules.ts";
import type { ListFields } from "../message/list_fields.ts";
import { mayBeTrailer } from "../message/trailer_rules.ts";
import { COLON, CR, FIELD_VALUE, LF, TOKEN } from "./chars.ts";
import { type HeadCodes, refuseByte, refuseSize } from "./head_errors.ts";
import { decodeLatin1 } from "./text.ts";

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
  readonly #kept: ListFields | undefined;
  /** What came, where it is kept. */
  #text = "";
  #state = LINE;
  #length = 0;
  #count = 0;

  /** Failures are called by `codes`; fields that may be sent on are added to `kept`. */
  constructor(limits: TrailerLimits, codes: HeadCodes, kept?: ListFields) {
    this.#limits = limits;
    this.#codes = codes;
    this.#kept = kept;
  }

  /** Goes on at `start` and returns the offset behind the section, or -1 where `end` comes first. Throws a ProxyError. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    const behind = this.#scan(bytes, start, end);
    if (this.#kept !== undefined) {
      this.#text += decodeLatin1(bytes, start, behind < 0 ? end : behind);
      if (behind >= 0) keep(this.#text, this.#kept);
    }
    return behind;
  }

  #scan(bytes: Uint8Array, start: number, end: number): number {
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

/** The fields of a section that is known to be well-formed. */
function keep(section: string, kept: ListFields): void {
  for (const line of section.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const name = line.slice(0, colon);
    const lowerName = name.toLowerCase();
    if (!mayBeTrailer(lowerName)) continue;
    kept.add(name, checkFieldValue(lowerName, line.slice(colon + 1)));
  }
}
