/**
 * The control channel between the supervisor and a data plane: what is asked
 * and answered, all of it plain data, so that it crosses to a worker.
 *
 * @module
 */
import type { ListenerFiles } from "../config/check_listener_tls.ts";
import type { Purge } from "../cache/store.ts";
import type { Config } from "../config/config.ts";
import type { NotedFailure } from "../health/backend_gates.ts";
import type { BackendStates } from "../health/backend_health.ts";
import type { SharedRows } from "../health/shared_health.ts";
import type { DescribedRequest } from "../explain/described_request.ts";
import type { Explanation } from "../explain/explanation.ts";
import type { MetricSnapshot } from "../observe/metric_snapshot.ts";
import type {
  AdminResult,
  BackendAdministrator,
  BackendEvent,
} from "../plugin.ts";
import type { TlsRuntime } from "../tls/tls_runtime.ts";
import type { PluginArtifact } from "../plugins/plugin_artifact.ts";
import type { TraceReport } from "../session/trace_report.ts";

/** A config that may become the current one. */
export interface Candidate {
  /** Grows with each reload. */
  readonly revision: number;
  readonly config: Config;
  /** One for each of the config's plugins, in their order. */
  readonly artifacts: readonly PluginArtifact[];
  /** What the files that the config's `tls` names hold. */
  readonly files: ListenerFiles;
  /** Ports that another worker got for addresses with port 0, by bind key. */
  readonly ports: Readonly<Record<string, number>>;
  /** The shared rows of its backends, by `backendKey`; left out = each gets one of the plane's own. */
  readonly rows?: SharedRows;
  /** Addresses that an operator has paused, as listings show them; left out = none. */
  readonly paused?: readonly string[];
}

/** What a data plane is made with. */
export interface PlaneSettings {
  /** Its number among the workers, from 0. */
  readonly worker: number;
  /** How many workers there are. */
  readonly workers: number;
  /** Where it counts in the shared rows; left out = its number. */
  readonly seat?: number;
  /** Where it tells what it has open, for when it can't be asked any more; left out = nowhere. */
  readonly tally?: SharedArrayBuffer;
  /** The proxy's name in Via. */
  readonly instance: string;
  readonly log: Config["log"];
  /** What reads and writes connections; left out = `standard`. */
  readonly io?: Config["io"];
  /** The cell that all workers count changes of backends' states in; left out = one of the plane's own. */
  readonly epoch?: SharedArrayBuffer;
  /** What sticky cookies are signed with in all workers, 32 bytes; left out = the plane's own. */
  readonly secret?: Uint8Array;
  /** The admin token, by which clients may have requests traced; left out = clients on this machine may. */
  readonly token?: string | undefined;
}

/** What a prepared candidate tells. */
export interface Prepared {
  /** The ports in use by bind key. */
  readonly ports: Readonly<Record<string, number>>;
  /** The addresses that are bound, as listings show them. */
  readonly addresses: readonly string[];
  /** The shared memories of its plugins and listeners, by `sharedKey`. */
  readonly memories: readonly string[];
}

/** A plugin as the admin interface lists it. */
export interface PluginReport {
  readonly name: string;
  readonly use: string;
  readonly hash: string;
  readonly points: readonly string[];
  readonly errors: number;
}

/** A backend as the admin interface lists it. */
export interface BackendReport extends BackendStates {
  readonly id: string;
  readonly cluster: string;
  readonly subcluster: string;
  readonly url: string;
  /** The last failure that a worker met there. */
  readonly lastError: NotedFailure | undefined;
  readonly active: number;
  readonly idle: number;
  readonly ok: number;
  readonly failed: number;
}

/** A session as the admin interface lists it. */
export interface SessionReport {
  readonly id: string;
  readonly worker: number;
  readonly listener: string;
  readonly protocol: "http" | "tcp";
  readonly remote: string;
  readonly startedAt: number;
  readonly transactions: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly state: string;
  readonly backend: string | undefined;
}

/** A listener as the admin interface lists it. */
export interface ListenerReport {
  readonly name: string;
  /** Its address as wsbalancer names it. */
  readonly id: string;
  readonly address: string;
  readonly protocol: "http" | "tcp";
  readonly state: string;
  /** An operator wants no new requests on it. */
  readonly paused: boolean;
  readonly open: number;
  /** Which runtime ends TLS there, and why; left out where there is none. */
  readonly tls?: TlsRuntime;
}

