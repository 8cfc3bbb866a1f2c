/**
 * The data planes of one proxy, each in a worker: a change reaches all of them
 * or none, and one that is lost is replaced.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import type { Config } from "../config/config.ts";
import {
  type AdministerAction,
  type Administered,
  type Candidate,
  type MovedSessions,
  type Moves,
  type PlaneControl,
  type PlaneReport,
  type PlaneSettings,
  RefusedError,
  type WebSocketListing,
  type WebSocketQuery,
} from "../data_plane/control.ts";
import { Tally, TALLY_BYTES } from "../data_plane/tally.ts";
import type { DescribedRequest } from "../explain/described_request.ts";
import type { Explanation } from "../explain/explanation.ts";
import type { Clock } from "../net/clock.ts";
import type { LineFiles } from "../observe/line_files.ts";
import type { CoreLog } from "../observe/log.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import {
  growing,
  mergeSnapshots,
  type MetricSnapshot,
} from "../observe/metric_snapshot.ts";
import type { BackendEvent } from "../plugin.ts";
import type { TraceReport } from "../session/trace_report.ts";
import { SharedMemory } from "../shared/shared_memory.ts";
import type { ListenerLocks } from "../takeover/listener_locks.ts";
import type { Backends } from "./backends.ts";
import { CacheChannels } from "./cache_channels.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { LoadedConfig } from "./load_candidate.ts";
import type { Names } from "./names.ts";
import {
  revise,
  type Revised,
  type RuntimeBackends,
  UNCHANGED,
} from "./runtime_backends.ts";
import { seatCount, Seats } from "./seats.ts";
import {
  type StartedPlane,
  type StartPlane,
  WorkerLostError,
} from "./start_plane.ts";

/** What the planes are made of. */
export interface PlanesOptions {
  /** How many there are. */
  readonly workers: number;
  /** The proxy's name in Via. */
  readonly instance: string;
  /** How the workers log. */
  readonly logConfig: PlaneSettings["log"];
  /** The admin token. */
  readonly token: string | undefined;
  readonly startPlane: StartPlane;
  readonly clock: Clock;
  readonly log: CoreLog;
  readonly heartbeat: Heartbeat;
  /** What the planes share of backends; hears of what changes there. */
  readonly backends: Backends;
  /** Makes backends of names' addresses. */
  readonly names: Names;
  /** No other process has our addresses. */
  readonly locks: ListenerLocks;
  /** Counts workers that are lost. */
  readonly metrics: Pick<ProxyMetrics, "workersLost" | "sessionsLost">;
  /** What sticky cookies are signed with in all workers, 32 bytes. */
  readonly secret: Uint8Array;
  /** The files that plugins append lines to. */
  readonly lineFiles: LineFiles;
}

/** Restarts wait so long at first, in milliseconds, and twice as long after each that fails soon. */
const RESTART_DELAY = 100;

/** Restarts wait at most so long, in milliseconds; a worker that lives longer has not failed soon. */
const MAX_RESTART_DELAY = 30_000;

/** One place for a data plane: filled anew when its worker is lost. */
interface Slot {
  readonly worker: number;
  /** Where its worker counts. */
  seat: number;
  /** What its worker has open. */
  tally: SharedArrayBuffer;
  /** What its worker last told of its metrics. */
  metrics: MetricSnapshot | undefined;
  /** Undefined while there is no plane with the current config here. */
  control: PlaneControl | undefined;
  /** Undefined while there is none. */
  plane: StartedPlane | undefined;
  startedAt: number;
  /** Losses in a row, each soon after a start. */
  failures: number;
  cancelRestart: (() => void) | undefined;
}

/** All data planes. */
export class Planes {
  readonly #options: PlanesOptions;
  readonly #slots: Slot[];
  readonly #seats: Seats;
  readonly #cacheChannels = new CacheChannels();
  #lostMetrics: MetricSnapshot | undefined;
  /** What plugins share over workers, and over reloads. */
  readonly #shared: SharedMemory;
  #current: Candidate | undefined;
  /** What the current one was made of, as the file has it. */
  #loaded: LoadedConfig | undefined;
  /** That with what operators changed of its backends, its names as the file has them. */
  #revised: Revised | undefined;
  #revision = 0;
  #closed = false;
  /** Changes and restarts come one after another. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: PlanesOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.workers }, (_, worker) => ({
      worker,
      seat: 0,
      tally: new SharedArrayBuffer(TALLY_BYTES),
      metrics: undefined,
      control: undefined,
      plane: undefined,
      startedAt: 0,
      failures: 0,
      cancelRestart: undefined,
    }));
    this.#seats = new Seats(options.workers);
    this.#shared = new SharedMemory(seatCount(options.workers));
    for (const slot of this.#slots) slot.control = this.#fill(slot);
  }

  /** What workers that were lost had counted when they last told. */
  get lostMetrics(): readonly MetricSnapshot[] {
    return this.#lostMetrics === undefined ? [] : [this.#lostMetrics];
  }

