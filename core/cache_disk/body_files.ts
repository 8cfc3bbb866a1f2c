/**
 * Bodies in files of their own: written piece by piece, and each piece verified
 * before a byte of it is given out.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import type { AppendFile, DiskFiles, ReadPool } from "./disk_files.ts";
import {
  type BodyOnDisk,
  PIECE_BYTES,
  PIECE_CHECKSUM,
  pieceChecksum,
} from "./disk_record.ts";

/** What bodies' files have in common. */
export interface BodyContext {
  readonly files: DiskFiles;
  readonly pool: ReadPool;
  readonly traffic: DiskTraffic;
  /** Files that nothing names and that stay for a while. */
  readonly doomed: Set<BodyFile>;
  /** Milliseconds that only grow. */
  now(): number;
  /** Calls back later; the returned function ends that. */
  after(milliseconds: number, callback: () => void): () => void;
  /** Something goes on that nobody waits for; it does not reject. */
  outlives(work: Promise<void>): void;
  /** A file could not be removed. */
  failed(error: unknown): void;
}

/** What went to and fro, in bytes. */
export interface DiskTraffic {
  read: number;
  written: number;
}

/** Bytes of a body's file. */
export function bodyFileSize(size: number): number {
  return size + PIECE_CHECKSUM * Math.ceil(size / PIECE_BYTES);
}

/** How long a file stays for those who found its entry and have not begun to read, in milliseconds. */
const GRACE = 30_000;

/** A body's file. It goes when nothing names it and nobody reads it. */
export class BodyFile implements BodyOnDisk {
  readonly id: number;
  readonly path: string;
  size: number;
  readonly #context: BodyContext;
  #readers = 0;
  #discarded = false;
  #foundAt = -Infinity;
  #cancelWait: (() => void) | undefined;

  constructor(context: BodyContext, path: string, id: number, size: number) {
    this.#context = context;
    this.path = path;
    this.id = id;
    this.size = size;
  }

  /** Somebody was told of it and may read it. */
  found(): void {
    this.#foundAt = this.#context.now();
  }

  /** Somebody reads it, until `left`. */
  entered(): void {
    this.#readers++;
  }

  left(): void {
    this.#readers--;
    this.#settle();
  }

  /** Nothing names it any more. */
  discard(): void {
    this.#discarded = true;
    this.#settle();
  }

  /** Removes it now, whoever may want it still. */
  removeNow(): void {
    const { doomed, pool, files, failed, outlives } = this.#context;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    doomed.delete(this);
    pool.forget(this.path);
    outlives(files.remove(this.path).catch(failed));
  }

  #settle(): void {
    if (!this.#discarded || this.#readers > 0) return;
    this.#cancelWait?.();
    const { doomed, now, after } = this.#context;
    const left = this.#foundAt + GRACE - now();
    if (left <= 0) return this.removeNow();
    doomed.add(this);
    this.#cancelWait = after(left, () => this.#settle());
  }

  /** Reads a piece into a buffer that has room for its checksum too; its bytes. Rejects with a ProxyError where they are not as they were written. */
  async readPiece(number: number, buffer: Uint8Array): Promise<Uint8Array> {
    const start = number * PIECE_BYTES;
    const length = Math.min(PIECE_BYTES, this.size - start);
    const into = buffer.subarray(0, length + PIECE_CHECKSUM);
    const { pool, traffic } = this.#context;
    let count: number;
    try {
      const at = number * (PIECE_BYTES + PIECE_CHECKSUM);
      count = await pool.read(this.path, into, at);
    } catch (cause) {
      throw new ProxyError("cache_failed", "Cannot read what is stored", {
        cause,
      });
    }
    if (this.#discarded && this.#readers === 0) pool.forget(this.path);
    traffic.read += count;
    const piece = into.subarray(0, length);
    const checksum = new DataView(
      into.buffer,
      into.byteOffset + length,
      PIECE_CHECKSUM,
    );
    if (
      count !== into.length ||
      checksum.getUint32(0) !== pieceChecksum(piece, this.id, number)
    ) {
      throw new ProxyError(
        "cache_failed",
        "What is stored is not as it was written",
      );
    }
    return piece;
  }
}

/** Writes a body's file. One call at a time. */
export class BodyFileWriter {
  readonly file: BodyFile;
  readonly #context: BodyContext;
  #handle: AppendFile | undefined;
  /** Pieces in the file. */
  pieces = 0;
  /** Whether there may be a file. */
  begun = false;

