/**
 * The blocks of a cluster: how requests get to its backends and again to others,
 * and what becomes of WebSockets. Units as in `config.ts`.
 *
 * @module
 */

/** What `balance: hash` hashes. */
export interface HashConfig {
  /** `clientAddress`, `uri`, `path`, `header:NAME`, `cookie:NAME` or `query:NAME`. */
  readonly key: string;
}

/** Sessions that stay with their backend. */
export interface StickyConfig {
  /** The cookie's name. */
  readonly cookie: string;
}

/** Requests that wait for a slot of a backend. */
export interface QueueConfig {
  /** Over all workers. Default 1,000. */
  readonly size: number;
  /** Milliseconds. Default 5 s. */
  readonly timeout: number;
}

/** Further attempts. */
export interface RetriesConfig {
  /** Extra attempts after the first. Default 3. */
  readonly max: number;
  /** Of these, at most so many in another subcluster. Default 1. */
  readonly crossSubcluster: number;
  /** `connect`, `reset` or statuses. */
  readonly causes: readonly string[];
  /** Default the idempotent ones. */
  readonly methods: readonly string[];
  /** Share of the cluster's requests over 10 s. Default 0.2. */
  readonly budget: number;
  /** Bytes of a body kept for a replay. Default 64 KiB. */
  readonly bufferBytes: number;
}

/** Request bodies that are read whole before a backend is chosen. */
export interface RequestBufferConfig {
  /** Bytes of one body in memory. */
  readonly bytes: number;
  /** Bytes of one body on disk beyond, in the system's folder for temporary files; undefined = none. A longer body gets 413. */
  readonly disk: number | undefined;
}

/** WebSocket sessions. */
export interface WebSocketConfig {
  /** `session` (default): messages, valves, failover. `tunnel`: bytes, for those who want only speed. */
  readonly mode: "session" | "tunnel";
  /** Milliseconds of silence after which a peer is pinged. Default 20 s. */
  readonly pingInterval: number;
  /** Milliseconds in which a pinged peer must let itself be heard. Default 10 s. */
  readonly pongTimeout: number;
  /** Milliseconds that a client is held without a backend. Default 10 s. */
  readonly hold: number;
  /** Bytes of a message, either way. Default 16 MiB. */
  readonly maxMessage: number;
  /** Bytes of a client's messages kept until a backend is known to have read them; `none` = each is sent at most once. Default 1 MiB, but none with a `dialer`. */
  readonly replay: number | "none";
  /** Milliseconds that a backend that is left in order may take to finish. Default 10 s. */
  readonly drain: number;
  /** Close codes of a backend that mean that it failed. Default 1001, 1005, 1006, 1011 to 1013. */
  readonly abnormalCodes: readonly number[];
  /** Allowed origins of browsers' pages; undefined = all. */
  readonly origins: readonly string[] | undefined;
  /** Fields of the request that backends don't get. Default none. */
  readonly blockHeaders: readonly string[];
  /** Fields of a backend's 101 that clients get; a `dialer` has its own. Default Set-Cookie. */
  readonly passHeaders: readonly string[];
  /** The field that marks a re-dial. Default X-Balancer-Reconnect. */
  readonly reconnectHeader: string;
}
