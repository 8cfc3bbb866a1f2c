/**
 * A data plane: listeners, sessions and backends by one snapshot, told what to
 * do over the control channel. One value without state outside of it: it runs
 * once per worker.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import type { Backend } from "../connect/backend.ts";
import { BackendRegistry } from "../connect/backend_registry.ts";
import type { DescribedRequest } from "../explain/described_request.ts";
import type { Explanation } from "../explain/explanation.ts";
import type { LineFileSource } from "../observe/line_files.ts";
import type { CoreLog } from "../observe/log.ts";
import { LoopLagMeter } from "../observe/loop_lag.ts";
import type { MetricRegistry } from "../observe/metrics.ts";
import type { BackendEvent } from "../plugin.ts";
import type { Builtins } from "../plugins/import_plugin.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { SessionHost } from "../session/host.ts";
import type { Session } from "../session/session.ts";
import type { TraceReport } from "../session/trace_report.ts";
import type { Transaction } from "../session/transaction.ts";
import type { WebSocketSession } from "../session/websocket_session.ts";
import type { SharedSource } from "../shared/shared_memory.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { askAdministrator } from "./administer.ts";
import { BoundListeners } from "./bound_listeners.ts";
import { refreshCached } from "./cache_refresh.ts";
import { ConfigTurnover } from "./config_turnover.ts";
import type {
  AdministerAction,
  Administered,
  Candidate,
  MovedSessions,
  Moves,
  PlaneControl,
  PlaneReport,
  PlaneSettings,
  PluginAnswer,
  PluginRequest,
  Prepared,
  WebSocketListing,
  WebSocketQuery,
} from "./control.ts";
import { Entrances } from "./entrances.ts";
import { explainServed, explainTried } from "./explanations.ts";
import { NodeTls } from "./node_tls.ts";
import { OpenSessions } from "./open_sessions.ts";
import { type CachePeers, PlaneCache } from "./plane_cache.ts";
import { PlanePlugins } from "./plane_plugins.ts";
import { askAdmin } from "./plugin_admin.ts";
import { reportPlane } from "./report.ts";
import { SharedCounts } from "./shared_counts.ts";
import { Tally } from "./tally.ts";
import { Traces } from "./traces.ts";
import { TransactionCounts } from "./transaction_counts.ts";
import { WebSocketSessions } from "./websockets.ts";

/** What a data plane is made of. */
export interface DataPlaneParts {
  readonly settings: PlaneSettings;
  readonly env: PlaneEnv;
  readonly registry: MetricRegistry;
  readonly log: CoreLog;
  readonly builtins: Builtins;
  /** Gives plugins the memory that they share with those of other planes. */
  readonly shared: SharedSource;
  /** Opens files that plugins append lines to. */
  readonly lineFiles: LineFileSource;
  /** Is told of each change of a backend's state that this plane made; undefined = only its own plugins are. */
  readonly onBackendEvent: ((event: BackendEvent) => void) | undefined;
  /** Tells of the other planes' caches; undefined = there are none. */
  readonly cachePeers: CachePeers | undefined;
}

/** A data plane. */
export class DataPlane implements PlaneControl, SessionHost {
  readonly env: PlaneEnv;
  readonly backends: BackendRegistry;
  readonly plugins: PlanePlugins;
  readonly caches: PlaneCache;
  readonly sessions: OpenSessions;
  readonly websockets: WebSocketSessions;
  readonly listeners: BoundListeners;
  readonly traces: Traces;
  draining = false;

  readonly #parts: DataPlaneParts;
  readonly #turnover: ConfigTurnover;
  readonly #entrances: Entrances;
  readonly #counts: TransactionCounts;
  readonly #lag: LoopLagMeter;
  readonly #late = new Set<Promise<unknown>>();