  constructor(context: BodyContext, path: string, id: number) {
    this.#context = context;
    this.file = new BodyFile(context, path, id, 0);
  }

  /**
   * Writes the next piece, the first so many bytes of a buffer that has room for
   * their checksum behind them; all but the last are full. Rejects where the
   * disk does not take it.
   */
  async write(buffer: Uint8Array, length: number): Promise<void> {
    const { files, traffic } = this.#context;
    const piece = buffer.subarray(0, length);
    const whole = buffer.subarray(0, length + PIECE_CHECKSUM);
    new DataView(whole.buffer, whole.byteOffset).setUint32(
      length,
      pieceChecksum(piece, this.file.id, this.pieces),
    );
    this.begun = true;
    this.#handle ??= await files.append(this.file.path);
    await this.#handle.append(whole);
    traffic.written += whole.length;
    this.pieces++;
    this.file.size += length;
  }

  /** No more comes. */
  close(): void {
    this.#handle?.close();
    this.#handle = undefined;
  }
}

/** Where a {@linkcode PieceReader} reads from. */
export interface PieceSource {
  /** Bytes of a piece that are in memory: a copy. Undefined where they are not. */
  now(number: number, from: number, to: number): Uint8Array | undefined;
  /** Reads a piece. Rejects with a ProxyError. */
  load(number: number, buffer: Uint8Array): Promise<Uint8Array>;
  /** A reader has come, and has gone. */
  entered(): void;
  left(): void;
}

/** Reads bytes that lie in pieces. */
export class PieceReader implements BodyReader {
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;
  last = false;
  readonly headroom = 0;
  readonly tailroom = 0;
  readonly #source: PieceSource;
  readonly #end: number;
  #at: number;
  #buffer: Uint8Array | undefined;
  #inside = false;

  constructor(source: PieceSource, start: number, end: number) {
    this.#source = source;
    this.#at = start;
    this.#end = end;
    if (start < end) {
      this.#inside = true;
      source.entered();
    }
  }

  advance(): boolean {
    if (this.last || this.#at >= this.#end) {
      this.start = this.end = 0;
      this.#leave();
      return true;
    }
    const [number, from, to] = this.#next();
    const bytes = this.#source.now(number, from, to);
    if (bytes === undefined) return false;
    this.#show(bytes, 0, bytes.length);
    return true;
  }

  async next(): Promise<boolean> {
    if (this.last) return false;
    if (this.advance()) return this.end > this.start;
    const [number, from, to] = this.#next();
    this.#buffer ??= new Uint8Array(PIECE_BYTES + PIECE_CHECKSUM);
    let piece: Uint8Array;
    try {
      piece = await this.#source.load(number, this.#buffer);
    } catch (thrown) {
      this.#leave();
      throw thrown;
    }
    if (this.last) return false;
    this.#show(piece, from, Math.min(to, piece.length));
    return true;
  }

  #next(): [number: number, from: number, to: number] {
    const number = Math.floor(this.#at / PIECE_BYTES);
    const start = number * PIECE_BYTES;
    return [
      number,
      this.#at - start,
      Math.min(PIECE_BYTES, this.#end - start),
    ];
  }

  #show(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.#at += end - start;
    if (this.#at >= this.#end) this.#leave();
  }

  cancel(): void {
    this.#leave();
  }

  #leave(): void {
    this.last = true;
    if (!this.#inside) return;
    this.#inside = false;
    this.#source.left();
  }
}

/** A body's file as a source; `bad` is called where it is not as it was written. */
export function sourceOfBody(file: BodyFile, bad: () => void): PieceSource {
  return {
    now: () => undefined,
    async load(number, buffer) {
      try {
        return await file.readPiece(number, buffer);
      } catch (thrown) {
        bad();
        throw thrown;
      }
    },
    entered: () => file.entered(),
    left: () => file.left(),
  };
}

const EMPTY = new Uint8Array(0);
