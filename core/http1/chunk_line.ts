/**
 * The line before a chunk's data: its size and its extensions (RFC 9112 §7.1).
 *
 * @module
 */
import { type FailureCode, ProxyError } from "../errors.ts";
import {
  BACKSLASH,
  CR,
  EQUALS,
  FIELD_VALUE,
  HEX,
  HTAB,
  LF,
  QUOTE,
  QUOTED_TEXT,
  SEMICOLON,
  SP,
  TOKEN,
} from "./chars.ts";

/** Up to 2^52-1: a number holds more than that exactly, no body is as long. */
const MAX_DIGITS = 13;
/** Bytes of one line. */
const MAX_LINE = 1024;
/** Bytes of extensions in one body: nobody uses them but to keep us busy. */
const MAX_EXTENSIONS = 16 << 10;

// What comes next.
const SIZE = 0;
/** Whitespace that only `;` may follow. */
const SEMICOLON_ONLY = 1;
/** An extension's name, perhaps after whitespace. */
const NAME_START = 2;
const NAME = 3;
/** Whitespace that only `=` or `;` may follow. */
const AFTER_NAME = 4;
const VALUE_START = 5;
const VALUE = 6;
const QUOTED = 7;
const QUOTED_PAIR = 8;
const AFTER_QUOTED = 9;
const END = 10;

/** Reads one line after another, each wherever it is split. */
export class ChunkLine {
  /** The size that the last complete line says, in bytes. */
  size = 0;
  readonly #code: FailureCode;
  #state = SIZE;
  #digits = 0;
  #length = 0;
  #extensions = 0;

  /** Failures get `code`. */
  constructor(code: FailureCode) {
    this.#code = code;
  }

  /** Makes ready for the next line. */
  begin(): void {
    this.size = 0;
    this.#state = SIZE;
    this.#digits = 0;
    this.#length = 0;
  }

  /** Goes on at `start` and returns the offset behind the line, or -1 where `end` comes first. Throws a ProxyError. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      if (++this.#length > MAX_LINE) {
        this.#refuse(`its size line is longer than ${MAX_LINE} bytes`);
      }
      if (this.#state === SIZE) {
        const digit = HEX[byte]!;
        if (digit < 0) {
          this.#endSize(byte);
        } else {
          if (++this.#digits > MAX_DIGITS) {
            this.#refuse(`its size has more than ${MAX_DIGITS} digits`);
          }
          this.size = this.size * 16 + digit;
        }
      } else if (this.#state === END) {
        if (byte !== LF) this.#refuseByte(byte);
        return at + 1;
      } else {
        if (++this.#extensions > MAX_EXTENSIONS) {
          this.#refuse(`its extensions exceed ${MAX_EXTENSIONS} bytes`);
        }
        this.#state = this.#nextState(byte);
      }
    }
    return -1;
  }

  #endSize(byte: number): void {
    if (this.#digits === 0) this.#refuseByte(byte);
    this.#state = this.#endItem(byte);
  }

  /** After a size or a value: another extension or the line's end. */
  #endItem(byte: number): number {
    if (byte === CR) return END;
    if (byte === SEMICOLON) return NAME_START;
    if (byte === SP || byte === HTAB) return SEMICOLON_ONLY;
    return this.#refuseByte(byte);
  }

  #nextState(byte: number): number {
    const space = byte === SP || byte === HTAB;
    switch (this.#state) {
      case SEMICOLON_ONLY:
        if (space) return SEMICOLON_ONLY;
        if (byte === SEMICOLON) return NAME_START;
        break;
      case NAME_START:
        if (space) return NAME_START;
        if (TOKEN[byte] !== 0) return NAME;
        break;
      case NAME:
        if (TOKEN[byte] !== 0) return NAME;
        if (byte === EQUALS) return VALUE_START;
        if (space) return AFTER_NAME;
        return this.#endItem(byte);
      case AFTER_NAME:
        if (space) return AFTER_NAME;
        if (byte === EQUALS) return VALUE_START;
        if (byte === SEMICOLON) return NAME_START;
        break;
      case VALUE_START:
        if (space) return VALUE_START;
        if (byte === QUOTE) return QUOTED;
        if (TOKEN[byte] !== 0) return VALUE;
        break;
      case VALUE:
        return TOKEN[byte] !== 0 ? VALUE : this.#endItem(byte);
      case QUOTED:
        if (byte === QUOTE) return AFTER_QUOTED;
        if (byte === BACKSLASH) return QUOTED_PAIR;
        if (QUOTED_TEXT[byte] !== 0) return QUOTED;
        break;
      case QUOTED_PAIR:
        if (FIELD_VALUE[byte] !== 0) return QUOTED;
        break;
      case AFTER_QUOTED:
        return this.#endItem(byte);
    }
    return this.#refuseByte(byte);
  }

  #refuseByte(byte: number): never {
    const hex = byte.toString(16).padStart(2, "0");
    this.#refuse(`its size line has an illegal byte: current byte is 0x${hex}`);
  }

  #refuse(reason: string): never {
    throw new ProxyError(this.#code, `Cannot parse chunk as ${reason}`);
  }
}