  constructor(parts: DataPlaneParts) {
    this.#parts = parts;
    this.env = parts.env;
    const { worker, workers, seat = worker, epoch } = parts.settings;
    const tally = new Tally(parts.settings.tally);
    this.websockets = new WebSocketSessions({
      worker,
      env: parts.env,
      tally,
      current: () => this.current,
    });
    this.sessions = new OpenSessions({
      env: parts.env,
      tally,
      closeInOrder: () => this.websockets.closeAll(),
    });
    this.backends = new BackendRegistry(parts.env, {
      worker: seat,
      workers,
      epoch,
      notify: parts.onBackendEvent ?? ((event) => this.backendChanged(event)),
    });
    this.traces = new Traces(parts.settings.token, parts.env.log);
    this.caches = new PlaneCache({
      worker,
      workers,
      clock: parts.env.clock,
      log: parts.env.log,
      metrics: parts.env.metrics,
      peers: parts.cachePeers,
    });
    this.#entrances = new Entrances({
      host: this,
      frontend: (key) => this.listeners.frontend(key),
    });
    const shared = new SharedCounts({ workers, seat, source: parts.shared });
    const nodeTls = new NodeTls(parts.env.deadlines);
    this.listeners = new BoundListeners({
      worker,
      shared,
      clock: parts.env.clock,
      log: parts.env.log,
      acceptor: (key) => this.#entrances.at(key),
      nodeTlsProblem: (tls) => nodeTls.problem(tls),
    });
    this.plugins = new PlanePlugins({
      env: parts.env,
      registry: parts.registry,
      log: parts.log,
      builtins: parts.builtins,
      seat,
      shared: parts.shared,
      lineFiles: parts.lineFiles,
      enter: (initiator, listener) =>
        this.#entrances.enter(initiator, listener),
    });
    this.#turnover = new ConfigTurnover({
      env: parts.env,
      plugins: this.plugins,
      backends: this.backends,
      caches: this.caches,
      listeners: this.listeners,
      shared,
      nodeTls,
      secret: parts.settings.secret ??
        crypto.getRandomValues(new Uint8Array(32)),
      onChanged: () => this.#leaveWhatIsGone(),
    });
    const { metrics, clock } = parts.env;
    this.#counts = new TransactionCounts(metrics);
    this.#lag = new LoopLagMeter({
      clock,
      histogram: metrics.eventLoopLag.series(),
    });
    for (const direction of ["in", "out"] as const) {
      metrics.bytes.collect(
        () => parts.env.clientBytes[direction],
        direction,
        "client",
      );
      metrics.bytes.collect(
        () => parts.env.backendBytes[direction],
        direction,
        "backend",
      );
    }
  }

  /** What a transaction that starts now goes by. */
  get current(): Snapshot {
    return this.#turnover.current;
  }

  // ------------------------------------------------------------ PlaneControl

  prepare(candidate: Candidate): Promise<Prepared> {
    return this.#turnover.prepare(candidate);
  }

  /** As `prepare`, but binds nothing and keeps nothing: for `headrace check`. */
  async check(candidate: Candidate): Promise<void> {
    await this.#turnover.try(candidate, () => {});
  }

  /** As `check`, and explains a request by the candidate. Rejects with a `DescriptionError` too. */
  async checkAndExplain(
    candidate: Candidate,
    request: DescribedRequest,
  ): Promise<Explanation> {
    return await this.#turnover.try(
      candidate,
      (snapshot) => explainTried(request, snapshot, this.env),
    );
  }

  /** As `prepare` and `commit`, but binds nothing: for proxies in memory. */
  async adopt(candidate: Candidate): Promise<void> {
    await this.#turnover.adopt(candidate);
  }

  async commit(revision: number): Promise<void> {
    await this.#turnover.commit(revision);
  }

  async discard(revision: number): Promise<void> {
    await this.#turnover.discard(revision);
  }

  explain(request: DescribedRequest): Promise<Explanation> {
    return new Promise((resolve) =>
      resolve(explainServed(request, this.current, this.env, this.listeners))
    );
  }

  trace(id: string): Promise<TraceReport | undefined> {
    return Promise.resolve(this.traces.find(id));
  }

  report(sessions: number): Promise<PlaneReport> {
    return Promise.resolve(
      reportPlane(this, {
        settings: this.#parts.settings,
        registry: this.#parts.registry,
        sessions,
      }),
    );
  }

  backendChanged(event: BackendEvent): Promise<void> {
    this.plugins.backendChanged(event);
    this.websockets.backendChanged(event);
    return Promise.resolve();
  }

  listWebSockets(query: WebSocketQuery): Promise<WebSocketListing> {
    return Promise.resolve(this.websockets.list(query));
  }

  abortWebSocket(id: string): Promise<boolean> {
    return Promise.resolve(this.websockets.abort(id));
  }

  moveWebSockets(which: MovedSessions): Promise<Moves> {
    return Promise.resolve(this.websockets.move(which));
  }

  purgeCache(purge: Purge): Promise<number> {
    return this.caches.purge(purge);
  }

  pause(addresses: readonly string[]): Promise<void> {
    this.listeners.pause(new Set(addresses));
    return Promise.resolve();
  }

  async regainListeners(): Promise<void> {
    await this.listeners.regain(this.current.listeners);
  }

  async administer(
    cluster: string,
    action: AdministerAction,
    argument: string,
  ): Promise<Administered | undefined> {
    const dialer = this.current.dialer(cluster);
    const answer = await askAdministrator(this.env, dialer, action, argument);
    // Where workers share what they know, all but one have nothing to do.
    if (action === "delete" && answer !== undefined && answer.result !== 4) {
      this.websockets.leaveDeleted(cluster, argument);
    }
    return answer;
  }

  askPlugin(request: PluginRequest): Promise<PluginAnswer> {
    // What answers lives until it has.
    const snapshot = this.current.retain();
    const bound = snapshot.admin(request.plugin);
    const asked = askAdmin(this.env, bound, request)
      .finally(() => snapshot.release());
    this.outlives(asked);
    return asked;
  }

  async drain(timeout: number, handedOver = false): Promise<void> {
    this.draining = true;
    const closed = this.listeners.close({ handedOver });
    this.sessions.drain();
    await closed;
    await this.sessions.over(timeout);
  }

  async stop(): Promise<void> {
    this.draining = true;
    this.#turnover.refuse();
    await this.listeners.close();
    await this.sessions.cut();
    this.#lag[Symbol.dispose]();
    await this.#turnover.end();
    this.caches.leave();
    await Promise.all(this.#late);
    await this.caches.close();
    await this.plugins.settled();
  }

  // ------------------------------------------------------------- SessionHost

  opened(session: Session): void {
    this.sessions.add(session);
  }

  ended(session: Session): void {
    this.sessions.delete(session);
  }

  websocketOpened(session: WebSocketSession): void {
    this.websockets.add(session);
  }

  websocketSettled(session: WebSocketSession): void {
    this.websockets.moveOrphan(session);
  }

  websocketEnded(session: WebSocketSession): void {
    this.websockets.delete(session);
  }

  count(transaction: Transaction): void {
    this.#counts.count(transaction);
  }

  refresh(
    transaction: Transaction,
    ended: () => void,
    may?: Promise<boolean>,
  ): void {
    if (this.draining) {
      if (may === undefined) ended();
      else this.outlives(may.then(ended));
      return;
    }
    const refreshed = refreshCached(this.#entrances, transaction, may);
    const tried = refreshed.catch((error) => {
      this.env.log.debug("A stored response could not be fetched anew", {
        error,
      });
    });
    this.outlives(tried.finally(ended));
  }

  refuseRetry(backend: Backend): void {
    backend.attempts.retryRefused.add();
    this.env.log.debug("A handler's retry could not be followed", {
      backend: backend.id,
    });
  }

  outlives(work: Promise<unknown>): void {
    this.#late.add(work);
    work.finally(() => this.#late.delete(work));
  }

  // ---------------------------------------------------------------- the rest

  /** Sessions whose listener is gone end after their current transaction, those whose backend is gone go to another. */
  #leaveWhatIsGone(): void {
    this.sessions.drain(({ listener }) =>
      this.current.listener(listener) === undefined
    );
    this.websockets.moveOrphans();
  }
}
