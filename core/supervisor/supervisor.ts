/**
 * The supervisor: one per process, in the main thread. It loads configs, has
 * all data planes change at once, and leads the process to its end.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import { resolvePath } from "../config/load.ts";
import type { BackendConfig, Config } from "../config/config.ts";
import type {
  AdministerAction,
  Administered,
  Candidate,
  ListenerReport,
  MovedSessions,
  Moves,
  PluginAnswer,
  PluginRequest,
  WebSocketListing,
  WebSocketQuery,
} from "../data_plane/control.ts";
import { RefusedError } from "../data_plane/control.ts";
import type { AdminState } from "../health/backend_row.ts";
import type { DescribedRequest } from "../explain/described_request.ts";
import type { Explanation } from "../explain/explanation.ts";
import { TemporaryFiles } from "../message/body_files.ts";
import type { Clock } from "../net/clock.ts";
import { type LookUp, Resolver } from "../net/resolver.ts";
import { LineFiles } from "../observe/line_files.ts";
import type { CoreLog } from "../observe/log.ts";
import {
  createProxyMetrics,
  type ProxyMetrics,
} from "../observe/metric_names.ts";
import { MetricRegistry } from "../observe/metrics.ts";
import type { Builtins } from "../plugins/import_plugin.ts";
import type { Embedding } from "../plugins/embedded.ts";
import {
  add,
  type BackendAddition,
  type BackendName,
  checkAddition,
  remove,
} from "./backend_changes.ts";
import type { TraceReport } from "../session/trace_report.ts";
import { controlPath } from "../takeover/hand_over.ts";
import { ListenerLocks } from "../takeover/listener_locks.ts";
import type { Predecessors } from "../takeover/predecessors.ts";
import { type BackendChange, Backends } from "./backends.ts";
import { CertificateWatch, DEFAULT_INTERVAL } from "./certificate_watch.ts";
import type { ConfigWatch } from "./config_watch.ts";
import { DEFAULT_HEARTBEAT, type Heartbeat } from "./heartbeat.ts";
import {
  type ConfigSource,
  loadCandidate,
  type LoadedConfig,
} from "./load_candidate.ts";
import { trimMemory } from "./memory_trim.ts";
import { Names } from "./names.ts";
import { Planes } from "./planes.ts";
import { seatCount } from "./seats.ts";
import type { StartPlane } from "./start_plane.ts";
import { startWorker } from "./worker_plane.ts";
import { mergeReports, type ProxyReport } from "./proxy_report.ts";

/** What a supervisor is made of. */
export interface SupervisorOptions {
  readonly source: ConfigSource;
  readonly env: (name: string) => string | undefined;
  readonly builtins: Builtins;
  readonly cacheDir: string;
  /** The folder of what this user's Headraces have to know of each other. */
  readonly runDir: string;
  /** What the executable that this is holds; left out where Deno runs the sources. */
  readonly embedding?: Embedding | undefined;
  readonly clock: Clock;
  readonly log: CoreLog;
  /** Signs of life of workers; every second, lost after ten. */
  readonly heartbeat?: Heartbeat;
  /** Starts a data plane; in a worker. */
  readonly startPlane?: StartPlane;
  /** Looks up backends' names where clusters ask all of them; the system. */
  readonly lookUp?: LookUp | undefined;
  /** Milliseconds between two looks at the files of certificates; 5 s. */
  readonly certificateInterval?: number;
}

/** The state of the whole process. */
export type SupervisorState = "starting" | "ready" | "draining" | "stopped";

/** What is made once at the start: a reload leaves it as it is. */
function onlyAtStart(
  { workers, io, log, admin: { address, token } }: Candidate["config"],
): Readonly<Record<string, unknown>> {
  return { workers, io, log, admin: { address, token } };
}

/** Those whose addresses are taken over. */
export type Predecessor = Pick<Predecessors, "controls" | "secret">;

/** Loads, reloads, drains. */
export class Supervisor {
  /** Where another process asks this one to hand its addresses over. */
  readonly control: string;
  /** What sticky cookies are signed with; that of those who were taken over from, if there were any. */
  secret: Uint8Array = crypto.getRandomValues(new Uint8Array(32));
  state: SupervisorState = "starting";
  /** The last reload that was refused since the last good one. */
  lastRefusal: readonly string[] | undefined;

