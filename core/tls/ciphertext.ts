/**
 * A connection as the stream that `node:tls` wants below it, which reads only
 * as long as it is open: `node:tls` itself takes whatever comes, however little
 * of it is read (200 MB of one client's, tried).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { ByteConn } from "../net/byte_conn.ts";

/** Bytes of a read while little comes: an idle connection holds no more than this. */
const SMALL = 4 << 10;

/** Bytes of a read behind one that was filled. */
const LARGE = 64 << 10;

/** The stream. Closing the connection is its owner's: the stream never does. */
export class Ciphertext extends Duplex {
  readonly #conn: ByteConn;
  #open = true;
  #wanted = false;
  #reading = false;
  #size = SMALL;
  #spoke = false;

  constructor(conn: ByteConn) {
    super({ autoDestroy: false, emitClose: false, readableHighWaterMark: 1 });
    this.#conn = conn;
  }

  /** Whether bytes on their way out are not yet taken. */
  get writing(): boolean {
    return this.writableLength > 0;
  }

  /** Whether the peer was told anything. */
  get spoke(): boolean {
    return this.#spoke;
  }

  /** Lets bytes through, or none but those of a read that is under way. */
  set open(open: boolean) {
    this.#open = open;
    if (open) this.#fill();
  }

  override _read(): void {
    this.#wanted = true;
    this.#fill();
  }

  override _write(
    bytes: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    this.#spoke = true;
    this.#writeAll(bytes).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    // The peer may be gone: the reader gets to know.
    this.#conn.closeWrite().then(() => done(), () => done());
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let written = await this.#conn.write(bytes);
    while (written < bytes.length) {
      written += await this.#conn.write(bytes.subarray(written));
    }
  }

  #fill(): void {
    if (!this.#wanted || !this.#open || this.#reading) return;
    this.#reading = true;
    // A new one each time: how long the stream's reader keeps it is unknown.
    const buffer = new Uint8Array(this.#size);
    this.#conn.read(buffer).then(
      (count) => this.#received(buffer, count),
      (thrown) => this.destroy(thrown),
    );
  }

  #received(buffer: Uint8Array, count: number | null): void {
    this.#reading = false;
    if (this.destroyed) return;
    this.#wanted = false;
    if (count === null) {
      this.push(null);
      return;
    }
    this.#size = count === buffer.length ? LARGE : SMALL;
    this.push(Buffer.from(buffer.buffer, 0, count));
  }
}
