/**
 * The entry of a worker: one data plane behind a control channel.
 *
 * @module
 */
import { builtins } from "../../plugins/mod.ts";
import type { PlaneSettings } from "../data_plane/control.ts";
import { createDataPlane } from "../data_plane/create.ts";
import { systemClock } from "../net/clock.ts";
import { createLog } from "../observe/log.ts";
import { type Port, serveControl } from "./rpc.ts";

/** Milliseconds between two signs of life. */
export const BEAT_INTERVAL = 1_000;

/** The first message. */
export interface StartMessage {
  readonly start: PlaneSettings;
}

function start(port: Port, settings: PlaneSettings): void {
  const log = createLog(settings.log).with({ worker: settings.worker });
  const plane = createDataPlane({
    settings,
    clock: systemClock,
    log,
    builtins,
  });
  serveControl(port, plane);
  systemClock.every(BEAT_INTERVAL, () => port.postMessage({ beat: true }));
  port.postMessage({ beat: true });
}

const port = self as unknown as Port;
port.addEventListener("message", (event: MessageEvent<StartMessage>) => {
  if (event.data.start !== undefined) start(port, event.data.start);
});