/** What a listed WebSocket session does. */
export type WebSocketState = "open" | "dialling" | "holding" | "draining";

/** A WebSocket session as the admin interface lists it. */
export interface WebSocketReport {
  readonly id: string;
  readonly worker: number;
  readonly listener: string;
  readonly cluster: string;
  /** The backend that it is on, or was on last. */
  readonly backend: string;
  /** The client's peer address. */
  readonly remote: string;
  /** The target of its handshake. */
  readonly uri: string;
  readonly state: WebSocketState;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Milliseconds since then. */
  readonly age: number;
  /** Milliseconds since it came to its backend. */
  readonly backendAge: number;
  /** Bytes of memory for messages that wait or may be sent again. */
  readonly buffered: number;
  /** How often it came to another backend. */
  readonly reconnects: number;
  /** Messages from the client. */
  readonly messagesReceived: number;
  /** Messages to the client. */
  readonly messagesSent: number;
}

/** Which WebSocket sessions are wanted; what is left out does not matter. */
export interface WebSocketQuery {
  readonly cluster?: string | undefined;
  readonly backend?: string | undefined;
  readonly listener?: string | undefined;
  readonly state?: WebSocketState | undefined;
  /** At most so many one by one. */
  readonly limit: number;
}

/** WebSocket sessions that were asked for. */
export interface WebSocketListing {
  /** How many there are, listed or not. */
  readonly open: number;
  readonly sessions: readonly WebSocketReport[];
}

/** The WebSocket session of this id, or all that are on this backend. */
export type MovedSessions =
  | { readonly id: string }
  | { readonly backend: string };

/** What an operator's wish to move sessions came to. */
export interface Moves {
  /** Sessions that it meant. */
  readonly sessions: number;
  /** Of these, those that are on their way; the others stay, as no other backend would take them. */
  readonly moving: number;
}

/** What a cache has on disk, as the admin interface tells. */
export interface CacheDiskReport {
  /** Responses that are stored. */
  readonly entries: number;
  /** Bytes that they take, bookkeeping counted. */
  readonly bytes: number;
  /** Bytes that they may take. */
  readonly capacity: number;
  /** Since the start, or since its path or size changed: responses forgotten for want of room, */
  readonly evicted: number;
  /** times that the disk could not be used, or something on it was not as written, */
  readonly errors: number;
  /** responses that stayed in memory alone, as too much waited for the disk, */
  readonly skipped: number;
  /** bytes read and written. */
  readonly read: number;
  readonly written: number;
  /** Parts that it has, and those that are in use: fewer while they are read, or another process has them. */
  readonly shards: number;
  readonly ready: number;
}

/** What a cache holds, as the admin interface tells. */
export interface CacheReport {
  /** Responses that are stored. */
  readonly entries: number;
  /** Bytes that they take, bookkeeping counted. */
  readonly bytes: number;
  /** Bytes that they may take. */
  readonly capacity: number;
  /** Responses forgotten for want of room, since the start. */
  readonly evicted: number;
  /** Requests to backends whose answer may be stored, on their way. */
  readonly fetches: number;
  /** Requests that wait for one of them. */
  readonly waiting: number;
  /** Bodies on their way in. */
  readonly fills: number;
  /** Responses that are fetched anew behind clients' backs. */
  readonly refreshes: number;
  /** The disk behind it; left out where there is none. */
  readonly disk?: CacheDiskReport;
  /** What workers share; left out where there is one. */
  readonly shared?: SharedCacheReport;
}

/** What workers tell each other of their parts of the cache, added up. */
export interface SharedCacheReport {
  /** Copies of small objects in workers that don't own them. */
  readonly copies: number;
  /** Bytes that they take, within `capacity` but not in `bytes`. */
  readonly copyBytes: number;
  /** Lookups in the worker's own part, by a copy, by the owner, and while the owner was not there. */
  readonly own: number;
  readonly copy: number;
  readonly owner: number;
  readonly none: number;
}