  /** What the current candidate was made of; undefined before the first change. */
  get loaded(): LoadedConfig | undefined {
    return this.#loaded;
  }

  /** What all of them use; undefined before the first change. */
  get current(): Candidate | undefined {
    return this.#current;
  }

  /**
   * Two phases: every plane takes what `load` gives, then every plane swaps.
   * Rejects with a {@linkcode RefusedError} and all keep what they have.
   */
  change(load: () => Promise<LoadedConfig>): Promise<void> {
    return this.#enqueue(async () => {
      this.#checkOpen();
      await this.#swap(await load());
    });
  }

  /** As `change`, with the config in use, where its names have other addresses now. */
  renew(): Promise<void> {
    return this.#enqueue(async () => {
      const loaded = this.#loaded;
      if (this.#closed || loaded === undefined) return;
      if (this.#options.names.changed) await this.#swap(loaded);
    });
  }

  /** As `change`, with the config in use and other contents of its files; nothing happens where the config is another one by now. */
  replaceFiles(
    config: LoadedConfig["config"],
    files: LoadedConfig["files"],
  ): Promise<void> {
    return this.#enqueue(async () => {
      const loaded = this.#loaded;
      if (this.#closed || loaded?.config !== config) return;
      await this.#swap({ ...loaded, files });
    });
  }

  /**
   * As `change`, with the config in use and other backends: `edit` gets that and
   * what operators changed so far. What `edit` throws is rejected with.
   */
  changeBackends(
    edit: (config: Config, runtime: RuntimeBackends) => RuntimeBackends,
  ): Promise<void> {
    return this.#enqueue(async () => {
      this.#checkOpen();
      const { config, runtime } = this.#revised!;
      const changed = edit(config, runtime);
      if (changed !== runtime) await this.#swap(this.#loaded!, changed);
    });
  }

  /**
   * Stops or begins anew to take requests on these addresses, as listings show
   * them, in all planes; false where all of them are so already.
   */
  pause(addresses: readonly string[], paused: boolean): Promise<boolean> {
    return this.#enqueue(async () => {
      this.#checkOpen();
      const all = new Set(this.#current!.paused);
      const before = all.size;
      for (const address of addresses) {
        if (paused) all.add(address);
        else all.delete(address);
      }
      if (all.size === before) return false;
      this.#current = { ...this.#current!, paused: [...all] };
      await this.#each((control) => control.pause([...all]));
      return true;
    });
  }

  /** WebSocket sessions of all planes. */
  async listWebSockets(query: WebSocketQuery): Promise<WebSocketListing> {
    const all = await this.#each((control) => control.listWebSockets(query));
    const listings = all.filter((listing) => listing !== undefined);
    return {
      open: listings.reduce((sum, { open }) => sum + open, 0),
      sessions: listings.flatMap(({ sessions }) => sessions)
        .slice(0, query.limit),
    };
  }

  /** Closes a WebSocket session, whichever plane has it; false where there is none of this id. */
  async abortWebSocket(id: string): Promise<boolean> {
    const all = await this.#each((control) => control.abortWebSocket(id));
    return all.includes(true);
  }

  /** Moves WebSocket sessions, whichever planes have them. */
  async moveWebSockets(which: MovedSessions): Promise<Moves> {
    const all = await this.#each((control) => control.moveWebSockets(which));
    return {
      sessions: all.reduce((sum, one) => sum + (one?.sessions ?? 0), 0),
      moving: all.reduce((sum, one) => sum + (one?.moving ?? 0), 0),
    };
  }

  /** Forgets stored responses in all planes; how many there were. Rejects with a {@linkcode RefusedError}. */
  async purgeCache(purge: Purge): Promise<number> {
    // One tells the others, also those that are not there now.
    for (const { control } of this.#slots) {
      const purged = await control?.purgeCache(purge).catch(lostToUndefined);
      if (purged !== undefined) return purged;
    }
    throw nobodyThere();
  }

  /** What each of them tells; those that are being restarted tell nothing. */
  async report(sessions: number): Promise<PlaneReport[]> {
    const reports = await Promise.all(this.#slots.map(async (slot) => {
      const { control } = slot;
      const report = await control?.report(sessions).catch(lostToUndefined);
      if (report === undefined || slot.control !== control) return undefined;
      slot.metrics = report.metrics;
      return report;
    }));
    return reports.filter((report) => report !== undefined);
  }

  /** Which way a request would take, as one of them sees it. Rejects with a {@linkcode RefusedError}. */
  async explain(request: DescribedRequest): Promise<Explanation> {
    for (const { control } of this.#slots) {
      const explained = await control?.explain(request).catch(lostToUndefined);
      if (explained !== undefined) return explained;
    }
    throw nobodyThere();
  }

  /** What happened to a transaction that one of them traced. */
  async trace(id: string): Promise<TraceReport | undefined> {
    const traces = await this.#each((control) => control.trace(id));
    return traces.find((trace) => trace !== undefined);
  }

  /** A backend's state changed: the plugins of all planes hear of it. */
  async backendChanged(event: BackendEvent): Promise<void> {
    await this.#each((control) => control.backendChanged(event));
  }

  /**
   * Asks the administrator of a cluster's dialer in every plane: done where one
   * of them has done it, what it told is the first one's. Undefined where there
   * is none.
   */
  async administer(
    cluster: string,
    action: AdministerAction,
    argument: string,
  ): Promise<Administered | undefined> {
    const all = await this.#each((control) =>
      control.administer(cluster, action, argument)
    );
    const answers = all.filter((answer) => answer !== undefined);
    // Done before nothing to do before failed: the numbers' own order.
    return answers.toSorted((a, b) => a.result - b.result)[0];
  }

  /** Takes no change any more; resolves when all sessions have ended or were cut after so many milliseconds. */
  async drain(timeout: number, handedOver: boolean): Promise<void> {
    this.#close();
    // Listeners close at once: a new process may have their addresses.
    await this.#options.locks.release();
    await this.#each((control) => control.drain(timeout, handedOver));
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    this.#close();
    await this.#each((control) => control.stop());
    for (const slot of this.#slots) {
      slot.control = undefined;
      slot.plane?.terminate();
    }
    await this.#options.locks.release();
  }

  /** Asks every plane that is there; undefined for one that is lost meanwhile. */
  #each<T>(
    ask: (control: PlaneControl) => Promise<T>,
  ): Promise<(T | undefined)[]> {
    return Promise.all(
      this.#slots.flatMap(({ control }) =>
        control === undefined ? [] : [ask(control).catch(lostToUndefined)]
      ),
    );
  }

  #close(): void {
    this.#closed = true;
    for (const slot of this.#slots) slot.cancelRestart?.();
  }

  #checkOpen(): void {
    if (this.#closed) {
      throw new RefusedError([
        "Cannot change the config as the proxy drains or has ended",
      ]);
    }
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  async #swap(
    loaded: LoadedConfig,
    runtime = this.#revised?.runtime ?? UNCHANGED,
  ): Promise<void> {
    const revision = ++this.#revision;
    const { backends, names, locks } = this.#options;
    const revised = revise(loaded.config, runtime);
    const expansion = await names.expand(revised.config);
    const { config } = expansion;
    const rows = backends.rowsFor(config);
    const locked = await locks.prepare(config.listeners);
    // A worker that is being restarted gets what is current by then.
    const controls = this.#slots.flatMap(({ control }) => control ?? []);
    const prepared: PlaneControl[] = [];
    try {
      const ports = { ...locked.ports, ...this.#current?.ports };
      const paused = this.#current?.paused ?? [];
      const { candidate, memories } = await prepareAll(
        controls,
        { ...loaded, config, revision, ports, rows, paused },
        prepared,
      );
      this.#checkOpen();
      await Promise.all(
        prepared.map((control) =>
          control.commit(revision).catch(lostToUndefined)
        ),
      );
      this.#current = candidate;
      this.#loaded = loaded;
      this.#revised = revised;
      await locks.commit(locked);
      this.#shared.keep(new Set(memories));
      backends.commit(config, rows);
      names.commit(expansion);
    } catch (thrown) {
      await Promise.all(
        prepared.map((control) =>
          control.discard(revision).catch(lostToUndefined)
        ),
      );
      await locks.discard(locked);
      throw thrown;
    }
    for (const { cluster, config: { id } } of revised.dropped) {
      this.#options.log.warn(
        "A backend that was added at run time gives way to the config",
        { cluster, backend: id },
      );
    }
  }

  /** Puts a new plane, without a config, into its place. */
  #fill(slot: Slot): PlaneControl {
    const { workers, instance, logConfig, token, clock, backends } =
      this.#options;
    slot.seat = this.#seats.take();
    slot.tally = new SharedArrayBuffer(TALLY_BYTES);
    backends.openSeat(slot.seat);
    this.#shared.forgetSeat(slot.seat);
    const settings: PlaneSettings = {
      worker: slot.worker,
      workers,
      seat: slot.seat,
      tally: slot.tally,
      instance,
      log: logConfig,
      epoch: backends.epoch,
      secret: this.#options.secret,
      token,
    };
    const onBackendEvent = (event: BackendEvent) => backends.changed(event);
    slot.startedAt = clock.now();
    const plane = this.#options.startPlane({
      settings,
      clock,
      heartbeat: this.#options.heartbeat,
      lineFiles: this.#options.lineFiles,
      onBackendEvent,
      shared: (request) => this.#shared.get(request),
      onLost: (reason) => this.#restartLater(slot, reason),
    });
    slot.plane = plane;
    this.#cacheChannels.join(
      slot.worker,
      (notice, ports) => plane.tellOfPeer(notice, ports),
    );
    return plane.control;
  }

  /** A worker is lost with its sessions; another one is to take its place. */
  #restartLater(slot: Slot, reason: Error): void {
    const { log, clock, metrics } = this.#options;
    slot.control = undefined;
    slot.plane = undefined;
    this.#cacheChannels.leave(slot.worker);
    this.#clear(slot);
    if (this.#closed) return;
    if (clock.now() - slot.startedAt > MAX_RESTART_DELAY) slot.failures = 0;
    const delay = Math.min(
      RESTART_DELAY * 2 ** slot.failures++,
      MAX_RESTART_DELAY,
    );
    const { sessions, websockets } = new Tally(slot.tally);
    metrics.workersLost.series().add();
    metrics.sessionsLost.series("all").add(sessions);
    metrics.sessionsLost.series("websocket").add(websockets);
    log.error("A worker was lost with its sessions; it is restarted", {
      worker: slot.worker,
      reason: reason.message,
      sessions,
      websockets,
      delay,
    });
    slot.cancelRestart = clock.after(delay, () => {
      this.#enqueue(() => this.#restart(slot));
    });
  }

  /** Forgets what a lost worker has counted as its own, and keeps what only grows. */
  #clear(slot: Slot): void {
    this.#seats.lose(slot.seat);
    this.#options.backends.loseSeat(slot.seat);
    this.#shared.forgetSeat(slot.seat);
    if (slot.metrics === undefined) return;
    this.#lostMetrics = mergeSnapshots([
      ...this.lostMetrics,
      growing(slot.metrics),
    ]);
    slot.metrics = undefined;
  }

  /** Never rejects: a worker that can't be had is tried for again. */
  async #restart(slot: Slot): Promise<void> {
    const candidate = this.#current;
    if (this.#closed || candidate === undefined) return;
    const control = this.#fill(slot);
    const { plane } = slot;
    try {
      await control.prepare(candidate);
      this.#checkOpen();
      await control.commit(candidate.revision);
      slot.control = control;
      this.#options.log.info("A worker was restarted", { worker: slot.worker });
    } catch (thrown) {
      plane?.terminate();
      // Who lost it has seen to the next try.
      if (!(thrown instanceof WorkerLostError)) {
        this.#restartLater(slot, thrown as Error);
      }
    }
  }
}