  readonly #options: SupervisorOptions;
  /** Of all workers, over reloads. */
  readonly #lineFiles: LineFiles;
  readonly #registry = new MetricRegistry();
  readonly #metrics: ProxyMetrics;
  #planes: Planes | undefined;
  #backends: Backends | undefined;
  #names: Names | undefined;
  #watch: CertificateWatch | undefined;
  #configWatch: ConfigWatch | undefined;
  #trim: Disposable | undefined;
  #locks: ListenerLocks | undefined;
  #started: Candidate["config"] | undefined;
  #finish: () => void = () => {};
  /** Resolves when it has drained or was cut: nothing is left to wait for. */
  readonly finished: Promise<void> = new Promise((resolve) =>
    this.#finish = resolve
  );

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.control = controlPath(options.runDir);
    this.#lineFiles = new LineFiles(options.log);
    this.#metrics = createProxyMetrics(this.#registry);
  }

  /** The config that is in use. Throws before `start`. */
  get config(): Candidate["config"] {
    const current = this.#planes?.current;
    if (current === undefined) throw new Error("Nothing is loaded yet");
    return current.config;
  }

  /** Begins to serve a loaded config, beside those that hand their addresses over. Rejects with a {@linkcode RefusedError}. */
  async start(loaded: LoadedConfig, from?: Predecessor): Promise<void> {
    const { workers, io, log: logConfig, admin: { token } } = loaded.config;
    const { clock, log, heartbeat, lookUp } = this.#options;
    const resolver = new Resolver(clock, lookUp);
    const count = workers === "auto" ? navigator.hardwareConcurrency : workers;
    this.#backends = new Backends({
      seats: seatCount(count),
      clock,
      log,
      metrics: this.#metrics,
      resolver,
      tellPlanes: (event) => void this.#planes!.backendChanged(event),
    });
    this.#names = new Names({
      clock,
      log,
      resolver,
      renew: () => this.#planes!.renew(),
    });
    if (from?.secret !== undefined) this.secret = from.secret;
    this.#locks = new ListenerLocks({
      folder: this.#options.runDir,
      holder: { pid: Deno.pid, control: this.control },
      from: from?.controls ?? new Set(),
      log,
    });
    const random = crypto.getRandomValues(new Uint32Array(1))[0]!;
    this.#planes = new Planes({
      workers: count,
      instance: `headrace-${random.toString(36)}`,
      io,
      logConfig,
      token,
      startPlane: this.#options.startPlane ?? startWorker,
      clock,
      log,
      heartbeat: heartbeat ?? DEFAULT_HEARTBEAT,
      backends: this.#backends,
      names: this.#names,
      locks: this.#locks,
      metrics: this.#metrics,
      secret: this.secret,
      lineFiles: this.#lineFiles,
    });
    this.#started = loaded.config;
    try {
      await this.#removeStaleBodies(loaded.config);
      await this.#planes.change(() => Promise.resolve(loaded));
    } catch (thrown) {
      await this.stop();
      throw thrown;
    }
    this.state = "ready";
    this.#trim = trimMemory(clock);
    this.#watch = this.#watchCertificates(this.#planes);
  }

  /** Reloads when the file that `watch` is of has changed, until the drain. */
  reloadOnChange(watch: ConfigWatch): void {
    if (this.state !== "ready") return;
    const { clock, log } = this.#options;
    this.#configWatch = watch;
    watch.start({ reload: () => this.reload(), clock, log });
  }

  /** Files that a process left behind which was killed in just that moment. */
  async #removeStaleBodies({ clusters }: Config): Promise<void> {
    const onDisk = clusters.some(({ requestBuffer }) =>
      requestBuffer?.disk !== undefined
    );
    if (!onDisk) return;
    try {
      await new TemporaryFiles().removeStale();
    } catch (thrown) {
      this.#options.log.warn("Stale files of bodies can't be removed", {
        error: thrown,
      });
    }
  }

  /** The addresses of those who hand over are ours from here on: they may be told to drain. */
  async takeOver(): Promise<void> {
    await this.#locks?.takeOver();
  }

  /** Whoever took our addresses over is gone before we drained: they are ours again. */
  async takeBack(): Promise<void> {
    if (await this.#locks?.takeBack()) await this.#planes?.regainListeners();
  }

  #watchCertificates(planes: Planes): CertificateWatch {
    const { source, clock, log, certificateInterval } = this.#options;
    return new CertificateWatch({
      current: () => planes.loaded,
      renew: async ({ config }, files) => {
        await planes.replaceFiles(config, files);
        log.info("Certificates were renewed", {
          revision: planes.current!.revision,
        });
      },
      resolve: (path) => resolvePath(path, source.path),
      expiry: this.#metrics.certificateExpiry,
      clock,
      log,
      interval: certificateInterval ?? DEFAULT_INTERVAL,
    });
  }

  /** Loads the config and swaps it in everywhere, or keeps the old one everywhere. Rejects with a {@linkcode RefusedError}. */
  async reload(): Promise<void> {
    const { log } = this.#options;
    // Also where the config is refused: whoever moved a file away waits for it.
    await this.#lineFiles.reopen();
    try {
      if (this.#planes === undefined || this.state !== "ready") {
        throw new RefusedError([
          `Cannot reload as the proxy must be ready: current state is ${this.state}`,
        ]);
      }
      await this.#planes.change(() => this.#load());
    } catch (thrown) {
      this.#metrics.reloads.series("refused").add();
      this.lastRefusal = thrown instanceof RefusedError
        ? thrown.problems
        : [String(thrown)];
      log.error("The config was refused", { problems: this.lastRefusal });
      throw thrown;
    }
    this.lastRefusal = undefined;
    this.#metrics.reloads.series("ok").add();
    log.info("The config was reloaded", {
      revision: this.#planes.current!.revision,
    });
    this.#tellUnchanged();
  }

  #load(): Promise<LoadedConfig> {
    const { builtins, ...options } = this.#options;
    return loadCandidate({ ...options, builtins: new Set(builtins.keys()) });
  }

  /** Says which keys of the config in use are not in effect. */
  #tellUnchanged(): void {
    const { config } = this;
    const started = onlyAtStart(this.#started!);
    const keys = Object.entries(onlyAtStart(config)).filter(([key, value]) =>
      JSON.stringify(value) !== JSON.stringify(started[key])
    ).map(([key]) => key);
    if (keys.length === 0) return;
    this.#options.log.warn("These keys take effect at the next start", {
      keys,
    });
  }

  /** What all planes tell, added up; at most so many sessions one by one. */
  async report(sessions: number): Promise<ProxyReport> {
    const planes = this.#planes;
    const reports = await planes?.report(sessions) ?? [];
    this.#watch?.measure();
    return mergeReports(reports, {
      metrics: [this.#registry.snapshot(), ...planes?.lostMetrics ?? []],
      sessions,
      lastCheck: (id) => this.#backends?.lastCheck(id),
    });
  }

  /** What an operator wants of a backend; undefined where there is none of this id. */
  backendState(id: string): AdminState | undefined {
    return this.#backends?.state(id);
  }

  /** Which way a request would take now, as one worker sees it. Rejects with a {@linkcode RefusedError} where it describes none. */
  explain(request: DescribedRequest): Promise<Explanation> {
    if (this.#planes === undefined) throw new Error("Nothing is loaded yet");
    return this.#planes.explain(request);
  }

  /** What happened to a transaction that was traced; undefined where no worker knows one of this id (any more). */
  trace(id: string): Promise<TraceReport | undefined> {
    return this.#planes?.trace(id) ?? Promise.resolve(undefined);
  }

  /** Changes a backend for an operator; false where there is none of this id. It holds until the next start. */
  changeBackend(id: string, change: BackendChange): boolean {
    return this.#backends?.change(id, change) ?? false;
  }

  /** Closes a backend's breaker and ends its ejection; whether there was anything to do, undefined where there is none of this id. */
  resetBackend(id: string): boolean | undefined {
    return this.#backends?.reset(id);
  }

  /**
   * Adds a backend to a cluster of the config in use, in all planes or in none;
   * it with its defaults.
   * It stays until the next start, or until the config says otherwise. Rejects
   * with a {@linkcode BackendRefusal}, or a {@linkcode RefusedError} of the
   * planes.
   */
  async addBackend(addition: BackendAddition): Promise<BackendConfig> {
    const backend = await checkAddition(this.config, addition);
    await this.#planes!.changeBackends((config, runtime) =>
      add(config, runtime, backend, this.config)
    );
    const { cluster, config: { id, url } } = backend;
    const { log } = this.#options;
    log.info("A backend was added", { cluster, backend: id, url: url.href });
    return backend.config;
  }

  /**
   * Deletes a backend of the config in use; its WebSocket sessions go to others.
   * False where there is none of this id. A reload brings it back only where the
   * file's entry of it was changed. Rejects with a {@linkcode BackendRefusal} for
   * an address of a name, a {@linkcode RefusedError} of the planes.
   */
  async deleteBackend(name: BackendName): Promise<boolean> {
    let deleted = false;
    await this.#planes!.changeBackends((config, runtime) => {
      const changed = remove(config, runtime, name, this.config);
      deleted = changed !== runtime;
      return changed;
    });
    if (deleted) this.#options.log.info("A backend was deleted", { ...name });
    return deleted;
  }

  /** Forgets stored responses in all workers; how many there were, undefined where the config has no cache. */
  async purgeCache(purge: Purge): Promise<number | undefined> {
    if (this.config.cache?.enabled !== true) return undefined;
    return await this.#planes?.purgeCache(purge);
  }

  /** WebSocket sessions that are open, of all workers. */
  async listWebSockets(query: WebSocketQuery): Promise<WebSocketListing> {
    return await this.#planes?.listWebSockets(query) ??
      { open: 0, sessions: [] };
  }

  /** Closes a WebSocket session with 1000; false where there is none of this id. */
  async abortWebSocket(id: string): Promise<boolean> {
    return await this.#planes?.abortWebSocket(id) ?? false;
  }

  /** Moves WebSocket sessions to other backends, in order. */
  async moveWebSockets(which: MovedSessions): Promise<Moves> {
    return await this.#planes?.moveWebSockets(which) ??
      { sessions: 0, moving: 0 };
  }

  /**
   * Answers 503 to new requests on http listeners' addresses, or takes them again;
   * what is under way goes on. False where there was nothing to do, undefined
   * where no address is meant. It stays over reloads for as long as the address
   * is bound, and ends with the process.
   */
  async pause(
    which: (listener: ListenerReport) => boolean,
    paused: boolean,
  ): Promise<boolean | undefined> {
    const { listeners } = await this.report(0);
    const addresses = listeners.filter((listener) =>
      listener.protocol === "http" && which(listener)
    ).map(({ address }) => address);
    if (addresses.length === 0) return undefined;
    const changed = await this.#planes!.pause(addresses, paused);
    if (changed) {
      const word = paused ? "paused" : "resumed";
      this.#options.log.info(`Addresses were ${word}`, { addresses });
    }
    return changed;
  }

  /**
   * Asks the administrator of a cluster's dialer, in every worker: `argument` is
   * a backend's id, for `add` JSON. Undefined where the cluster has no dialer
   * with an administrator.
   */
  async administer(
    cluster: string,
    action: AdministerAction,
    argument = "",
  ): Promise<Administered | undefined> {
    return await this.#planes?.administer(cluster, action, argument);
  }

  /** Has a plugin answer an operator, in one worker. Rejects with a {@linkcode RefusedError} where none is there now. */
  askPlugin(request: PluginRequest): Promise<PluginAnswer> {
    if (this.#planes === undefined) throw new Error("Nothing is loaded yet");
    return this.#planes.askPlugin(request);
  }

  /** Stops accepting and waits for the sessions' ends; `handedOver` says that another process has the addresses too. */
  async drain({ handedOver = false } = {}): Promise<void> {
    if (this.state === "draining" || this.state === "stopped") return;
    const { timeout } = this.config.drain;
    this.state = "draining";
    // Checks go on: what is open still needs backends. Which ones there are stays.
    this.#names!.stop();
    this.#watch?.[Symbol.dispose]();
    this.#configWatch?.[Symbol.dispose]();
    await this.#planes!.drain(timeout, handedOver);
    this.#finish();
  }

  /** Ends what is still open: whoever drains waits no longer. */
  cut(): void {
    this.#finish();
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    this.state = "stopped";
    this.#backends?.stop();
    this.#names?.stop();
    this.#watch?.[Symbol.dispose]();
    this.#configWatch?.[Symbol.dispose]();
    await this.#watch?.settled();
    await this.#planes?.stop();
    this.#trim?.[Symbol.dispose]();
    this.#trim = undefined;
  }
}
