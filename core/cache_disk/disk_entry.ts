/**
 * What is stored on disk of one response, as a store gives it.
 *
 * @module
 */
import type { StoredEntry, StoredHead } from "../cache/store.ts";
import type { BodyReader } from "../message/body.ts";
import { BodyFile, PieceReader, sourceOfBody } from "./body_files.ts";
import type { DiskCopy } from "./disk_copy.ts";

/** An entry whose record was read and verified, or is just written. */
export class DiskEntry implements StoredEntry {
  readonly key: string;
  readonly head: StoredHead;
  readonly copy: DiskCopy;
  /** The body, or its file. */
  readonly body: Uint8Array | BodyFile;
  readonly #bad: (copy: DiskCopy) => void;

  /** `bad` is told once a body's file is not as it was written. */
  constructor(
    key: string,
    head: StoredHead,
    copy: DiskCopy,
    body: Uint8Array | BodyFile,
    bad: (copy: DiskCopy) => void,
  ) {
    this.key = key;
    this.head = head;
    this.copy = copy;
    this.body = body;
    this.#bad = bad;
    if (body instanceof BodyFile) body.found();
  }

  get size(): number {
    return this.body instanceof BodyFile ? this.body.size : this.body.length;
  }

  open(start: number, end: number): BodyReader {
    const { body } = this;
    if (body instanceof BodyFile) {
      const source = sourceOfBody(body, () => this.#bad(this.copy));
      return new PieceReader(source, start, Math.min(end, body.size));
    }
    return new InlineReader(body.subarray(start, end));
  }
}

/** Reads what is at hand in one piece. */
class InlineReader implements BodyReader {
  readonly bytes: Uint8Array;
  readonly start = 0;
  end = 0;
  last = false;
  readonly headroom = 0;
  readonly tailroom = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  advance(): boolean {
    this.end = this.last ? 0 : this.bytes.length;
    this.last = true;
    return true;
  }

  next(): Promise<boolean> {
    return Promise.resolve(!this.last && this.advance() && this.end > 0);
  }

  cancel(): void {
    this.last = true;
  }
}