/** The first plane finds the ports that the config leaves open; the others take them. */
async function prepareAll(
  controls: readonly PlaneControl[],
  candidate: Candidate,
  prepared: PlaneControl[],
): Promise<{ candidate: Candidate; memories: readonly string[] }> {
  const [first, ...others] = controls;
  if (first === undefined) {
    throw nobodyThere();
  }
  const prepare = async (control: PlaneControl, candidate: Candidate) => {
    try {
      const result = await control.prepare(candidate);
      prepared.push(control);
      return result;
    } catch (thrown) {
      // Most likely the candidate's plugins ended it.
      throw thrown instanceof WorkerLostError
        ? new RefusedError([
          `A worker was lost as it took the config: ${thrown.message}`,
        ])
        : thrown;
    }
  };
  const { ports, addresses, memories } = await prepare(first, candidate);
  const paused = candidate.paused?.filter((one) => addresses.includes(one));
  const complete = { ...candidate, ports, ...(paused && { paused }) };
  const results = await Promise.allSettled(
    others.map((control) => prepare(control, complete)),
  );
  const refusals = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason] : []
  );
  if (refusals.length > 0) throw joinRefusals(refusals);
  return { candidate: complete, memories };
}

/** Several planes mostly refuse for the same reasons: each is told once. */
function joinRefusals(refusals: readonly unknown[]): unknown {
  const other = refusals.find((thrown) => !(thrown instanceof RefusedError));
  if (other !== undefined) return other;
  const problems = (refusals as RefusedError[]).flatMap((r) => r.problems);
  return new RefusedError([...new Set(problems)]);
}

function nobodyThere(): RefusedError {
  return new RefusedError(["No worker is there now: all are being restarted"]);
}

/** A worker that is lost has nothing to tell and nothing to end. */
function lostToUndefined(thrown: unknown): undefined {
  if (thrown instanceof WorkerLostError) return undefined;
  throw thrown;
}
