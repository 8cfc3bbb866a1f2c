/**
 * A connection as the stream that `node:tls` wants.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { ByteConn } from "../net/byte_conn.ts";

/** Bytes of a read while little comes: what an idle connection holds. */
const SMALL = 4 << 10;

/** Bytes of a read behind one that was filled. */
const LARGE = 64 << 10;

/** The stream of a connection; it is the stream's to close. */
export class Ciphertext extends Duplex {
  readonly #conn: ByteConn;
  #size = SMALL;
  #heldBack = false;
  #wanted = false;

  constructor(conn: ByteConn) {
    super({ highWaterMark: LARGE });
    this.#conn = conn;
  }

  /** Reads no more, but for what is being read. */
  holdBack(): void {
    this.#heldBack = true;
  }

  /** Reads again. */
  letThrough(): void {
    this.#heldBack = false;
    if (!this.#wanted) return;
    this.#wanted = false;
    this._read();
  }

  override _read(): void {
    if (this.#heldBack) {
      this.#wanted = true;
      return;
    }
    // A new one each time: the stream keeps what it is given.
    const buffer = Buffer.allocUnsafeSlow(this.#size);
    this.#conn.read(buffer).then(
      (count) => this.#received(buffer, count),
      this.#failed,
    );
  }

  override _write(
    chunk: Uint8Array,
    _encoding: string,
    done: (error?: Error) => void,
  ): void {
    this.#writeAll(chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error) => void): void {
    this.#conn.closeWrite().then(() => done(), done);
  }

  override _destroy(
    error: Error | null,
    done: (error: Error | null) => void,
  ): void {
    this.#conn.close();
    done(error);
  }

  #received(buffer: Buffer, count: number | null): void {
    if (count !== null) this.#size = count === buffer.length ? LARGE : SMALL;
    this.push(count === null ? null : buffer.subarray(0, count));
  }

  readonly #failed = (thrown: Error): void => {
    this.destroy(thrown);
  };

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      at += await this.#conn.write(
        at === 0 ? chunk : chunk.subarray(at),
      );
    }
  }
}
