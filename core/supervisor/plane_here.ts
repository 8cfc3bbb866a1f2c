/**
 * A data plane in the thread that asks for it, for tests: it takes plugins,
 * clocks and logs that can't be sent to a worker.
 *
 * @module
 */
import { createDataPlane } from "../data_plane/create.ts";
import type { LookUp } from "../net/resolver.ts";
import type { CoreLog } from "../observe/log.ts";
import type { Builtins } from "../plugins/import_plugin.ts";
import type { StartPlane } from "./start_plane.ts";
import { startWorker } from "./worker_plane.ts";

/** What a plane in this thread uses of it. */
export interface PlaneHereOptions {
  readonly builtins: Builtins;
  readonly log: CoreLog;
  /** Looks up backends' names; the system. */
  readonly lookUp?: LookUp | undefined;
}

/** The only plane runs in this thread; several run in workers of their own. */
export function startHere(options: PlaneHereOptions): StartPlane {
  return (start) => {
    const { settings, clock, onBackendEvent, shared, lineFiles } = start;
    if (settings.workers > 1) return startWorker(start);
    return {
      control: createDataPlane({
        ...options,
        settings,
        clock,
        onBackendEvent,
        lineFiles: lineFiles.open,
        shared: (request) => Promise.resolve(shared(request)),
      }),
      tellOfCache: () => {},
      terminate: () => {},
    };
  };
}
