/**
 * The places of a proxy's data planes: each filled with a worker, and anew where
 * that is lost.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import {
  type Candidate,
  type PlaneControl,
  type PlaneReport,
  type PlaneSettings,
  RefusedError,
} from "../data_plane/control.ts";
import { Tally, TALLY_BYTES } from "../data_plane/tally.ts";
import type { Clock } from "../net/clock.ts";
import type { LineFiles } from "../observe/line_files.ts";
import type { CoreLog } from "../observe/log.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { MetricSnapshot } from "../observe/metric_snapshot.ts";
import type { BackendEvent } from "../plugin.ts";
import { SharedMemory } from "../shared/shared_memory.ts";
import type { Backends } from "./backends.ts";
import { CacheChannels } from "./cache_channels.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { LostMetrics } from "./lost_metrics.ts";
import { seatCount, Seats } from "./seats.ts";
import {
  type StartedPlane,
  type StartPlane,
  WorkerLostError,
} from "./start_plane.ts";

/** What the places are filled with. */
export interface SlotsOptions {
  /** How many there are. */
  readonly workers: number;
  /** The proxy's name in Via. */
  readonly instance: string;
  /** What reads and writes connections. */
  readonly io: Config["io"];
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
  /** Counts workers that are lost. */
  readonly metrics: Pick<ProxyMetrics, "workersLost" | "sessionsLost">;
  /** What sticky cookies are signed with in all workers, 32 bytes. */
  readonly secret: Uint8Array;
  /** The files that plugins append lines to. */
  readonly lineFiles: LineFiles;
}

/** Has a place filled, now or once nothing else changes, with a plane that takes what is current by then. */
export type Refill = (fill: (candidate: Candidate) => Promise<void>) => void;

/** Restarts wait so long at first, in milliseconds, and twice as long after each that fails soon. */
const RESTART_DELAY = 100;

/** Restarts wait at most so long, in milliseconds; a worker that lives longer has not failed soon. */
const MAX_RESTART_DELAY = 30_000;

/** One place for a data plane. */
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

/** All places. */
export class Slots {
  /** None is filled any more. */
  closed = false;
  /** What plugins share over workers, and over reloads. */
  readonly shared: SharedMemory;
  /** What workers that were lost had counted. */
  readonly lost = new LostMetrics();
  readonly #options: SlotsOptions;
  readonly #refill: Refill;
  readonly #slots: readonly Slot[];
  readonly #seats: Seats;
  readonly #cacheChannels = new CacheChannels();

  /** Fills them with planes that have no config yet. */
  constructor(options: SlotsOptions, refill: Refill) {
    this.#options = options;
    this.#refill = refill;
    this.#seats = new Seats(options.workers);
    this.shared = new SharedMemory(seatCount(options.workers));
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
    for (const slot of this.#slots) slot.control = this.#fill(slot);
  }

  /** Planes that have the current config. */
  get controls(): PlaneControl[] {
    return this.#slots.flatMap(({ control }) => control ?? []);
  }

  /** Asks every plane that is there; undefined for one that is lost meanwhile. */
  each<T>(
    ask: (control: PlaneControl) => Promise<T>,
  ): Promise<(T | undefined)[]> {
    return Promise.all(
      this.controls.map((control) => ask(control).catch(lostToUndefined)),
    );
  }

  /** The first answer of a plane. Rejects with a {@linkcode RefusedError} where none is there. */
  async first<T>(ask: (control: PlaneControl) => Promise<T>): Promise<T> {
    for (const control of this.controls) {
      const answer = await ask(control).catch(lostToUndefined);
      if (answer !== undefined) return answer;
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
      return { slot, control, report };
    }));
    // What one told that is lost since counts among the lost ones'.
    const living = reports.flatMap((told) =>
      told !== undefined && told.slot.control === told.control
        ? told.report
        : []
    );
    this.lost.told(living.map(({ metrics }) => metrics));
    return living;
  }

  /** Fills none any more; those that are there stay. */
  close(): void {
    this.closed = true;
    for (const slot of this.#slots) slot.cancelRestart?.();
  }

  /** Ends all planes at once. */
  async stop(): Promise<void> {
    this.close();
    await this.each((control) => control.stop());
    for (const slot of this.#slots) {
      slot.control = undefined;
      slot.plane?.terminate();
    }
  }

  /** Puts a new plane, without a config, into its place. */
  #fill(slot: Slot): PlaneControl {
    const { workers, instance, io, logConfig, token, clock, backends } =
      this.#options;
    slot.seat = this.#seats.take();
    slot.tally = new SharedArrayBuffer(TALLY_BYTES);
    backends.openSeat(slot.seat);
    this.shared.openSeat(slot.seat);
    const settings: PlaneSettings = {
      worker: slot.worker,
      workers,
      seat: slot.seat,
      tally: slot.tally,
      instance,
      io,
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
      onCacheTold: (told) => this.#cacheChannels.told(slot.worker, told),
      shared: (request) => this.shared.get(request),
      onLost: (reason) => this.#restartLater(slot, reason),
    });
    slot.plane = plane;
    this.#cacheChannels.join(
      slot.worker,
      (notice, ports) => plane.tellOfCache(notice, ports),
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
    if (this.closed) return;
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
      this.#refill((candidate) => this.#restart(slot, candidate));
    });
  }

  /** Forgets what a lost worker has counted as its own, and keeps what only grows. */
  #clear(slot: Slot): void {
    this.#seats.lose(slot.seat);
    this.#options.backends.loseSeat(slot.seat);
    this.shared.forgetSeat(slot.seat);
    if (slot.metrics === undefined) return;
    this.lost.add(slot.metrics);
    slot.metrics = undefined;
  }

  /** Never rejects: a worker that can't be had is tried for again. */
  async #restart(slot: Slot, candidate: Candidate): Promise<void> {
    const control = this.#fill(slot);
    const { plane } = slot;
    try {
      await control.prepare(candidate);
      this.#checkOpen();
      await control.commit(candidate.revision);
      // Nobody would tell it to drain: those that are there were told meanwhile.
      this.#checkOpen();
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

  #checkOpen(): void {
    if (this.closed) throw new WorkerLostError("The proxy has ended");
  }
}

/** No plane can be asked. */
export function nobodyThere(): RefusedError {
  return new RefusedError(["No worker is there now: all are being restarted"]);
}

/** A worker that is lost has nothing to tell and nothing to end. */
export function lostToUndefined(thrown: unknown): undefined {
  if (thrown instanceof WorkerLostError) return undefined;
  throw thrown;
}
