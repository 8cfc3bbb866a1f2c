/**
 * `headrace check FILE`.
 *
 * @module
 */
import { RefusedError } from "../data_plane/control.ts";
import { createDataPlane } from "../data_plane/create.ts";
import { systemClock } from "../net/clock.ts";
import type { CoreLog } from "../observe/log.ts";
import { loadCandidate } from "../supervisor/load_candidate.ts";
import { type CommandContext, EXIT } from "./command.ts";
import { configFile, startLog, supervisorOptions } from "./config_file.ts";

/** Loads everything that a start would load, and binds nothing. */
export async function checkConfig(
  path: string,
  context: CommandContext,
): Promise<number> {
  const log = startLog();
  try {
    await check(path, log, context);
    console.log(`${path}: fine`);
    return EXIT.ok;
  } catch (thrown) {
    if (!(thrown instanceof RefusedError)) throw thrown;
    for (const problem of thrown.problems) console.error(problem);
    return EXIT.refused;
  } finally {
    await log.flush();
  }
}

async function check(
  path: string,
  log: CoreLog,
  context: CommandContext,
): Promise<void> {
  const options = supervisorOptions(configFile(path), log, context);
  const loaded = await loadCandidate({
    ...options,
    builtins: new Set(context.builtins.keys()),
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
    builtins: context.builtins,
  });
  try {
    await plane.check({ ...loaded, revision: 1, ports: {} });
  } finally {
    await plane.stop();
  }
}
