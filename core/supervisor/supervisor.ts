/**
 * The supervisor: one per process, in the main thread. It loads configs, keeps
 * the data planes going and changes all of them at once.
 *
 * @module
 */
import {
  type Candidate,
  type PlaneControl,
  type PlaneReport,
  type Prepared,
  RefusedError,
} from "../data_plane/control.ts";
import { createDataPlane } from "../data_plane/create.ts";
import type { Clock } from "../net/clock.ts";
import type { CoreLog } from "../observe/log.ts";
import {
  createProxyMetrics,
  type ProxyMetrics,
} from "../observe/metric_names.ts";
import { MetricRegistry } from "../observe/metrics.ts";
import type { Plugin } from "../plugin.ts";
import {
  type ConfigSource,
  loadCandidate,
  type LoadedConfig,
} from "./load_candidate.ts";
import { mergeReports, type ProxyReport } from "./proxy_report.ts";
import { WorkerLostError, WorkerPlane } from "./worker_plane.ts";

/** What a supervisor is made of. */
export interface SupervisorOptions {
  readonly source: ConfigSource;
  readonly env: (name: string) => string | undefined;
  readonly builtins: ReadonlyMap<string, Plugin>;
  readonly cacheDir: string;
  readonly clock: Clock;
  readonly log: CoreLog;
}

/** Restarts wait so long at first, in milliseconds, and twice as long after each that fails soon. */
const RESTART_DELAY = 100;

/** Restarts wait at most so long, in milliseconds. */
const MAX_RESTART_DELAY = 30_000;

/** One place for a data plane: filled anew when its worker is lost. */
interface Slot {
  readonly worker: number;
  control: PlaneControl;
  /** Undefined where the plane runs in the main thread. */
  plane: WorkerPlane | undefined;
  failures: number;
}

/** The state of the whole process. */
export type SupervisorState = "starting" | "ready" | "draining" | "stopped";

/** Loads, reloads, restarts, drains. */
export class Supervisor {
  state: SupervisorState = "starting";
  /** The last reload that was refused since the last good one. */
  lastRefusal: readonly string[] | undefined;

