/**
 * The config as the rest of Headrace sees it: checked, complete with defaults,
 * and plain data, so that it can be sent to a worker.
 *
 * Property names are the file's keys. Durations are milliseconds, sizes bytes,
 * percentages shares from 0 to 1, statuses ranges with both ends. `undefined`
 * stands for a key that was left out and has no default.
 *
 * @module
 */
import type { ListenAddress } from "../net/address.ts";
import type { BackendUrl } from "./backend_url.ts";
import type {
  BreakerConfig,
  HealthConfig,
  PassiveHealthConfig,
} from "./config_health.ts";
import type { CacheConfig } from "./config_cache.ts";
import type {
  HashConfig,
  QueueConfig,
  RequestBufferConfig,
  RetriesConfig,
  StickyConfig,
  WebSocketConfig,
} from "./config_cluster_parts.ts";

/** One config file. */
export interface Config {
  /** At least one; names are unique. */
  readonly listeners: readonly ListenerConfig[];
  /**
   * Names are unique. Where the file has none and one cluster, a product
   * `default` with one rule to it; none where all listeners are `tcp`.
   */
  readonly products: readonly ProductConfig[];
  /** Names are unique. */
  readonly clusters: readonly ClusterConfig[];
  /** In the order of the file. */
  readonly plugins: readonly PluginConfig[];
  /** Undefined = there is none. */
  readonly cache: CacheConfig | undefined;
  readonly admin: AdminConfig;
  /** A number from 1, or one per core. Default `auto`. */
  readonly workers: number | "auto";
  /**
   * What reads and writes connections.
   *
   * - `standard` (default): `Deno.Conn`.
   * - `direct`: the operations of the runtime that it calls, which Deno does not
   *   document: less CPU time per request and fewer pauses. Refused where this
   *   version of Deno has them not. What is no connection of the runtime's own
   *   (`node:tls`, behind a PROXY header) is as it is by default.
   */
  readonly io: "standard" | "direct";
  readonly buffers: BuffersConfig;
  readonly log: LogConfig;
  readonly drain: DrainConfig;
}

// ------------------------------------------------------------------ listeners

/** One bound address, or one for each port of a range. */
export interface ListenerConfig {
  readonly name: string;
  readonly address: ListenAddress;
  /** Default `http`. */
  readonly protocol: "http" | "tcp";
  /**
   * The PROXY header, of either version, before anything else, TLS too. The
   * client is then whoever it names: for handlers, limits, logs, X-Forwarded-*
   * and backends; LOCAL, UNKNOWN and other families than TCP's name nobody.
   *
   * - `none` (default): there is none.
   * - `accept`: peers of `trusted` may send one. Who sends none is served as it
   *   is, after its first bytes: not for protocols in which the server begins.
   *   Others' bytes are never taken for one.
   * - `require`: peers of `trusted` must send one, others are refused.
   *
   * What is refused is closed without an answer. Not with a unix socket, whose
   * peers have no address to trust.
   */
  readonly proxyProtocol: "none" | "accept" | "require";
  /**
   * Networks whose PROXY header, X-Forwarded-* and Forwarded are believed; make a
   * `CidrSet` of it. Behind a PROXY header the peer whose X-Forwarded-* and
   * Forwarded count is the one that it names: an HTTP proxy before a TCP balancer
   * has to be among them too. Default none; not with `proxyProtocol`.
   */
  readonly trusted: readonly string[];
  /** How many trusted proxies stand before this one; those that send a PROXY header do not count. Default 1. */
  readonly hops: number;
  readonly socket: SocketConfig;
  /** Undefined = none: bytes come as they are. */
  readonly tls: ListenerTlsConfig | undefined;
  readonly limits: LimitsConfig;
  readonly timeouts: ListenerTimeoutsConfig;
  /** Where a `tcp` listener's bytes go, those of no name in `sni`; always undefined for `http`. */
  readonly cluster: string | undefined;
  /**
   * `tcp` only: clusters by the name that a TLS client asks for, without ending
   * its TLS. Lower case, ASCII; `*.domain` stands for its subdomains.
   */
  readonly sni: Readonly<Record<string, string>> | undefined;
  /** Names of the products that an `http` listener serves; undefined = all. */
  readonly products: readonly string[] | undefined;
}

