/**
 * `headrace --config FILE`: runs the proxy until a signal or the admin
 * interface ends it.
 *
 * @module
 */
import { type AdminServer, serveAdmin } from "../admin/listen.ts";
import type { AdminConfig } from "../config/config.ts";
import { RefusedError } from "../data_plane/control.ts";
import { createLog } from "../observe/log.ts";
import {
  type ConfigSource,
  loadCandidate,
  type LoadedConfig,
} from "../supervisor/load_candidate.ts";
import { ConfigWatch } from "../supervisor/config_watch.ts";
import { watchSignals } from "../supervisor/signals.ts";
import { surviveStrayErrors } from "../supervisor/stray_errors.ts";
import {
  Supervisor,
  type SupervisorOptions,
} from "../supervisor/supervisor.ts";
import { HandOver } from "../takeover/hand_over.ts";
import { Predecessors } from "../takeover/predecessors.ts";
import { type CommandContext, EXIT } from "./command.ts";
import { configFile, startLog, supervisorOptions } from "./config_file.ts";

/** How a proxy is started. */
export interface RunOptions {
  /** Takes the addresses of the one that has them over. */
  readonly takeover: boolean;
  /** Reloads when the config's text changes. */
  readonly watch: boolean;
  /** Is told once it serves. */
  readonly started?: () => void;
}

/** Runs the proxy of a config file; the exit code. */
export async function runProxy(
  path: string,
  context: CommandContext,
  options: RunOptions,
): Promise<number> {
  return await runSource(configFile(path), context, options);
}

/** Runs the proxy of any config; the exit code. */
export async function runSource(
  given: ConfigSource,
  context: CommandContext,
  options: RunOptions,
): Promise<number> {
  const watch = options.watch ? new ConfigWatch(given) : undefined;
  const source = watch?.source ?? given;
  const early = startLog();
  let log = early;
  let forget = () => {};
  await using stack = new AsyncDisposableStack();
  stack.defer(() => log.flush());
  stack.defer(() => forget());
  try {
    const loadOptions = supervisorOptions(source, early, context);
    const loaded = await loadCandidate({
      ...loadOptions,
      builtins: new Set(context.builtins.keys()),
    });
    log = createLog(loaded.config.log);
    forget = surviveStrayErrors(log);
    const running = stack.use(
      new RunningProxy(supervisorOptions(source, log, context)),
    );
    const { finished } = running.supervisor;
    // A second signal cuts a start, too.
    await Promise.race([running.start(loaded, options.takeover), finished]);
    if (watch !== undefined) running.supervisor.reloadOnChange(watch);
    options.started?.();
    await finished;
    return EXIT.ok;
  } catch (thrown) {
    if (!(thrown instanceof RefusedError)) throw thrown;
    for (const problem of thrown.problems) console.error(problem);
    return EXIT.refused;
  }
}

/** A proxy with its admin interface, its signals, and the socket that it hands over at. */
class RunningProxy implements AsyncDisposable {
  readonly supervisor: Supervisor;
  readonly #options: SupervisorOptions;
  #admin: AdminServer | undefined;
  #handOver: HandOver | undefined;
  #unwatch: (() => void) | undefined;
  /** A signal wants its end, maybe before its start is over. */
  #ending = false;
  /** Others go on at its addresses. */
  #calledOff = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.supervisor = new Supervisor(options);
  }

  /** Rejects with a {@linkcode RefusedError}, and whoever was to be taken over from goes on. */
  async start(loaded: LoadedConfig, takeover: boolean): Promise<void> {
    const { supervisor } = this;
    const { source, log, runDir } = this.#options;
    const { listeners, admin } = loaded.config;
    const started = this.#watchSignals();
    using from = takeover
      ? await Predecessors.find(runDir, listeners)
      : undefined;
    await supervisor.start(loaded, from);
    try {
      await from?.releaseAdmin();
      await this.#serveAdmin(admin);
      await this.#listenForSuccessor(admin);
      if (from !== undefined) await this.#takeOver(from);
    } catch (thrown) {
      // Those who go on want their address back.
      await this.#admin?.shutdown();
      throw thrown;
    }
    started();
    if (this.#calledOff) return;
    log.info("Headrace serves", {
      config: source.path,
      listeners: (await supervisor.report(0)).listeners.map(({ address }) =>
        address
      ),
      admin: this.#admin!.address,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwatch?.();
    // A new process that is about to take over asks for the admin address until
    // nobody answers: then it is free.
    await this.#admin?.shutdown();
    await this.#handOver?.[Symbol.asyncDispose]();
    await this.supervisor.stop();
  }

  /**
   * Signals wait until the returned function is called: clients are served some
   * time before the start is over, and an unwatched signal ends the process.
   */
  #watchSignals(): () => void {
    const { supervisor } = this;
    const { promise: started, resolve } = Promise.withResolvers<void>();
    this.#unwatch = watchSignals({
      reload: () => started.then(() => supervisor.reload()),
      drain: () => {
        this.#ending = true;
        return started.then(() =>
          supervisor.drain({ handedOver: this.#calledOff })
        );
      },
      cut: () => supervisor.cut(),
    }, this.#options.log);
    return resolve;
  }

  async #serveAdmin(config: AdminConfig): Promise<void> {
    this.#admin = await serveAdmin(this.supervisor, config, this.#options.log);
  }

  /** There is no way back from here: both serve, and the others are told to end. */
  async #takeOver(from: Predecessors): Promise<void> {
    const { log } = this.#options;
    if (from.pids.length === 0) {
      log.info("No Headrace has these addresses: nothing is taken over");
      return;
    }
    if (this.#ending) {
      // Nobody would serve if they were told to drain.
      this.#calledOff = true;
      log.warn("The takeover is called off, as this process is to end", {
        from: from.pids,
      });
      await this.#admin!.shutdown();
      return;
    }
    await this.supervisor.takeOver();
    try {
      await from.drain();
      log.info("Took over", { from: from.pids });
    } catch (error) {
      log.warn("Those that were taken over from may still serve", {
        from: from.pids,
        error,
      });
    }
  }

  /** Without a folder for its socket it serves all the same. `admin` is that of the start: no reload changes it. */
  async #listenForSuccessor(admin: AdminConfig): Promise<void> {
    const { supervisor } = this;
    const { log, clock } = this.#options;
    try {
      this.#handOver = await HandOver.listen({
        path: supervisor.control,
        secret: supervisor.secret,
        problem: () =>
          supervisor.state === "ready"
            ? undefined
            : `it is ${supervisor.state}`,
        releaseAdmin: () => this.#admin!.shutdown(),
        restoreAdmin: () => this.#serveAdmin(admin),
        restoreAddresses: () => supervisor.takeBack(),
        drain: () => {
          supervisor.drain({ handedOver: true }).catch((error) =>
            log.error("Cannot drain", { error })
          );
        },
        clock,
        log,
      });
    } catch (error) {
      log.warn("No other process can take over from this one", { error });
    }
  }
}
