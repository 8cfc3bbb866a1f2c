/**
 * What new connections to backends begin with, before TLS and whatever else
 * they carry: a PROXY header.
 *
 * @module
 */
import { socketAddress, type SocketEnds } from "../net/socket_address.ts";
import type { SocketAddress } from "../plugin.ts";

/** The bytes, or what makes them of the connection's own ends. */
export type PrefaceBytes = Uint8Array | ((ends: SocketEnds) => Uint8Array);

/** A preface stays true of its connection: only who would begin one the same way may use it again. */
export interface Preface {
  readonly bytes: PrefaceBytes;
  /** The same for those who may use each other's connections, and only for them. */
  readonly key: string;
}

/** Writes it first on a new connection; the system takes it at once, as the connection's buffer is empty. */
export async function writePreface(
  conn: Deno.Conn,
  remote: SocketAddress,
  preface: PrefaceBytes,
): Promise<void> {
  const bytes = preface instanceof Uint8Array ? preface : preface({
    source: socketAddress(conn.localAddr),
    destination: remote,
  });
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}
