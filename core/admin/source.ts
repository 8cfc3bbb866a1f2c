/**
 * What the admin interface sees of the proxy: enough to tell and to control,
 * so that tests can put something else in its place.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import type { BackendConfig, Config } from "../config/config.ts";
import type {
  AdministerAction,
  Administered,
  ListenerReport,
  MovedSessions,
  Moves,
  PluginAnswer,
  PluginRequest,
  WebSocketListing,
  WebSocketQuery,
} from "../data_plane/control.ts";
import type {
  BackendAddition,
  BackendName,
} from "../supervisor/backend_changes.ts";
import type { AdminState } from "../health/backend_row.ts";
import type { DescribedRequest } from "../explain/described_request.ts";
import type { Explanation } from "../explain/explanation.ts";
import type { TraceReport } from "../session/trace_report.ts";
import type { BackendChange } from "../supervisor/backends.ts";
import type { ProxyReport } from "../supervisor/proxy_report.ts";

/** What the supervisor is to the admin interface. */
export interface AdminSource {
  /** The config that is in use, with what operators changed. */
  readonly config: Config;
  readonly state: "starting" | "ready" | "draining" | "stopped";
  /** Why the last reload was refused; undefined where it was not. */
  readonly lastRefusal: readonly string[] | undefined;
  /** All workers' reports, added up; at most so many sessions one by one. */
  report(sessions: number): Promise<ProxyReport>;
  /** What an operator wants of a backend; undefined where there is none of this id. */
  backendState(id: string): AdminState | undefined;
  /** Which way a request would take now, as one worker sees it. Rejects with a `RefusedError` where it describes none. */
  explain(request: DescribedRequest): Promise<Explanation>;
  /** What happened to a transaction that was traced; undefined where no worker knows one of this id (any more). */
  trace(id: string): Promise<TraceReport | undefined>;
  /** Changes a backend until the next start; false where there is none of this id. */
  changeBackend(id: string, change: BackendChange): boolean;
  /** Closes a backend's breaker and ends its ejection; whether there was anything to do, undefined where there is none of this id. */
  resetBackend(id: string): boolean | undefined;
  /** Adds a backend until the next start; it with its defaults. Rejects with a `BackendRefusal`, or a `RefusedError` where the planes can't take it. */
  addBackend(addition: BackendAddition): Promise<BackendConfig>;
  /** Deletes a backend; false where there is none of this name. Rejects as `addBackend` does. */
  deleteBackend(name: BackendName): Promise<boolean>;
  /** WebSocket sessions of all workers. */
  listWebSockets(query: WebSocketQuery): Promise<WebSocketListing>;
  /** Closes a WebSocket session with 1000; false where there is none of this id. */
  abortWebSocket(id: string): Promise<boolean>;
  /** Moves WebSocket sessions to other backends. */
  moveWebSockets(which: MovedSessions): Promise<Moves>;
  /** Forgets stored responses; how many there were, undefined where there is no cache. Rejects with a `RefusedError` where nobody can do it now. */
  purgeCache(purge: Purge): Promise<number | undefined>;
  /** Answers 503 to new requests on http listeners' addresses, or takes them again; false where there was nothing to do, undefined where none is meant. Rejects with a `RefusedError`. */
  pause(
    which: (listener: ListenerReport) => boolean,
    paused: boolean,
  ): Promise<boolean | undefined>;
  /** Asks the administrator of a cluster's dialer, in every worker: `argument` is a backend's id, for `add` JSON; undefined where there is none. */
  administer(
    cluster: string,
    action: AdministerAction,
    argument: string,
  ): Promise<Administered | undefined>;
  /** Has a plugin answer, in one worker. Rejects with a `RefusedError` where none is there now. */
  askPlugin(request: PluginRequest): Promise<PluginAnswer>;
  /** Swaps the config anew. Rejects with a `RefusedError` and the old one stays. */
  reload(): Promise<void>;
  /** Stops accepting; resolves when the last session has ended. */
  drain(): Promise<void>;
}