/** Options of a listener's sockets. */
export interface SocketConfig {
  /** TCP_NODELAY. On a TLS listener it takes FFI on Linux, or `node:tls`. Default true. */
  readonly noDelay: boolean;
  /** SO_KEEPALIVE. On a TLS listener as `noDelay`. Default true. */
  readonly keepAlive: boolean;
  /** Connections that the system queues before they are accepted. Default 4096. */
  readonly backlog: number;
}

/** TLS that a listener ends. Files are relative to the config file, and reread when they change. */
export interface ListenerTlsConfig {
  /** At least one; chosen by SNI, the first is the default. Several take `node:tls`. */
  readonly certificates: readonly CertificateConfig[];
  /** Refuse clients whose SNI name no certificate covers, and those without one. Default false. */
  readonly strictSni: boolean;
  /** 421 where the Host is not covered by the certificate that SNI chose; `http` only. Default false. */
  readonly verifyHost: boolean;
  /** Protocols by preference, `http` only; h2 is not spoken yet and not offered. Default h2, http/1.1. */
  readonly alpn: readonly string[];
  /** Undefined = clients are not asked for certificates. */
  readonly clientAuth: ClientAuthConfig | undefined;
}

/** A certificate's PEM files. */
export interface CertificateConfig {
  /** The certificate, and the chain behind it. */
  readonly cert: string;
  /** Its key, without a passphrase. */
  readonly key: string;
}

/** How clients prove who they are. */
export interface ClientAuthConfig {
  /** The PEM file of the authorities that may sign them. */
  readonly ca: string;
  /** Whether a client may come without one; what it shows must verify either way. Default `require`. */
  readonly mode: "request" | "require";
}

/** What one listener bears. */
export interface LimitsConfig {
  /** Connections open at once, over all workers; at the limit none is accepted. Default 10,000. */
  readonly connections: number;
  /** Connections open at once from one client address, over all workers, behind a PROXY header the one that it names; undefined = unlimited. */
  readonly connectionsPerAddress: number | undefined;
  /** Bytes of a request's head. Default 16 KiB. */
  readonly headerBytes: number;
  /** Header lines of a request. Default 100. */
  readonly headers: number;
  /** Bytes of a request's target; at most `headerBytes`. Default 8 KiB. */
  readonly targetBytes: number;
  /** Bytes of a request's body; undefined = unlimited. */
  readonly bodyBytes: number | undefined;
}

/** How long a listener waits for a client, in milliseconds. */
export interface ListenerTimeoutsConfig {
  /** The whole PROXY header, and then the whole TLS handshake or, with `sni`, the ClientHello. Default 10 s. */
  readonly handshake: number;
  /** A request's whole head, since its first byte; on a new connection also the wait for that. Default 10 s. */
  readonly header: number;
  /** Since the last byte of a request's body. Default 30 s. */
  readonly body: number;
  /** Since the client last took a byte. Default 30 s. */
  readonly write: number;
  /** Between two requests. Default 60 s. */
  readonly keepAlive: number;
  /** Without a byte in either direction of TCP or a WebSocket. Default 1 h. */
  readonly tunnel: number;
}

// ------------------------------------------------------------------- products

/** A tenant, found by host. */
export interface ProductConfig {
  readonly name: string;
  /** Lower case, ASCII; `*.domain` stands for its subdomains. No host is claimed twice. */
  readonly hosts: readonly string[];
  /** Whether it serves hosts that nobody claims; at most one does. Default false. */
  readonly default: boolean;
  /** At least one; the first that matches wins. */
  readonly rules: readonly RuleConfig[];
}

/** A location: exactly one of cluster, redirect, respond. */
export type RuleConfig =
  | ClusterRuleConfig
  | RedirectRuleConfig
  | RespondRuleConfig;

/** What all rules have. */
export interface RuleBaseConfig {
  /** The condition's text; undefined matches every request. */
  readonly when: string | undefined;
}

/** A rule that sends the request to a cluster. */
export interface ClusterRuleConfig extends RuleBaseConfig {
  readonly cluster: string;
  readonly redirect?: undefined;
  readonly respond?: undefined;
  readonly timeouts: RuleTimeoutsConfig;
}

/** A rule that answers with a redirect. */
export interface RedirectRuleConfig extends RuleBaseConfig {
  readonly cluster?: undefined;
  readonly redirect: RedirectConfig;
  readonly respond?: undefined;
}

/** A rule that answers with a fixed response. */
export interface RespondRuleConfig extends RuleBaseConfig {
  readonly cluster?: undefined;
  readonly redirect?: undefined;
  readonly respond: RespondConfig;
}

