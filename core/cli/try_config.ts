/**
 * Loads a config for a look: everything that a start would load, and nothing
 * bound.
 *
 * @module
 */
import { type Candidate, RefusedError } from "../data_plane/control.ts";
import { createDataPlane } from "../data_plane/create.ts";
import type { DataPlane } from "../data_plane/data_plane.ts";
import { systemClock } from "../net/clock.ts";
import {
  type ConfigSource,
  loadCandidate,
} from "../supervisor/load_candidate.ts";
import { type CommandContext, EXIT } from "./command.ts";
import { configFile, startLog, supervisorOptions } from "./config_file.ts";

/** Looks at a config that is loaded. */
export type Look = (plane: DataPlane, candidate: Candidate) => Promise<void>;

/** Has `look` look at the config of a file; the exit code. What is refused goes to standard error. */
export async function tryConfig(
  path: string,
  context: CommandContext,
  look: Look,
): Promise<number> {
  return await trySource(configFile(path), context, look);
}

/** As {@linkcode tryConfig} for any config. */
export async function trySource(
  source: ConfigSource,
  context: CommandContext,
  look: Look,
): Promise<number> {
  const log = startLog();
  try {
    const { builtins } = context;
    const loaded = await loadCandidate({
      ...supervisorOptions(source, log, context),
      builtins: new Set(builtins.keys()),
    });
    const plane = createDataPlane({
      settings: {
        worker: 0,
        workers: 1,
        instance: "headrace-check",
        log: loaded.config.log,
      },
      clock: systemClock,
      log,
      builtins,
    });
    try {
      await look(plane, { ...loaded, revision: 1, ports: {} });
    } finally {
      await plane.stop();
    }
    return EXIT.ok;
  } catch (thrown) {
    if (!(thrown instanceof RefusedError)) throw thrown;
    for (const problem of thrown.problems) console.error(problem);
    return EXIT.refused;
  } finally {
    await log.flush();
  }
}
