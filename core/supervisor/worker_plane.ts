/**
 * A data plane in a worker: started, watched, and told of when it is gone.
 *
 * @module
 */
import { type Transferable, Worker } from "node:worker_threads";
import type { PlaneControl } from "../data_plane/control.ts";
import type { Clock } from "../net/clock.ts";
import { type CacheNotice, cacheTold } from "./cache_channels.ts";
import type { Beat, Heartbeat } from "./heartbeat.ts";
import { serveLineFiles } from "./line_file_channel.ts";
import { type BackendNotice, RemoteControl } from "./rpc.ts";
import { serveShared } from "./shared_channel.ts";
import {
  type PlaneStart,
  type StartedPlane,
  WorkerLostError,
} from "./start_plane.ts";
import type { StartMessage, WorkerData } from "./worker.ts";

/** A worker may take so long to its first sign of life, in milliseconds: all of its code is loaded before. */
const START_SILENCE = 60_000;

/**
 * How much of a worker's heap may hold objects that were just made, in MB: three
 * semi-spaces of 8. By default they grow to 32 each and stay so: 15 KB more for
 * each of 2,000 idle WebSockets, at the same CPU time per request (measured).
 */
const YOUNG_GENERATION = 24;

/** Starts a data plane in a worker. */
export function startWorker(start: PlaneStart): StartedPlane {
  return new WorkerPlane(start);
}

/**
 * A worker with a data plane. One of `node:worker_threads`: unlike a Web Worker
 * it does not take the process with it when its heap is full (Deno 2.9.6,
 * tried; 2.4.2 ends the process), and tells of an exit.
 */
class WorkerPlane implements StartedPlane {
  readonly control: PlaneControl;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #remote: RemoteControl;
  readonly #onLost: (reason: WorkerLostError) => void;
  readonly #stopWatch: () => void;
  readonly #closeFiles: () => void;
  #gone = false;

  constructor(start: PlaneStart) {
    const { settings, clock, heartbeat, onBackendEvent, onCacheTold } = start;
    this.#onLost = start.onLost;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), {
      name: `headrace-${settings.worker}`,
      workerData: { port: port2 } satisfies WorkerData,
      // The types of Node have a class of their own for what is the same.
      transferList: [port2 as unknown as Transferable],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
    });
    this.#worker.on("error", (error: Error) => this.#lose(error.message));
    this.#worker.on("exit", (code) => this.#lose(`It exited with ${code}`));
    this.#remote = new RemoteControl(port1);
    this.control = this.#remote;
    serveShared(port1, start.shared);
    this.#closeFiles = serveLineFiles(port1, start.lineFiles);
    port1.addEventListener(
      "message",
      ({ data }: MessageEvent<Partial<BackendNotice>>) => {
        if (data.backendEvent !== undefined) onBackendEvent(data.backendEvent);
        const told = cacheTold(data);
        if (told !== undefined) onCacheTold(told);
      },
    );
    this.#stopWatch = this.#watch(clock, heartbeat);
    const message: StartMessage = {
      start: settings,
      beatInterval: heartbeat.interval,
    };
    port1.start();
    port1.postMessage(message);
  }

  tellOfCache(notice: CacheNotice, ports: MessagePort[]): void {
    if (!this.#gone) this.#port.postMessage(notice, ports);
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
    this.#port.addEventListener("message", (event: MessageEvent<Beat>) => {
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
    this.#port.close();
    this.#remote.lose(reason);
    this.#closeFiles();
    return true;
  }
}