/** What a rule sets above its cluster's timeouts, in milliseconds. */
export interface RuleTimeoutsConfig {
  /** To the response's head; undefined = the cluster's. */
  readonly response: number | undefined;
}

/** Where a rule redirects to: either `to`, or the same URL in another scheme. */
export interface RedirectConfig {
  /** An absolute http(s) URL or a path from `/`. */
  readonly to: string | undefined;
  /** The request's own host, path and query by this scheme. */
  readonly scheme: "http" | "https" | undefined;
  /** The port beside `scheme`. Default the scheme's own. */
  readonly port: number | undefined;
  /** 301, 302, 303, 307 or 308. Default 302. */
  readonly status: number;
}

/** What a rule answers. */
export interface RespondConfig {
  /** 200 to 599. */
  readonly status: number;
  /** Default empty. */
  readonly body: string;
}

// ------------------------------------------------------------------- clusters

/** A service. */
export interface ClusterConfig {
  readonly name: string;
  /** `roundrobin` (default), `leastconn`, `random`, `first`, `hash`, or a plugin's policy. */
  readonly balance: string;
  /** What `balance: hash` hashes; undefined = the client's address. */
  readonly hash: HashConfig | undefined;
  /** Clients stay with their backend by a cookie; undefined = they don't. */
  readonly sticky: StickyConfig | undefined;
  /** The Host that backends see: `client` (default), `backend`, or a name. */
  readonly hostHeader: string;
  /** At least one; the file's `backends` become one called `default`. */
  readonly subclusters: readonly SubclusterConfig[];
  /** Weight of requests answered 503 on purpose. Default 0. */
  readonly blackhole: number;
  /**
   * What a host name of `backends` stands for; IP addresses and unix sockets
   * stand for themselves.
   *
   * - `first` (default): one backend. Each connect races the addresses.
   * - `all`: a backend `ID@ADDRESS` for each of its addresses, IPv6 in brackets,
   *   in the order of their text; each has the weight, `maxConnections` and
   *   `backup` of the one in the file, and a health, counts and a pool of its
   *   own. Host and TLS still say the name.
   *
   * With `all` the name is resolved before the config comes into use (at most
   * 5 s are waited for it) and again when its TTL is over, between 1 s and 5 min;
   * 5 s where nobody tells one. Backends whose address comes or goes come and go
   * without a reload, as in one, at most every 5 s. While the name can't be
   * resolved its last addresses stay; where there are none yet it has no backend.
   */
  readonly dns: "first" | "all";
  /** Where requests wait for a slot of a backend with `maxConnections`; undefined = 1,000 for 5 s. */
  readonly queue: QueueConfig | undefined;
  /** Undefined = no active checks. */
  readonly health: HealthConfig | undefined;
  /** Undefined = failures of requests take no backend out. */
  readonly passiveHealth: PassiveHealthConfig | undefined;
  /** Share of healthy backends, 0 to 1, below which all are used; undefined = never. */
  readonly panic: number | undefined;
  /** Undefined = none. */
  readonly breaker: BreakerConfig | undefined;
  /**
   * Milliseconds in which the weight of a backend grows that came back or was
   * added by a reload; undefined = it has all of it at once.
   */
  readonly slowStart: number | undefined;
  /** Undefined = 3 more attempts, 1 of them in another subcluster, after failures that are no answers: `connect` and `reset`. */
  readonly retries: RetriesConfig | undefined;
  readonly timeouts: ClusterTimeoutsConfig;
  readonly keepAlive: KeepAliveConfig;
  /** Request bodies are read whole before a backend is chosen; undefined = they flow. */
  readonly requestBuffer: RequestBufferConfig | undefined;
  /** How `https` and, where it is given, `tcp` backends are dialled; undefined = by the well-known authorities. */
  readonly tls: BackendTlsConfig | undefined;
  /**
   * The PROXY header that each new connection to a backend begins with, before
   * TLS: the client's address, through trusted proxies, and the one that it
   * connected to. Nobody but the same client then reuses the connection. Health
   * checks and requests of plugins are the proxy's own: LOCAL, in v1 its own
   * address. Clients without an address are UNKNOWN (v1) or LOCAL (v2).
   * Default `none`.
   */
  readonly proxyProtocol: "none" | "v1" | "v2";
  /**
   * A plugin's BackendDialer: WebSocket sessions are its own, from the choice of
   * the backend on; other requests go to the cluster's backends, where it has
   * any. Undefined = Headrace dials itself.
   */
  readonly dialer: string | undefined;
  /** What becomes of WebSocket upgrades. */
  readonly websocket: WebSocketConfig;
}

