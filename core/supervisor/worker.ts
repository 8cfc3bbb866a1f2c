/**
 * The entry of a worker: one data plane behind a control channel.
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import { builtins } from "../../plugins/mod.ts";
import type { PlaneSettings } from "../data_plane/control.ts";
import { createDataPlane } from "../data_plane/create.ts";
import { systemClock } from "../net/clock.ts";
import { createLog } from "../observe/log.ts";
import { askCachePeers } from "./cache_channels.ts";
import type { Beat } from "./heartbeat.ts";
import { askLineFiles } from "./line_file_channel.ts";
import { askShared } from "./shared_channel.ts";
import { type BackendNotice, type Port, serveControl } from "./rpc.ts";
import { surviveStrayErrors } from "./stray_errors.ts";

/** What it is made with. */
export interface WorkerData {
  /** Its end of the control channel. */
  readonly port: MessagePort;
}

/** The first message. */
export interface StartMessage {
  readonly start: PlaneSettings;
  /** Milliseconds between two signs of life. */
  readonly beatInterval: number;
}

function start(port: Port, { start: settings, beatInterval }: StartMessage) {
  const log = createLog(settings.log).with({ worker: settings.worker });
  surviveStrayErrors(log);
  const plane = createDataPlane({
    settings,
    clock: systemClock,
    log,
    builtins,
    shared: askShared(port),
    lineFiles: askLineFiles(port),
    onBackendEvent: (backendEvent) =>
      port.postMessage({ backendEvent } satisfies BackendNotice),
    cachePeers: askCachePeers(port),
  });
  serveControl(port, plane);
  const beat = () => port.postMessage({ beat: true } satisfies Beat);
  systemClock.every(beatInterval, beat);
  beat();
}

// Deno leaves it out in such a worker, and plugins are written for the web.
Object.assign(globalThis, { self: globalThis });

const { port } = workerData as WorkerData;
port.addEventListener("message", (event: MessageEvent<StartMessage>) => {
  if (event.data.start !== undefined) start(port, event.data);
});
port.start();