/** What a data plane tells of itself. */
export interface PlaneReport {
  readonly revision: number;
  readonly metrics: MetricSnapshot;
  readonly listeners: readonly ListenerReport[];
  readonly plugins: readonly PluginReport[];
  readonly backends: readonly BackendReport[];
  /** At most so many as asked for; `sessionsOpen` counts all. */
  readonly sessions: readonly SessionReport[];
  readonly sessionsOpen: number;
  /** Left out where no config wanted a cache. */
  readonly cache?: CacheReport | undefined;
}

/** What an operator may want of a dialer's backends. */
export type AdministerAction = keyof BackendAdministrator;

/** What a dialer's administrator answered. */
export interface Administered {
  /** 1 done, 3 nothing to do, 4 failed. */
  readonly result: AdminResult;
  /** What `list`, `config` and `add` gave, as JSON; left out for others, and where it failed. */
  readonly json?: string;
}

/** What an operator asks a plugin. */
export interface PluginRequest {
  /** The plugin's name. */
  readonly plugin: string;
  readonly method: string;
  readonly url: string;
  readonly headers: [name: string, value: string][];
  /** Undefined where it has none. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

/** What came of it. */
export type PluginAnswer =
  | PluginResponse
  /** It threw, took too long, or gave no response. */
  | { readonly kind: "failed"; readonly reason: string }
  /** No plugin of this name answers operators. */
  | { readonly kind: "none" };

/** What a plugin answers an operator. */
export interface PluginResponse {
  readonly kind: "response";
  readonly status: number;
  readonly headers: [name: string, value: string][];
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What a data plane can be asked; every call may be answered from another thread. */
export interface PlaneControl {
  /**
   * Takes a candidate as far as possible without using it: plugins set up,
   * conditions compiled, new listeners bound. Rejects with a
   * {@linkcode RefusedError} and nothing has changed.
   */
  prepare(candidate: Candidate): Promise<Prepared>;
  /** Makes the prepared candidate the current config, at once. */
  commit(revision: number): Promise<void>;
  /** Forgets the candidate, where it was prepared; listeners have the options of the current config again, whichever plane gave them others. */
  discard(revision: number): Promise<void>;
  /** What there is; at most so many sessions one by one. */
  report(sessions: number): Promise<PlaneReport>;
  /** Which way a request would take now. Rejects with a {@linkcode RefusedError} where it describes none. */
  explain(request: DescribedRequest): Promise<Explanation>;
  /** What happened to a transaction that was traced; undefined where the plane knows none of this id (any more). */
  trace(id: string): Promise<TraceReport | undefined>;
  /** A backend's state changed: plugins are told. */
  backendChanged(event: BackendEvent): Promise<void>;
  /** WebSocket sessions that are open. */
  listWebSockets(query: WebSocketQuery): Promise<WebSocketListing>;
  /** Closes a WebSocket session with 1000; false where there is none of this id. */
  abortWebSocket(id: string): Promise<boolean>;
  /** Moves one WebSocket session, or all of a backend, to other backends in order. */
  moveWebSockets(which: MovedSessions): Promise<Moves>;
  /** Forgets stored responses, in all planes that share a cache with this one; how many there were. */
  purgeCache(purge: Purge): Promise<number>;
  /** Takes new requests on all addresses but these, as listings show them. */
  pause(addresses: readonly string[]): Promise<void>;
  /** Listens anew at its unix sockets' paths that another process had and has left. */
  regainListeners(): Promise<void>;
  /**
   * Asks the administrator of a cluster's dialer: `argument` is a backend's id,
   * for `add` JSON, for `list` nothing. Sessions of a backend that was deleted go
   * to another one. Undefined where the cluster has no dialer, or one without an
   * administrator.
   */
  administer(
    cluster: string,
    action: AdministerAction,
    argument: string,
  ): Promise<Administered | undefined>;
  /** Has a plugin answer an operator. */
  askPlugin(request: PluginRequest): Promise<PluginAnswer>;
  /**
   * Stops accepting and resolves when all sessions have ended, at the latest
   * after so many milliseconds, when they are cut. `handedOver`: another process
   * has the addresses too.
   */
  drain(timeout: number, handedOver?: boolean): Promise<void>;
  /** Ends it: cuts what is open, ends the plugins. */
  stop(): Promise<void>;
}

/** A candidate that a data plane refuses, with every reason. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}
