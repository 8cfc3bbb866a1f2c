/**
 * Where everything of a head lies in its bytes, and how far it was looked at.
 *
 * @module
 */

import type { KnownMask } from "./known_fields.ts";
import { wordsOf } from "./skip_value.ts";

const NO_WORDS = new Int32Array(0);

/** Numbers per field in {@linkcode HeadIndex.ranges}. */
export const STRIDE = 6;

/** Fields for which there is room from the beginning: most heads have fewer, and each connection has an index. */
export const FIRST_FIELDS = 24;
export const NAME_START = 0;
export const NAME_END = 1;
/** Without the whitespace around it. */
export const VALUE_START = 2;
export const VALUE_END = 3;
/** Its number in `known_fields.ts`. */
export const KNOWN = 4;
export const FLAGS = 5;

/** It can be read but is not written on: it belongs to one connection. */
export const HOP_BY_HOP = 1;
/** It is neither read nor written on: its Connection field names it. */
export const HIDDEN = 2;
/** Its line can't be copied as it is: odd whitespace, or the value lies elsewhere. */
export const REWRITTEN = 4;

// How far a head was looked at.
export const AT_START = 0;
export const IN_METHOD = 1;
export const IN_TARGET = 2;
export const IN_VERSION = 3;
export const IN_REASON = 4;
export const AT_REASON_LF = 5;
/** From here on the start line is behind. */
export const AT_LINE = 6;
export const IN_NAME = 7;
export const BEFORE_VALUE = 8;
export const IN_VALUE = 9;
export const AT_VALUE_LF = 10;
export const AT_LAST_LF = 11;
export const COMPLETE = 12;

// How a target came.
/** Path and query, or `*`, stand in the bytes. */
export const ORIGIN_FORM = 0;
/** The path is empty: `/` and the bytes (perhaps a query, perhaps none). */
export const EMPTY_PATH = 1;
/** An absolute form without path and query of OPTIONS: it means `*`. */
export const ASTERISK_FORM = 2;

/**
 * The index of one head at a time: reusable scratch that a parser fills and
 * that the head and its fields read until it is reset. Parsing resumes where
 * the bytes ended, so that a head that comes one byte at a time costs no more
 * than one that comes at once (slowloris).
 */
export class HeadIndex {
  /** Most fields that it can hold. */
  readonly capacity: number;
  /** {@linkcode STRIDE} numbers for each field, as far as there is room. */
  ranges: Int32Array;
  /**
   * What values said when somebody last asked, by their place in the head, and
   * method and target: the requests of a connection are much alike.
   */
  values: (string | undefined)[] | undefined;
  method: string | undefined;
  target: string | undefined;
  /** Fields found so far. */
  count = 0;
  /** Changes whenever the bytes behind it may change: views of an older one are dead. */
  generation = 0;

  /** How far the head was looked at. */
  phase = AT_START;
  /** The first byte that was not looked at. */
  at = 0;
  /** Where the head starts. */
  origin = 0;

  /** Fields that are there, by number below 32, then by the rest. */
  present = 0;
  presentMore = 0;
  /** Fields below 32 that are there twice or more. */
  repeated = 0;

  /** There is a name that CGI takes for one with a number. */
  lookalikes = false;

  // The request line.
  methodStart = 0;
  methodEnd = 0;
  /** Without scheme and authority of an absolute form. */
  targetStart = 0;
  targetEnd = 0;
  targetForm = ORIGIN_FORM;
  /** The authority of an absolute form; both 0 where it is none. */
  authorityStart = 0;
  authorityEnd = 0;

  // The status line.
  status = 0;
  reasonStart = 0;
  reasonEnd = 0;

  /** Where the version starts. */
  versionStart = 0;
  /** 0 or 1: a higher one counts as 1 (RFC 9110 §2.5). */
  minor = 0;

  /** The start of the empty line that ends the fields. */
  fieldsEnd = 0;
  /** What Content-Length says, -1 where there is none. */
  contentLength = -1;
  chunked = false;
  /** A Connection field says close. */
  close = false;
  /** A Connection field says keep-alive. */
  keepAlive = false;
  /** A Connection field says upgrade. */
  upgrading = false;
  /** The protocol to switch to; both 0 where there is none. */
  upgradeStart = 0;
  upgradeEnd = 0;
  expectsContinue = false;

  #bytes: Uint8Array | undefined;
  #words: Int32Array = NO_WORDS;

  /** For so many fields. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.ranges = new Int32Array(Math.min(capacity, FIRST_FIELDS) * STRIDE);
  }

  /** Makes room for more fields, up to its capacity; the new {@linkcode ranges}. */
  grow(): Int32Array {
    const fields = this.ranges.length / STRIDE;
    const more = new Int32Array(Math.min(this.capacity, 2 * fields) * STRIDE);
    more.set(this.ranges);
    return this.ranges = more;
  }

