/**
 * What a data plane's parts share: a value passed down, so that several planes
 * live in one process and tests bring their own.
 *
 * @module
 */
import type { IdSource } from "../observe/ids.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { Log, SocketAddress } from "../plugin.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Clock } from "../net/clock.ts";
import type { Deadlines } from "../net/deadlines.ts";
import type { KnownHosts } from "../net/host_name.ts";
import type { Resolver } from "../net/resolver.ts";
import type { ByteCounter } from "../net/socket.ts";
import type { DateLine } from "../http1/http_date.ts";
import type { KnownClients } from "./forwarding.ts";
import type { Specimens } from "./specimens.ts";
import type { Turnstiles } from "../websocket/turnstile.ts";

/** The surroundings of listeners, sessions and connectors. */
export interface PlaneEnv {
  /** This proxy's name in Via, unique so that loops are told from chains. */
  readonly instance: string;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly buffers: Buffers;
  readonly resolver: Resolver;
  readonly ids: IdSource;
  readonly log: Log;
  readonly metrics: ProxyMetrics;
  readonly date: DateLine;
  /** Clients by what backends are told of them. */
  readonly knownClients: KnownClients;
  readonly knownHosts: KnownHosts;
  /** WebSocket sessions come to other backends through them. */
  readonly turnstiles: Turnstiles;
  /** What some of the last requests were made of. */
  readonly specimens: Specimens;
  /** Bytes of all clients' connections. */
  readonly clientBytes: ByteCounter;
  /** Bytes of all backends' connections. */
  readonly backendBytes: ByteCounter;
  /** What reads and writes a connection: itself, or what stands for it. */
  readonly bytesOf: (conn: ByteConn) => ByteConn;
  /** Connects to backends instead of a dial, and without TLS or a PROXY header: for tests of plugins. Rejects as a dial does. */
  readonly connect?: (address: SocketAddress) => Promise<ByteConn>;
}
