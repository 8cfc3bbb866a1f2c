/**
 * A response on its way to the disk: in memory while its body may fit a record,
 * from then on piece by piece in a file of its own.
 *
 * @module
 */
import type { StoredEntry, StoredHead, StoreWriter } from "../cache/store.ts";
import type { BodyReader } from "../message/body.ts";
import {
  type BodyFile,
  bodyFileSize,
  type BodyFileWriter,
  PieceReader,
} from "./body_files.ts";
import { MAX_INLINE, PIECE_BYTES, PIECE_CHECKSUM } from "./disk_record.ts";

/** What a writer asks of its store. */
export interface WriterHost {
  /** Bytes that a body may have. */
  readonly most: number;
  /** A file that no other body has. */
  newBody(): BodyFileWriter;
  /** Makes room for bytes on their way in, or gives them back with less than 0; false where there is none. */
  take(bytes: number): boolean;
  /** The disk did not take something. */
  failed(error: unknown): void;
  /** It is whole, but for what is to be written still: a purge must meet it from here on. */
  finishing(head: StoredHead): void;
  /** Stores what was written: in memory, or in a file. */
  commit(
    head: StoredHead,
    body: Uint8Array | BodyFile,
    replaced: readonly StoredEntry[],
    written: () => void,
  ): Promise<StoredEntry | undefined> | undefined;
}

/** Bytes that a buffer begins with where nobody knows how many come. */
const LEAST = 8 << 10;

/** Bytes of a full buffer, with room for a checksum. */
const MOST = PIECE_BYTES + PIECE_CHECKSUM;

/** Writes one. */
export class DiskWriter implements StoreWriter {
  written = 0;
  readonly #host: WriterHost;
  /** The piece that is not in the file yet. */
  #buffer: Uint8Array;
  #filled = 0;
  /** Where the pieces go; there is none in the system before the first. */
  readonly #file: BodyFileWriter;
  #taken = 0;
  #failed = false;
  #ended = false;
  /** Something is being written: the file can't be closed. */
  #busy = false;
  /** The file stays for those who read here, whatever becomes of the entry. */
  #holds = false;

  constructor(host: WriterHost, size: number | undefined) {
    this.#host = host;
    this.#file = host.newBody();
    this.#buffer = new Uint8Array(Math.min(size ?? LEAST, MOST));
  }

  append(bytes: Uint8Array): boolean | Promise<boolean> {
    const { length } = bytes;
    if (
      this.#failed || this.#ended ||
      this.written + length > this.#host.most || !this.#host.take(length)
    ) {
      this.#failed = true;
      return false;
    }
    this.#taken += length;
    if (this.#filled + length <= PIECE_BYTES) {
      this.#fill(bytes);
      this.written += length;
      return true;
    }
    return this.#appendLater(bytes);
  }

  #fill(bytes: Uint8Array): void {
    const wanted = this.#filled + bytes.length;
    if (wanted > this.#buffer.length) {
      this.#grow(Math.min(MOST, Math.max(wanted, 2 * this.#buffer.length)));
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled = wanted;
  }

  #grow(size: number): void {
    const grown = new Uint8Array(size);
    grown.set(this.#buffer.subarray(0, this.#filled));
    this.#buffer = grown;
  }

  async #appendLater(bytes: Uint8Array): Promise<boolean> {
    this.#busy = true;
    try {
      for (let at = 0; at < bytes.length;) {
        if (this.#filled === PIECE_BYTES) await this.#writePiece();
        const count = Math.min(PIECE_BYTES - this.#filled, bytes.length - at);
        this.#fill(bytes.subarray(at, at + count));
        at += count;
      }
      this.written += bytes.length;
      return true;
    } catch (error) {
      this.#failed = true;
      this.#host.failed(error);
      return false;
    } finally {
      this.#busy = false;
      if (this.#ended) this.#letGo();
    }
  }

  async #writePiece(): Promise<void> {
    const needed = this.#filled + PIECE_CHECKSUM;
    if (this.#buffer.length < needed) this.#grow(MOST);
    await this.#file.write(this.#buffer, this.#filled);
    this.#filled = 0;
  }

  read(start: number, end: number): BodyReader {
    return new PieceReader(
      {
        now: (number, from, to) =>
          number < this.#file.pieces ? undefined : this.#buffer.slice(from, to),
        load: (number, buffer) => this.#file.file.readPiece(number, buffer),
        entered: () => this.#file.file.entered(),
        left: () => this.#file.file.left(),
      },
      start,
      Math.min(end, this.written),
    );
  }

  commit(
    head: StoredHead,
    replaced: readonly StoredEntry[],
  ): Promise<StoredEntry | undefined> | undefined {
    if (this.#failed || this.#ended) {
      this.abort();
      return undefined;
    }
    if (!this.#file.begun) {
      this.#ended = true;
      const body = this.#buffer.subarray(0, this.#filled);
      return this.#hand(head, body, replaced);
    }
    return this.#commitLater(head, replaced);
  }

  async #commitLater(
    head: StoredHead,
    replaced: readonly StoredEntry[],
  ): Promise<StoredEntry | undefined> {
    this.#busy = true;
    this.#hold();
    this.#host.finishing(head);
    try {
      if (this.#filled > 0) await this.#writePiece();
    } catch (error) {
      this.#failed = true;
      this.#host.failed(error);
    } finally {
      this.#busy = false;
    }
    if (this.#failed || this.#ended) {
      this.#ended = true;
      this.#letGo();
      return undefined;
    }
    this.#ended = true;
    const { file } = this.#file;
    this.#file.close();
    return await this.#hand(head, file, replaced);
  }

  #hand(
    head: StoredHead,
    body: Uint8Array | BodyFile,
    replaced: readonly StoredEntry[],
  ): Promise<StoredEntry | undefined> | undefined {
    return this.#host.commit(head, body, replaced, () => this.#giveBack());
  }

  #giveBack(): void {
    this.#host.take(-this.#taken);
    this.#taken = 0;
  }

  abort(): void {
    if (!this.#ended) {
      this.#ended = true;
      if (!this.#busy) this.#letGo();
    }
    this.#release();
  }

  #hold(): void {
    this.#holds = true;
    this.#file.file.entered();
  }

  #release(): void {
    if (!this.#holds) return;
    this.#holds = false;
    this.#file.file.left();
  }

  #letGo(): void {
    this.#giveBack();
    this.#file.close();
    if (this.#file.begun) this.#file.file.discard();
  }
}

/** Bytes that a body takes on disk. */
export function diskSize(size: number): number {
  return size <= MAX_INLINE ? size : bodyFileSize(size);
}
