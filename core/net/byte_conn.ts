/**
 * What the core needs of a connection, whatever carries the bytes: `Deno.Conn`
 * fits as it is, TLS and in-memory pipes do too.
 *
 * @module
 */

/** A two-way stream of bytes. */
export interface ByteConn {
  /** Bytes read into `buffer`, or null at the end. One read at a time. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Bytes taken of `bytes`: perhaps not all of them. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends our direction; the peer's stays open. */
  closeWrite(): Promise<void>;
  /** Ends both directions; a pending read rejects. Call it once. */
  close(): void;
}
