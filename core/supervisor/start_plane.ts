/**
 * How a data plane is started, wherever it runs.
 *
 * @module
 */
import type { PlaneControl, PlaneSettings } from "../data_plane/control.ts";
import type { Clock } from "../net/clock.ts";
import type { LineFiles } from "../observe/line_files.ts";
import type { BackendEvent } from "../plugin.ts";
import type { SharedRequest } from "../shared/shared_memory.ts";
import type { CacheNotice, CacheTold } from "./cache_channels.ts";
import type { Heartbeat } from "./heartbeat.ts";

/** A worker that is gone. */
export class WorkerLostError extends Error {
  override readonly name = "WorkerLostError";
}

/** What a data plane needs of the supervisor. */
export interface PlaneStart {
  readonly settings: PlaneSettings;
  readonly clock: Clock;
  readonly heartbeat: Heartbeat;
  /** Is told of each change of a backend's state that the plane made. */
  readonly onBackendEvent: (event: BackendEvent) => void;
  /** Is told what it has to say of the cache that it shares. */
  readonly onCacheTold: (told: CacheTold) => void;
  /** Gives its plugins the memory that they share with those of other planes. */
  readonly shared: (request: SharedRequest) => SharedArrayBuffer;
  /** The files that its plugins append lines to. */
  readonly lineFiles: LineFiles;
  /** Called once when it is gone without having been stopped. */
  readonly onLost: (reason: WorkerLostError) => void;
}

/** A data plane that was started. */
export interface StartedPlane {
  readonly control: PlaneControl;
  /** Tells it of the cache that it shares with others. */
  tellOfCache(notice: CacheNotice, ports: MessagePort[]): void;
  /** Ends it at once, whatever it does. */
  terminate(): void;
}

/** Starts a data plane. */
export type StartPlane = (start: PlaneStart) => StartedPlane;