  /** Forgets the head, for another one; views of it are dead from here on. */
  reset(): void {
    this.generation++;
    this.count = 0;
    this.phase = AT_START;
    this.present = 0;
    this.presentMore = 0;
    this.repeated = 0;
    this.lookalikes = false;
    this.targetForm = ORIGIN_FORM;
    this.authorityStart = 0;
    this.authorityEnd = 0;
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.upgrading = false;
    this.upgradeStart = 0;
    this.upgradeEnd = 0;
    this.expectsContinue = false;
  }

  /** Ends the life of every view of the head. */
  invalidate(): void {
    this.generation++;
  }

  /** The words of `bytes`, made once for the buffer in use. */
  wordsOf(bytes: Uint8Array): Int32Array {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#words = wordsOf(bytes);
    }
    return this.#words;
  }

  /** Holds no other buffer than the one in use. */
  leave(bytes: Uint8Array): void {
    if (bytes !== this.#bytes) this.#leave();
  }

  #leave(): void {
    this.#bytes = undefined;
    this.#words = NO_WORDS;
  }

  /** Holds nothing of the heads so far, which are nobody else's business; views of them are dead. */
  forget(): void {
    this.invalidate();
    this.#leave();
    this.values = undefined;
    this.target = undefined;
  }

  /** Whether a byte of the head was seen. */
  get started(): boolean {
    return this.phase !== AT_START;
  }

  /** Whether the head has a field with this number. */
  has(known: number): boolean {
    // Shifts count modulo 32.
    const bits = known < 32 ? this.present : this.presentMore;
    return (bits >>> known & 1) !== 0;
  }

  /** Whether the head has a field with any of these numbers. */
  hasAny({ low, high }: KnownMask): boolean {
    return ((this.present & low) | (this.presentMore & high)) !== 0;
  }

  /** Whether it has a field with this number, below 32, twice or more. */
  hasSeveral(known: number): boolean {
    return (this.repeated >>> known & 1) !== 0;
  }

  /** The first field with this number from the field `from` on, hidden ones too; -1 where there is none. */
  find(known: number, from = 0): number {
    for (let field = from; field < this.count; field++) {
      if (this.ranges[field * STRIDE + KNOWN] === known) return field;
    }
    return -1;
  }

  /** Where the line of a field ends, behind its CRLF. */
  lineEnd(field: number): number {
    return field + 1 < this.count
      ? this.ranges[(field + 1) * STRIDE + NAME_START]!
      : this.fieldsEnd;
  }

  /**
   * Prepares a parser's next look. The bytes may have moved to another start in
   * the meantime (a buffer compacted or replaced), if they are the same.
   */
  resume(start: number): void {
    if (this.phase === COMPLETE) {
      throw new Error("Cannot parse a head as the index holds another one");
    }
    if (this.phase === AT_START) {
      this.origin = this.at = start;
    } else if (start !== this.origin) {
      this.#shift(start - this.origin);
    }
  }

  /**
   * A copy for good of a complete head, as if it lay at offset 0: it outlives
   * the bytes and this index.
   */
  detach(): HeadIndex {
    const copy = new HeadIndex(this.count);
    const { capacity } = copy;
    const ranges = this.ranges.slice(0, this.count * STRIDE);
    Object.assign(copy, this, { capacity, ranges, values: undefined });
    const by = -this.origin;
    copy.#shift(by);
    copy.fieldsEnd += by;
    if (copy.authorityEnd > 0) {
      copy.authorityStart += by;
      copy.authorityEnd += by;
    }
    if (copy.upgradeEnd > 0) {
      copy.upgradeStart += by;
      copy.upgradeEnd += by;
    }
    return copy;
  }

  #shift(by: number): void {
    this.origin += by;
    this.at += by;
    this.methodStart += by;
    this.methodEnd += by;
    this.targetStart += by;
    this.targetEnd += by;
    this.reasonStart += by;
    this.reasonEnd += by;
    this.versionStart += by;
    // One more than complete ones: the one that is under way.
    const fields = Math.min(this.count + 1, this.ranges.length / STRIDE);
    for (let field = 0; field < fields; field++) {
      const record = field * STRIDE;
      for (let column = NAME_START; column <= VALUE_END; column++) {
        this.ranges[record + column]! += by;
      }
    }
  }
}

/** In place of the index of a connection on which no head comes any more: that one's memory is let go. */
export const NO_INDEX: HeadIndex = new HeadIndex(0);
