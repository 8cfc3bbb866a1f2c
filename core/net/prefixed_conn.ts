/**
 * A connection of which some bytes were read already: they are read again
 * first.
 *
 * @module
 */
import type { ByteConn } from "./byte_conn.ts";

/** The connection as it was before `bytes` were read of it; itself where there are none. */
export function withPrefix(conn: ByteConn, bytes: Uint8Array): ByteConn {
  return bytes.length === 0 ? conn : new PrefixedConn(conn, bytes);
}

class PrefixedConn implements ByteConn {
  readonly #conn: ByteConn;
  #prefix: Uint8Array | undefined;

  constructor(conn: ByteConn, prefix: Uint8Array) {
    this.#conn = conn;
    this.#prefix = prefix;
  }

  // Once the prefix is gone, one call more than without it: no promise, no copy.
  read(buffer: Uint8Array): Promise<number | null> {
    const prefix = this.#prefix;
    if (prefix === undefined) return this.#conn.read(buffer);
    const count = Math.min(prefix.length, buffer.length);
    buffer.set(prefix.subarray(0, count));
    this.#prefix = count === prefix.length ? undefined : prefix.subarray(count);
    return Promise.resolve(count);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#prefix = undefined;
    this.#conn.close();
  }
}
