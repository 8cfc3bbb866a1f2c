/**
 * What an accepted connection becomes. A task that poses as a client, such as a
 * plugin's own request, makes one too and enters the same way.
 *
 * @module
 */
import type { ByteConn } from "../net/byte_conn.ts";
import type { ProxyFacts, SocketAddress, TlsFacts } from "../plugin.ts";

/** An accepted connection with what is known before a byte is read. */
export interface Initiator {
  readonly conn: ByteConn;
  readonly remote: SocketAddress;
  readonly local: SocketAddress;
  /** Made by a plugin's request, not by a client. */
  readonly internal: boolean;
  /** Made by the cache to fetch anew what it served stale; left out = false. */
  readonly refresh?: boolean;
  /** What its PROXY header told, once that is read: remote and local are then the header's. */
  readonly proxy: ProxyFacts | undefined;
  /** Facts of the TLS handshake, once it is done. */
  readonly tls: TlsFacts | undefined;
}
