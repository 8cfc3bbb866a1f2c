/**
 * A connection with TLS on it, whatever does the TLS.
 *
 * @module
 */
import type { ByteConn } from "../net/byte_conn.ts";

/**
 * A two-way stream of bytes behind a handshake; `Deno.TlsConn` fits as it is. A
 * peer that is gone without having ended TLS makes `read` reject with
 * `UnexpectedEof`: what came may have been cut.
 */
export interface TlsConn extends ByteConn {
  /** Resolves when the handshake is done. Rejects with why it failed. */
  handshake(): Promise<unknown>;
}
