/**
 * A data plane in a worker: started, watched, and told of when it is gone.
 *
 * @module
 */
import type { PlaneControl, PlaneSettings } from "../data_plane/control.ts";
import type { Clock } from "../net/clock.ts";
import { type Beat, RemoteControl } from "./rpc.ts";
import { BEAT_INTERVAL } from "./worker.ts";

/** A worker that is silent for so many milliseconds is taken for hung: longer than any sane pause for garbage. */
const HUNG_AFTER = 10_000;

/** A worker that is gone. */
export class WorkerLostError extends Error {
  override readonly name = "WorkerLostError";
}

/** What a worker needs. */
export interface WorkerPlaneOptions {
  readonly settings: PlaneSettings;
  readonly clock: Clock;
  /** Called once when it is gone without having been stopped. */
  readonly onLost: (reason: WorkerLostError) => void;
}

/** A worker with a data plane. */
export class WorkerPlane {
  readonly control: PlaneControl;
  readonly #worker: Worker;
  readonly #remote: RemoteControl;
  readonly #onLost: (reason: WorkerLostError) => void;
  readonly #stopWatch: () => void;
  #lastBeat: number;
  #gone = false;

  constructor({ settings, clock, onLost }: WorkerPlaneOptions) {
    this.#onLost = onLost;
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: `headrace-${settings.worker}`,
    });
    this.#remote = new RemoteControl(this.#worker);
    this.control = this.#remote;
    this.#lastBeat = clock.now();
    this.#worker.addEventListener("message", (event: MessageEvent<Beat>) => {
      if (event.data.beat === true) this.#lastBeat = clock.now();
    });
    this.#worker.addEventListener("error", (event) => {
      // Without this the error would end the whole process.
      event.preventDefault();
      this.#lose(event.message);
    });
    // `self.close()` and `Deno.exit()` in a worker raise no event: only silence tells.
    this.#stopWatch = clock.every(BEAT_INTERVAL, () => {
      const silent = clock.now() - this.#lastBeat;
      if (silent > HUNG_AFTER) {
        this.#lose(`No sign of life for ${Math.round(silent)} ms`);
      }
    });
    this.#worker.postMessage({ start: settings });
  }

  /** Ends it at once. */
  terminate(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#stopWatch();
    this.#worker.terminate();
    this.#remote.lose(new WorkerLostError("The worker was stopped"));
  }

  #lose(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#stopWatch();
    this.#worker.terminate();
    const error = new WorkerLostError(`The worker ended: ${reason}`);
    this.#remote.lose(error);
    this.#onLost(error);
  }
}
