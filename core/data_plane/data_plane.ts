/**
 * A data plane: listeners, sessions and backends by one snapshot, told what to
 * do over the control channel. One value without state outside of it: it runs
 * once per worker.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import type { ListenerConfig } from "../config/config.ts";
import type { Backend } from "../connect/backend.ts";
import { BackendRegistry } from "../connect/backend_registry.ts";
import { ClusterLives } from "../balance/cluster_life.ts";
import { LoopLagMeter } from "../observe/loop_lag.ts";
import type { MetricRegistry } from "../observe/metrics.ts";
import type { LineFileSource } from "../observe/line_files.ts";
import type { CoreLog } from "../observe/log.ts";
import {
  type DescribedRequest,
  DescriptionError,
} from "../explain/described_request.ts";
import { explain, type ExplainOptions } from "../explain/explain.ts";
import type { Explanation } from "../explain/explanation.ts";
import type { AddressesOf } from "../explain/find_listener.ts";
import type { BackendEvent } from "../plugin.ts";
import type { Builtins } from "../plugins/import_plugin.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { SessionHost } from "../session/host.ts";
import type { Session } from "../session/session.ts";
import type { WebSocketSession } from "../session/websocket_session.ts";
import type { TraceReport } from "../session/trace_report.ts";
import type { Transaction } from "../session/transaction.ts";
import type { SharedSource } from "../shared/shared_memory.ts";
import { buildSnapshot, SnapshotError } from "../snapshot/build.ts";
import type { PluginUse } from "../snapshot/handler_tables.ts";
import { Snapshot } from "../snapshot/snapshot.ts";
import { askAdministrator } from "./administer.ts";
import { BoundListeners, type PreparedListeners } from "./bound_listeners.ts";
import type { Termination } from "../tls/termination.ts";
import { probeNodeTls } from "../tls/probe.ts";
import {
  type AdministerAction,
  type Administered,
  type Candidate,
  type MovedSessions,
  type Moves,
  type PlaneControl,
  type PlaneReport,
  type PlaneSettings,
  type Prepared,
  RefusedError,
  type WebSocketListing,
  type WebSocketQuery,
} from "./control.ts";
import { refreshCached } from "./cache_refresh.ts";
import { Entrances } from "./entrances.ts";
import { OpenSessions } from "./open_sessions.ts";
import { type CachePeers, PlaneCache } from "./plane_cache.ts";
import { PlanePlugins } from "./plane_plugins.ts";
import { boundAddresses, configuredAddresses } from "./listen_addresses.ts";
import { reportPlane } from "./report.ts";
import { Traces } from "./traces.ts";
import { Tally } from "./tally.ts";
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

/** A candidate on its way to be the current config. */
interface Pending {
  readonly revision: number;
  readonly snapshot: Snapshot;
  readonly listeners: PreparedListeners;
  readonly paused: readonly string[];
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
  current: Snapshot;
  draining = false;

  readonly #parts: DataPlaneParts;
  readonly #secret: Uint8Array;
  readonly #lives: ClusterLives;
  readonly #entrances: Entrances;
  readonly #counts: TransactionCounts;
  readonly #lag: LoopLagMeter;
  readonly #late = new Set<Promise<unknown>>();
  #pending: Pending | undefined;
  #ended = false;
  /** What is wrong with the runtime's `node:tls`, once a listener needed it. */
  #nodeTls: Promise<string | undefined> | undefined;

