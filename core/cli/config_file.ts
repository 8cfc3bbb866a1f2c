/**
 * A config file as a source for the supervisor, and what a command needs to
 * load it.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import type { CoreLog } from "../observe/log.ts";
import { createLog } from "../observe/log.ts";
import { defaultCacheDir } from "../plugins/cache_dir.ts";
import type { ConfigSource } from "../supervisor/load_candidate.ts";
import type { SupervisorOptions } from "../supervisor/supervisor.ts";
import { systemClock } from "../net/clock.ts";
import { defaultRunDir } from "../takeover/run_dir.ts";
import type { CommandContext } from "./command.ts";

/** A file that is read anew at each reload. */
export function configFile(path: string): ConfigSource {
  return {
    path,
    baseDir: dirname(resolve(path)),
    read: () => Deno.readTextFile(path),
  };
}

/** A supervisor's options with the machine's environment and clock. */
export function supervisorOptions(
  source: ConfigSource,
  log: CoreLog,
  context: CommandContext,
): SupervisorOptions {
  return {
    source,
    log,
    clock: systemClock,
    builtins: context.builtins,
    env: (name) => Deno.env.get(name),
    cacheDir: defaultCacheDir(Deno.env),
    runDir: defaultRunDir(Deno.env),
    embedding: context.embedded && {
      plugins: context.embedded,
      advice:
        `"deno run -A main.ts compile --config ${source.path} --output BIN" embeds it`,
    },
  };
}

/** The log before a config says how it is to be: for humans. */
export function startLog(): CoreLog {
  return createLog({ level: "info", format: "text" });
}