  readonly #options: SupervisorOptions;
  readonly #registry = new MetricRegistry();
  readonly #metrics: ProxyMetrics;
  readonly #instance: string;
  #slots: Slot[] = [];
  #current: Candidate | undefined;
  #revision = 0;
  /** Changes of all planes come one after another. */
  #queue: Promise<unknown> = Promise.resolve();
  #finish: () => void = () => {};
  /** Resolves when it has drained or was cut: nothing is left to wait for. */
  readonly finished: Promise<void> = new Promise((resolve) =>
    this.#finish = resolve
  );

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#metrics = createProxyMetrics(this.#registry);
    const random = crypto.getRandomValues(new Uint32Array(1))[0]!;
    this.#instance = `headrace-${random.toString(36)}`;
  }

  /** The config that is in use. Throws before `start`. */
  get config(): Candidate["config"] {
    if (this.#current === undefined) throw new Error("Nothing is loaded yet");
    return this.#current.config;
  }

  /** Begins to serve a loaded config. Rejects with a {@linkcode RefusedError}. */
  async start(loaded: LoadedConfig): Promise<void> {
    const { workers } = loaded.config;
    const count = workers === "auto" ? navigator.hardwareConcurrency : workers;
    for (let worker = 0; worker < count; worker++) {
      this.#slots.push(this.#createSlot(worker, count, loaded.config.log));
    }
    try {
      await this.#change(loaded);
    } catch (thrown) {
      await this.stop();
      throw thrown;
    }
    this.state = "ready";
  }

  /** Loads the config and swaps it in everywhere, or keeps the old one everywhere. Rejects with a {@linkcode RefusedError}. */
  reload(): Promise<void> {
    return this.#enqueue(async () => {
      try {
        await this.#change(await this.#load());
        this.lastRefusal = undefined;
        this.#metrics.reloads.series("ok").add();
        this.#options.log.info("The config was reloaded", {
          revision: this.#revision,
        });
      } catch (thrown) {
        this.#metrics.reloads.series("refused").add();
        this.lastRefusal = thrown instanceof RefusedError
          ? thrown.problems
          : [String(thrown)];
        this.#options.log.error("The config was refused", {
          problems: this.lastRefusal,
        });
        throw thrown;
      }
    });
  }

  #load(): Promise<LoadedConfig> {
    const { source, env, builtins, cacheDir, log } = this.#options;
    const names = new Set(builtins.keys());
    return loadCandidate({ source, env, builtins: names, cacheDir, log });
  }

  /** What all planes tell, added up; at most so many sessions one by one. */
  async report(sessions: number): Promise<ProxyReport> {
    const reports = await Promise.all(
      this.#slots.map(({ control }) =>
        control.report(sessions).catch(lostToUndefined)
      ),
    );
    const alive = reports.filter((report): report is PlaneReport =>
      report !== undefined
    );
    return mergeReports(alive, this.#registry.snapshot(), sessions);
  }

  /** Stops accepting and waits for the sessions' ends. */
  async drain(): Promise<void> {
    if (this.state === "draining" || this.state === "stopped") return;
    this.state = "draining";
    const { timeout } = this.config.drain;
    await Promise.all(
      this.#slots.map(({ control }) =>
        control.drain(timeout).catch(lostToUndefined)
      ),
    );
    this.#finish();
  }

  /** Ends what is still open: whoever drains waits no longer. */
  cut(): void {
    this.#finish();
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    this.state = "stopped";
    await Promise.all(
      this.#slots.map(async ({ control, plane }) => {
        await control.stop().catch(lostToUndefined);
        plane?.terminate();
      }),
    );
    this.#slots = [];
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Two phases: every plane takes the candidate, then every plane swaps. */
  async #change(loaded: LoadedConfig): Promise<void> {
    const revision = ++this.#revision;
    const [first, ...others] = this.#slots;
    if (first === undefined) return;
    const ports = { ...this.#current?.ports };
    const prepared: Slot[] = [];
    try {
      // The first one finds the ports that the config leaves open.
      const found = await first.control.prepare({ ...loaded, revision, ports });
      prepared.push(first);
      const candidate = { ...loaded, revision, ports: found.ports };
      const results = await Promise.allSettled(
        others.map((slot) => prepareSlot(slot, candidate, prepared)),
      );
      const refused = results.flatMap((result) =>
        result.status === "rejected" ? [result.reason] : []
      );
      if (refused.length > 0) throw refused[0];
      await Promise.all(
        this.#slots.map((slot) => slot.control.commit(revision)),
      );
      this.#current = candidate;
    } catch (thrown) {
      await Promise.all(
        prepared.map(({ control }) =>
          control.discard(revision).catch(lostToUndefined)
        ),
      );
      throw thrown;
    }
  }

  #createSlot(
    worker: number,
    workers: number,
    log: Candidate["config"]["log"],
  ): Slot {
    const settings = { worker, workers, instance: this.#instance, log };
    if (workers > 1) {
      const plane = new WorkerPlane({
        settings,
        clock: this.#options.clock,
        onLost: (reason) => this.#restart(slot, workers, reason),
      });
      const slot: Slot = {
        worker,
        plane,
        control: plane.control,
        failures: 0,
      };
      return slot;
    }
    const { clock, builtins } = this.#options;
    const control = createDataPlane({
      settings,
      clock,
      builtins,
      log: this.#options.log,
    });
    return { worker, control, plane: undefined, failures: 0 };
  }

  /** A worker is lost with its sessions; another one takes its place with the current config. */
  #restart(slot: Slot, workers: number, reason: WorkerLostError): void {
    const { log, clock } = this.#options;
    if (this.state !== "ready") return;
    const delay = Math.min(
      RESTART_DELAY * 2 ** slot.failures++,
      MAX_RESTART_DELAY,
    );
    log.error("A worker was lost with its sessions; it is restarted", {
      worker: slot.worker,
      reason: reason.message,
      delay,
    });
    clock.after(delay, () => {
      this.#enqueue(() => this.#refill(slot, workers)).catch((error) =>
        log.error("A worker could not be restarted", {
          worker: slot.worker,
          error,
        })
      );
    });
  }

  async #refill(slot: Slot, workers: number): Promise<void> {
    const candidate = this.#current;
    if (this.state !== "ready" || candidate === undefined) return;
    const { config } = candidate;
    const fresh = this.#createSlot(slot.worker, workers, config.log);
    slot.control = fresh.control;
    slot.plane = fresh.plane;
    await slot.control.prepare(candidate);
    await slot.control.commit(candidate.revision);
    slot.failures = 0;
    this.#options.log.info("A worker was restarted", { worker: slot.worker });
  }
}

async function prepareSlot(
  slot: Slot,
  candidate: Candidate,
  prepared: Slot[],
): Promise<Prepared> {
  const result = await slot.control.prepare(candidate);
  prepared.push(slot);
  return result;
}

/** A worker that is lost has nothing to tell and nothing to end. */
function lostToUndefined(thrown: unknown): undefined {
  if (thrown instanceof WorkerLostError) return undefined;
  throw thrown;
}
