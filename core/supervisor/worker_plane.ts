/**
 * A data plane in a worker: started, watched, and told of when it is gone.
 *
 * @module
 */
import type { PlaneControl, PlaneSettings } from "../data_plane/control.ts";
import type { Clock } from "../net/clock.ts";
import type { LineFiles } from "../observe/line_files.ts";
import type { BackendEvent } from "../plugin.ts";
import type { Beat, Heartbeat } from "./heartbeat.ts";
import { serveLineFiles } from "./line_file_channel.ts";
import type { SharedRequest } from "../shared/shared_memory.ts";
import { serveShared } from "./shared_channel.ts";
import type { CachePeerNotice } from "./cache_channels.ts";
import { type BackendNotice, RemoteControl } from "./rpc.ts";
import type { StartMessage } from "./worker.ts";

/** A worker may take so long to its first sign of life, in milliseconds: all of its code is loaded before. */
const START_SILENCE = 60_000;

/** A worker that is gone. */
export class WorkerLostError extends Error {
  override readonly name = "WorkerLostError";
}

/** What a worker needs. */
export interface WorkerPlaneOptions {
  readonly settings: PlaneSettings;
  readonly clock: Clock;
  readonly heartbeat: Heartbeat;
  /** Is told of each change of a backend's state that the worker made. */
  readonly onBackendEvent: (event: BackendEvent) => void;
  /** Gives its plugins the memory that they share with those of other workers. */
  readonly shared: (request: SharedRequest) => SharedArrayBuffer;
  /** The files that its plugins append lines to. */
  readonly lineFiles: LineFiles;
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
  readonly #closeFiles: () => void;
  #gone = false;

  constructor(options: WorkerPlaneOptions) {
    const { settings, clock, heartbeat, onBackendEvent } = options;
    this.#onLost = options.onLost;
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: `headrace-${settings.worker}`,
    });
    this.#remote = new RemoteControl(this.#worker);
    this.control = this.#remote;
    serveShared(this.#worker, options.shared);
    this.#closeFiles = serveLineFiles(this.#worker, options.lineFiles);
    this.#worker.addEventListener("error", (event) => {
      // Without this the error would end the whole process.
      event.preventDefault();
      this.#lose(event.message);
    });
    this.#worker.addEventListener(
      "message",
      ({ data: { backendEvent } }: MessageEvent<Partial<BackendNotice>>) => {
        if (backendEvent !== undefined) onBackendEvent(backendEvent);
      },
    );
    this.#stopWatch = this.#watch(clock, heartbeat);
    const message: StartMessage = {
      start: settings,
      beatInterval: heartbeat.interval,
    };
    this.#worker.postMessage(message);
  }

  /** Tells it of another worker. */
  tellOfPeer(notice: CachePeerNotice, ports: MessagePort[]): void {
    if (!this.#gone) this.#worker.postMessage(notice, ports);
  }

  /**
   * Ends it at once; one that is within a loop without an end only when that
   * ends, its sockets with it (Deno 2.9.6, tried; 2.4.2 ends it after 2 s).
   */
  terminate(): void {
    this.#end(new WorkerLostError("The worker was stopped"));
  }

  /** Counts ticks and not time: after a pause of this thread all beats are late, and no worker is to blame. */
  #watch(clock: Clock, { interval, silence }: Heartbeat): () => void {
    let silent = 0;
    let bound = Math.max(silence, START_SILENCE);
    this.#worker.addEventListener("message", (event: MessageEvent<Beat>) => {
      if (event.data.beat !== true) return;
      silent = 0;
      bound = silence;
    });
    return clock.every(interval, () => {
      silent += interval;
      if (silent > bound) {
        this.#lose(
          `No sign of life for ${bound} ms; while its loop lasts it keeps its sockets, and connections that the kernel gives them wait (--takeover replaces the process)`,
        );
      }
    });
  }

  #lose(reason: string): void {
    const error = new WorkerLostError(`The worker ended: ${reason}`);
    if (this.#end(error)) this.#onLost(error);
  }

  /** Whether it was there until now. */
  #end(reason: WorkerLostError): boolean {
    if (this.#gone) return false;
    this.#gone = true;
    this.#stopWatch();
    this.#worker.terminate();
    this.#remote.lose(reason);
    this.#closeFiles();
    return true;
  }
}