  constructor(parts: DataPlaneParts) {
    this.#parts = parts;
    this.#secret = parts.settings.secret ??
      crypto.getRandomValues(new Uint8Array(32));
    this.env = parts.env;
    this.#lives = new ClusterLives(parts.env.deadlines);
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
      workers,
      frontend: (key) => this.listeners.frontend(key),
    });
    this.listeners = new BoundListeners({
      worker,
      clock: parts.env.clock,
      log: parts.env.log,
      acceptor: (key) => this.#entrances.at(key),
      nodeTlsProblem: (tls) => this.#nodeTlsProblem(tls),
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
    this.current = new Snapshot({
      revision: 0,
      clusters: new Map(),
      dialers: new Map(),
      onUnused: () => {},
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

  // ------------------------------------------------------------ PlaneControl

  async prepare(candidate: Candidate): Promise<Prepared> {
    const { revision, ports, paused = [] } = candidate;
    const uses = await this.plugins.acquire(candidate);
    let snapshot: Snapshot | undefined;
    try {
      snapshot = this.#build(candidate, uses);
      await this.#probeTls(snapshot);
      const listeners = await this.listeners.prepare(
        snapshot.listeners,
        ports,
      );
      this.#pending = { revision, snapshot, listeners, paused };
    } catch (thrown) {
      if (snapshot !== undefined) snapshot.release();
      else this.plugins.release(uses);
      this.#retireUnused();
      throw refusal(thrown);
    }
    if (this.#ended) {
      await this.discard(revision);
      throw new RefusedError(["The data plane has ended"]);
    }
    const { all, ports: used } = this.#pending.listeners;
    return {
      ports: used,
      addresses: Array.from(all.values(), ({ frontend }) => frontend.address),
      memories: this.plugins.memoriesOf(uses),
    };
  }

  /** As `prepare`, but binds nothing and keeps nothing: for `headrace check`. */
  async check(candidate: Candidate): Promise<void> {
    await this.#try(candidate, (snapshot) => this.#probeTls(snapshot));
  }

  /** As `check`, and explains a request by the candidate. Rejects with a `DescriptionError` too. */
  async checkAndExplain(
    candidate: Candidate,
    request: DescribedRequest,
  ): Promise<Explanation> {
    return await this.#try(candidate, async (snapshot) => {
      await this.#probeTls(snapshot);
      return this.#explain(request, snapshot, configuredAddresses);
    });
  }

  async commit(revision: number): Promise<void> {
    const pending = this.#takePending(revision);
    const old = this.current;
    this.current = pending.snapshot;
    this.caches.use(pending.snapshot.cache?.cache);
    for (const cluster of pending.snapshot.clusters.values()) {
      cluster.activate();
    }
    this.listeners.pause(new Set(pending.paused), pending.listeners);
    const swapped = this.listeners.commit(pending.listeners);
    this.#retireUnused();
    // Sessions whose listener is gone end after their current transaction.
    this.sessions.drain(({ listener }) =>
      this.current.listener(listener) === undefined
    );
    this.websockets.moveOrphans();
    old.release();
    await swapped;
  }

  async discard(revision: number): Promise<void> {
    const { listeners, snapshot } = this.#takePending(revision);
    snapshot.release();
    this.#retireUnused();
    await this.listeners.discard(listeners);
  }

  explain(request: DescribedRequest): Promise<Explanation> {
    const addressesOf = (config: ListenerConfig) =>
      boundAddresses(config, this.listeners.of(config));
    try {
      return Promise.resolve(
        this.#explain(request, this.current, addressesOf, (config, port) => {
          const all = this.listeners.of(config);
          const reached = all.filter(({ address }) => address.port === port);
          return (reached.length > 0 ? reached : all).some(({ frontend }) =>
            frontend.paused
          );
        }),
      );
    } catch (thrown) {
      // Other errors' kinds don't come over the control channel.
      return Promise.reject(
        thrown instanceof DescriptionError
          ? new RefusedError([thrown.message])
          : thrown,
      );
    }
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

  async administer(
    cluster: string,
    action: AdministerAction,
    argument: string,
  ): Promise<Administered | undefined> {
    const dialer = this.current.dialer(cluster);
    const answer = await askAdministrator(this.env, dialer, action, argument);
    if (action === "delete" && answer?.result === 1) {
      this.websockets.leaveDeleted(cluster, argument);
    }
    return answer;
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
    this.#ended = true;
    await this.listeners.close();
    this.sessions.cut();
    this.#lag[Symbol.dispose]();
    if (this.#pending !== undefined) await this.discard(this.#pending.revision);
    const old = this.current;
    this.current = new Snapshot({
      revision: -1,
      clusters: new Map(),
      dialers: new Map(),
      onUnused: () => {},
    });
    this.#retireUnused();
    old.release();
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

  // ----------------------------------------------------------------- the rest

  #build(candidate: Candidate, uses: readonly PluginUse[]): Snapshot {
    return buildSnapshot({
      revision: candidate.revision,
      config: candidate.config,
      files: candidate.files,
      plugins: uses,
      backends: this.backends,
      lives: this.#lives,
      rows: candidate.rows,
      secret: this.#secret,
      clock: this.env.clock,
      metrics: this.env.metrics,
      cache: (config) => this.caches.open(config),
      onUnused: () => this.plugins.release(uses),
    });
  }

  /** Rejects with a {@linkcode RefusedError} where listeners need more of the runtime's TLS than it does. */
  async #probeTls({ listeners }: Snapshot): Promise<void> {
    const needs = [...listeners].flatMap(({ name, tls }) =>
      tls?.runtime === "node:tls" ? [{ name, tls }] : []
    );
    const [first] = needs;
    if (first === undefined) return;
    const problem = await this.#nodeTlsProblem(first.tls);
    if (problem === undefined) return;
    const { deno } = Deno.version;
    throw new RefusedError(
      needs.map(({ name, tls }) =>
        `listeners "${name}" tls: node:tls is needed for ${tls.reason}, and Deno ${deno} does not do it right: ${problem}`
      ),
    );
  }

  /** What is wrong with the runtime's `node:tls`; it is tried once. */
  #nodeTlsProblem({ certificates }: Termination): Promise<string | undefined> {
    return this.#nodeTls ??= probeNodeTls(certificates, this.env.deadlines);
  }

  /** What `use` makes of a candidate that is built and forgotten. */
  async #try<T>(
    candidate: Candidate,
    use: (snapshot: Snapshot) => Promise<T>,
  ): Promise<T> {
    const uses = await this.plugins.acquire(candidate);
    let snapshot: Snapshot | undefined;
    try {
      snapshot = this.#build(candidate, uses);
      return await use(snapshot);
    } catch (thrown) {
      throw refusal(thrown);
    } finally {
      if (snapshot === undefined) this.plugins.release(uses);
      else snapshot.release();
    }
  }

  #explain(
    request: DescribedRequest,
    snapshot: Snapshot,
    addressesOf: AddressesOf,
    isPaused: ExplainOptions["isPaused"] = () => false,
  ): Explanation {
    const { clock, instance } = this.env;
    return explain(request, {
      snapshot,
      clock,
      instance,
      addressesOf,
      isPaused,
    });
  }

  #takePending(revision: number): Pending {
    const pending = this.#pending;
    if (pending?.revision !== revision) {
      throw new RangeError(
        `Cannot use revision ${revision} as it is not prepared: prepared is ${pending?.revision}`,
      );
    }
    this.#pending = undefined;
    return pending;
  }

  /** Backends that neither the current nor the prepared config has. */
  #retireUnused(): void {
    const clusters = [this.current, this.#pending?.snapshot].flatMap(
      (snapshot) => [...snapshot?.clusters.values() ?? []],
    );
    this.#lives.keep(new Set(clusters.map(({ name }) => name)));
    const kept = clusters.flatMap(({ members }) =>
      members.map(({ backend }) => backend)
    );
    this.backends.retireOthers(new Set(kept));
  }
}

function refusal(thrown: unknown): Error {
  if (thrown instanceof SnapshotError) return new RefusedError(thrown.problems);
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
