/**
 * The journal of a shard: what came and what went, in batches that count whole
 * or not at all. Read once at the start, and for purges by prefix and tag.
 *
 * A batch that a killed process did not finish is the file's end and shorter
 * than it says: it is cut off. A batch that is there and wrong means that what
 * was forgotten behind it might come back: then the shard is given up whole.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { textKey } from "../cache/text_key.ts";
import { FORMAT } from "./disk_record.ts";

const MAGIC = 0x48_52_4a_4c;
const BATCH = 0x48_52_4a_42;
/** Bytes of the file's head. */
export const JOURNAL_HEAD = 16;
const BATCH_HEAD = 16;

const PUT = 1;
const DROP = 2;
const CLEAR = 3;
const PUT_FIXED = 51;
const DROP_SIZE = 21;

/** What came; numbers as {@linkcode JournalReader} gives them. */
export interface PutLine {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
  readonly hash: number;
  readonly check: number;
  readonly body: { readonly id: number; readonly size: number } | undefined;
  readonly tags: readonly string[];
  readonly key: string;
}

/** What went. */
export interface DropLine {
  readonly segment: number;
  readonly offset: number;
  readonly hash: number;
}

/** The head of a new journal. */
export function journalHead(): Uint8Array {
  const head = new Uint8Array(JOURNAL_HEAD);
  const view = new DataView(head.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, FORMAT);
  view.setUint32(8, crc32(head.subarray(0, 8)));
  return head;
}