/** A zone or group of a cluster's backends. */
export interface SubclusterConfig {
  /** Unique in its cluster. */
  readonly name: string;
  /** Its share of the cluster's requests. Default 1. */
  readonly weight: number;
  /** May be empty: backends can be added while Headrace runs. */
  readonly backends: readonly BackendConfig[];
}

/** One address of a cluster. */
export interface BackendConfig {
  /** Unique in the file. Default: the address, `10.0.0.1:9001` or `unix:/run/app.sock`. */
  readonly id: string;
  readonly url: BackendUrl;
  /** Its share of the subcluster's requests; 0 = no new sessions. Default 1. */
  readonly weight: number;
  /** Requests and sessions at once, over all workers; undefined = any number. */
  readonly maxConnections: number | undefined;
  /** Serves only where no other backend of the cluster can. Default false. */
  readonly backup: boolean;
}

/** TLS towards backends. */
export interface BackendTlsConfig {
  /** Authorities to trust, and no others; undefined = the well-known ones. */
  readonly ca: PemFile | undefined;
  /** The name or IP address that is asked for and verified; undefined = the URL's host. */
  readonly serverName: string | undefined;
  /** The certificate that Headrace shows; undefined = none. Never without `key`. */
  readonly cert: PemFile | undefined;
  /** Its key, not encrypted. */
  readonly key: PemFile | undefined;
}

/** A PEM file that the config names. */
export interface PemFile {
  /** As the config has it. */
  readonly path: string;
  /** What it held when the config was loaded. */
  readonly pem: string;
}

/** How long a backend may take, in milliseconds. */
export interface ClusterTimeoutsConfig {
  /** To a connection, and then again to the end of its TLS handshake. Default 2 s. */
  readonly connect: number;
  /** To the response's head. Default 60 s. */
  readonly response: number;
  /** Between reads of a response's body. Default 60 s. */
  readonly read: number;
}

/** A cluster's pool of idle connections. */
export interface KeepAliveConfig {
  /** Idle connections kept per worker; 0 = none. Default 256. */
  readonly maxIdle: number;
  /** Milliseconds that an idle connection is kept. Default 60 s. */
  readonly idle: number;
}

// --------------------------------------------------------------- all the rest

/** One plugin instance. */
export interface PluginConfig {
  /** `https:`, `http:`, `file:`, `npm:`, `jsr:`, `data:`, `builtin:NAME`, or a path relative to the config file. */
  readonly use: string;
  /** `sha256-…` over the whole graph, as `plugin hash` prints it. */
  readonly integrity: string | undefined;
  /** Undefined = the plugin's own name. */
  readonly name: string | undefined;
  /** Products that it is limited to; undefined = all. */
  readonly products: readonly string[] | undefined;
  /** Listeners that it is limited to; undefined = all. */
  readonly listeners: readonly string[] | undefined;
  /** Place among handlers of one scope, lower runs first; then the file's order. Default 0. */
  readonly order: number;
  /** Milliseconds that an async handler may take. Default 5 s. */
  readonly timeout: number;
  /** What a handler's failure does to the request. Default `refuse`. */
  readonly onError: "refuse" | "ignore";
  /** As the file has it, `${…}` expanded; the plugin's own schema checks it. */
  readonly options: unknown;
}

/** The admin interface. */
export interface AdminConfig {
  /** One port or a unix socket. Default 127.0.0.1:9090. */
  readonly address: ListenAddress;
  /** The bearer token; undefined (or empty in the file) = none, on loopback only. */
  readonly token: string | undefined;
  /** Where `/backend/add` adds to, which names no cluster; undefined = the only cluster. */
  readonly backendCluster: string | undefined;
}

/** Memory for what is on its way. */
export interface BuffersConfig {
  /**
   * Bytes of buffers of 256 KiB that a worker's streams may have at once, beyond
   * which they go on in those of 33 KiB that each connection has; from 256 KiB
   * on. A head that fits in no other buffer has one all the same. Default 16 MiB.
   */
  readonly bulk: number;
}

/** Headrace's own log. */
export interface LogConfig {
  /** Default `info`. */
  readonly level: "debug" | "info" | "warn" | "error";
  /** Default `json`. */
  readonly format: "json" | "text";
}

/** The end of the process. */
export interface DrainConfig {
  /** Milliseconds until what is still open is cut. Default 30 s. */
  readonly timeout: number;
}
