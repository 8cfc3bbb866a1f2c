/**
 * `headrace --config FILE`: runs the proxy until a signal or the admin
 * interface ends it.
 *
 * @module
 */
import { type AdminServer, serveAdmin } from "../admin/listen.ts";
import { RefusedError } from "../data_plane/control.ts";
import { createLog } from "../observe/log.ts";
import type { ConfigSource } from "../supervisor/load_candidate.ts";
import { loadCandidate } from "../supervisor/load_candidate.ts";
import { watchSignals } from "../supervisor/signals.ts";
import { surviveStrayErrors } from "../supervisor/stray_errors.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { type CommandContext, EXIT } from "./command.ts";
import { configFile, startLog, supervisorOptions } from "./config_file.ts";

/** Runs the proxy of a config file; the exit code. */
export async function runProxy(
  path: string,
  context: CommandContext,
): Promise<number> {
  return await runSource(configFile(path), context, () => {});
}

/** Runs the proxy of any config; `started` is told once it serves. */
export async function runSource(
  source: ConfigSource,
  context: CommandContext,
  started: (supervisor: Supervisor, admin: AdminServer) => void,
): Promise<number> {
  const early = startLog();
  let supervisor: Supervisor | undefined;
  let admin: AdminServer | undefined;
  let log = early;
  let forget = () => {};
  try {
    const loaded = await loadCandidate(
      loadOptions(supervisorOptions(source, early, context)),
    );
    log = createLog(loaded.config.log);
    forget = surviveStrayErrors(log);
    supervisor = new Supervisor(supervisorOptions(source, log, context));
    await supervisor.start(loaded);
    admin = await serveAdmin(supervisor, loaded.config.admin, log);
    const unwatch = watchSignals(supervisor, log);
    log.info("Headrace serves", {
      config: source.path,
      listeners: (await supervisor.report(0)).listeners.map(({ address }) =>
        address
      ),
      admin: admin.address,
    });
    started(supervisor, admin);
    await supervisor.finished;
    unwatch();
    return EXIT.ok;
  } catch (thrown) {
    if (!(thrown instanceof RefusedError)) throw thrown;
    for (const problem of thrown.problems) console.error(problem);
    return EXIT.refused;
  } finally {
    await supervisor?.stop();
    await admin?.shutdown();
    forget();
    await log.flush();
  }
}

function loadOptions(options: ReturnType<typeof supervisorOptions>) {
  return { ...options, builtins: new Set(options.builtins.keys()) };
}