/** Makes a batch. */
export class BatchWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #at = BATCH_HEAD;
  /** Lines so far. */
  lines = 0;

  put(line: PutLine): void {
    const key = encoder.encode(line.key);
    const { tags } = line;
    this.#room(PUT_FIXED + 8 * tags.length + key.length);
    const view = this.#view;
    const at = this.#at;
    view.setUint8(at, PUT);
    // A head with more tags than this counts is none that a listener takes.
    view.setUint16(at + 1, tags.length);
    view.setUint32(at + 3, key.length);
    view.setFloat64(at + 7, line.segment);
    view.setUint32(at + 15, line.offset);
    view.setUint32(at + 19, line.length);
    view.setFloat64(at + 23, line.hash);
    view.setUint32(at + 31, line.check);
    view.setFloat64(at + 35, line.body?.id ?? 0);
    view.setFloat64(at + 43, line.body?.size ?? 0);
    let end = at + PUT_FIXED;
    for (const tag of tags) {
      view.setFloat64(end, textKey(tag));
      end += 8;
    }
    this.#bytes.set(key, end);
    this.#at = end + key.length;
    this.lines++;
  }

  drop({ segment, offset, hash }: DropLine): void {
    this.#room(DROP_SIZE);
    this.#view.setUint8(this.#at, DROP);
    this.#view.setFloat64(this.#at + 1, segment);
    this.#view.setUint32(this.#at + 9, offset);
    this.#view.setFloat64(this.#at + 13, hash);
    this.#at += DROP_SIZE;
    this.lines++;
  }

  clear(): void {
    this.#room(1);
    this.#view.setUint8(this.#at++, CLEAR);
    this.lines++;
  }

  /** A line as it stands in another journal. */
  copy(line: Uint8Array): void {
    this.#room(line.length);
    this.#bytes.set(line, this.#at);
    this.#at += line.length;
    this.lines++;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#at;
  }

  /** The batch, complete. */
  seal(): Uint8Array {
    const view = this.#view;
    const payload = this.#bytes.subarray(BATCH_HEAD, this.#at);
    view.setUint32(0, BATCH);
    view.setUint32(4, payload.length);
    view.setUint32(8, crc32(payload));
    view.setUint32(12, crc32(this.#bytes.subarray(0, 12)));
    return this.#bytes.subarray(0, this.#at);
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(
      Math.max(this.#bytes.length * 2, this.#at + bytes),
    );
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** What a journal is worth. */
export type JournalState =
  /** Whole, up to so many bytes: what follows was never finished. */
  | { readonly kind: "whole"; readonly length: number }
  /** Of another format. */
  | { readonly kind: "foreign" }
  /** Not as it was written. */
  | { readonly kind: "damaged" };

/** What a reader is told of, in order. The line's numbers are read from `line` only as they are asked for. */
export interface JournalVisitor {
  put(line: PutView): void;
  drop(line: DropLine): void;
  clear(): void;
}

/** A put line in a journal's bytes; valid during the visit only. */
export class PutView {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength,
    );
  }

  /** Looks at the line there. */
  moveTo(at: number): void {
    this.#at = at;
  }

  get size(): number {
    return PUT_FIXED + 8 * this.#tags + this.#keyLength;
  }

  get segment(): number {
    return this.#view.getFloat64(this.#at + 7);
  }

  get offset(): number {
    return this.#view.getUint32(this.#at + 15);
  }

  get length(): number {
    return this.#view.getUint32(this.#at + 19);
  }

  get hash(): number {
    return this.#view.getFloat64(this.#at + 23);
  }

  get check(): number {
    return this.#view.getUint32(this.#at + 31);
  }

  /** The number of its body's file; 0 where it has none. */
  get bodyId(): number {
    return this.#view.getFloat64(this.#at + 35);
  }

  get bodySize(): number {
    return this.#view.getFloat64(this.#at + 43);
  }

  get line(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + this.size);
  }

  /** Whether it has a tag, as `textKey` has it. */
  hasTag(tag: number): boolean {
    for (let i = 0; i < this.#tags; i++) {
      if (this.#view.getFloat64(this.#at + PUT_FIXED + 8 * i) === tag) {
        return true;
      }
    }
    return false;
  }

  /** Whether its key begins so. */
  hasPrefix(prefix: Uint8Array): boolean {
    if (this.#keyLength < prefix.length) return false;
    const key = this.#at + PUT_FIXED + 8 * this.#tags;
    for (let i = 0; i < prefix.length; i++) {
      if (this.#bytes[key + i] !== prefix[i]) return false;
    }
    return true;
  }

  get #tags(): number {
    return this.#view.getUint16(this.#at + 1);
  }

  get #keyLength(): number {
    return this.#view.getUint32(this.#at + 3);
  }
}

/** Reads a journal; tells the visitor of all that counts. */
export function readJournal(
  bytes: Uint8Array,
  visitor: JournalVisitor,
): JournalState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < JOURNAL_HEAD) return { kind: "whole", length: 0 };
  if (
    view.getUint32(0) !== MAGIC ||
    view.getUint32(8) !== crc32(bytes.subarray(0, 8))
  ) return { kind: "damaged" };
  if (view.getUint32(4) !== FORMAT) return { kind: "foreign" };
  const put = new PutView(bytes);
  let at = JOURNAL_HEAD;
  while (at + BATCH_HEAD <= bytes.length) {
    const payload = view.getUint32(at + 4);
    if (
      view.getUint32(at) !== BATCH ||
      view.getUint32(at + 12) !== crc32(bytes.subarray(at, at + 12))
    ) return endOr(bytes, at);
    const start = at + BATCH_HEAD;
    if (start + payload > bytes.length) break;
    if (
      view.getUint32(at + 8) !== crc32(bytes.subarray(start, start + payload))
    ) return endOr(bytes, at);
    readBatch(view, put, start, start + payload, visitor);
    at = start + payload;
  }
  return { kind: "whole", length: at };
}

/** After a loss of power a file may be longer than what was written: zeros then follow. */
function endOr(bytes: Uint8Array, at: number): JournalState {
  return bytes.subarray(at).every((byte) => byte === 0)
    ? { kind: "whole", length: at }
    : { kind: "damaged" };
}

function readBatch(
  view: DataView,
  put: PutView,
  start: number,
  end: number,
  visitor: JournalVisitor,
): void {
  let at = start;
  while (at < end) {
    switch (view.getUint8(at)) {
      case PUT:
        put.moveTo(at);
        visitor.put(put);
        at += put.size;
        break;
      case DROP:
        visitor.drop({
          segment: view.getFloat64(at + 1),
          offset: view.getUint32(at + 9),
          hash: view.getFloat64(at + 13),
        });
        at += DROP_SIZE;
        break;
      default:
        visitor.clear();
        at++;
    }
  }
}

const encoder = new TextEncoder();
