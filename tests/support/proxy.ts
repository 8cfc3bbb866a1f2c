/**
 * Starts Headrace inside the test's process, on free ports.
 *
 * @module
 */
import { type Clock, systemClock } from "../../core/net/clock.ts";
import type { LookUp } from "../../core/net/resolver.ts";
import { type CoreLog, createLog } from "../../core/observe/log.ts";
import { RefusedError } from "../../core/data_plane/control.ts";
import { loadCandidate } from "../../core/supervisor/load_candidate.ts";
import type { ProxyReport } from "../../core/supervisor/proxy_report.ts";
import type { Heartbeat } from "../../core/supervisor/heartbeat.ts";
import { startHere } from "../../core/supervisor/plane_here.ts";
import { Supervisor } from "../../core/supervisor/supervisor.ts";
import { builtins } from "../../plugins/mod.ts";

/** A running proxy. */
export interface TestProxy extends AsyncDisposable {
  readonly supervisor: Supervisor;
  /** What it logged. */
  readonly logged: readonly string[];
  /** The port of the nth listener of the config, from 0. */
  port(listener?: number): number;
  /** `http://127.0.0.1:port` of the nth listener. */
  url(path?: string, listener?: number): string;
  /** Swaps the config's text and reloads. */
  reload(text: string): Promise<void>;
  report(): Promise<ProxyReport>;
}

/** Options of a start. */
export interface ProxyOptions {
  /** Relative plugin paths start here. */
  readonly baseDir?: string;
  readonly cacheDir?: string;
  /** Those with the same one know of each other's addresses. */
  readonly runDir?: string;
  /** Of workers. */
  readonly heartbeat?: Heartbeat;
  /** Of the test's thread; the machine's. */
  readonly clock?: Clock;
  /** Looks up names for the test's thread; the system. */
  readonly lookUp?: LookUp;
  /** Milliseconds between two looks at the files of certificates. */
  readonly certificateInterval?: number;
}

/** Starts it with a config's text; listeners at port 0 of 127.0.0.1 get free ports. Rejects with a RefusedError. */
export async function startProxy(
  text: string,
  options: ProxyOptions = {},
): Promise<TestProxy> {
  const logged: string[] = [];
  const log: CoreLog = createLog({
    level: "debug",
    format: "json",
    write: (line) => logged.push(line),
  });
  let current = text;
  const ownCache = options.cacheDir === undefined;
  const cacheDir = options.cacheDir ??
    await Deno.makeTempDir({ prefix: "headrace-test-" });
  const supervisorOptions = {
    source: {
      path: "test.yaml",
      baseDir: options.baseDir ?? Deno.cwd(),
      read: () => Promise.resolve(current),
    },
    env: () => undefined,
    builtins,
    cacheDir,
    runDir: options.runDir ?? `${cacheDir}/run`,
    clock: options.clock ?? systemClock,
    log,
    ...(options.heartbeat !== undefined && { heartbeat: options.heartbeat }),
    lookUp: options.lookUp,
    startPlane: startHere({ builtins, log, lookUp: options.lookUp }),
    ...(options.certificateInterval !== undefined && {
      certificateInterval: options.certificateInterval,
    }),
  };
  const supervisor = new Supervisor(supervisorOptions);
  const cleanUp = async () => {
    await supervisor.stop();
    if (ownCache) await Deno.remove(cacheDir, { recursive: true });
  };
  let ports: number[] = [];
  const learnPorts = async () => {
    const { listeners } = await supervisor.report(0);
    ports = listeners.map(({ address }) =>
      Number(address.slice(address.lastIndexOf(":") + 1))
    );
  };
  try {
    const loaded = await loadCandidate({
      ...supervisorOptions,
      builtins: new Set(builtins.keys()),
    });
    await supervisor.start(loaded);
    await learnPorts();
  } catch (thrown) {
    await cleanUp();
    if (thrown instanceof RefusedError) console.error(thrown.problems);
    throw thrown;
  }
  const port = (listener = 0) => ports[listener]!;
  return {
    supervisor,
    logged,
    port,
    url: (path = "/", listener = 0) =>
      `http://127.0.0.1:${port(listener)}${path}`,
    async reload(next) {
      current = next;
      await supervisor.reload();
      await learnPorts();
    },
    report: () => supervisor.report(1_000),
    [Symbol.asyncDispose]: cleanUp,
  };
}
