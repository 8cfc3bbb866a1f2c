/**
 * A whole proxy on sockets of 127.0.0.1, for what needs a real client: TCP,
 * WebSocket, a browser.
 *
 * @module
 */
import { createLog } from "../observe/log.ts";
import { systemClock } from "../net/clock.ts";
import { loadCandidate } from "../supervisor/load_candidate.ts";
import { startHere } from "../supervisor/plane_here.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import {
  testedBuiltins,
  testedConfig,
  type TestedProxy,
} from "./tested_proxy.ts";

/** What a proxy on sockets is made of. */
export interface SocketProxyOptions extends TestedProxy {
  /** The URL of the default cluster's backend; by default one that nobody listens on. */
  readonly backend?: string;
}

/** A proxy on sockets. */
export interface SocketProxy extends AsyncDisposable {
  /** The URL of a path at an http listener; by default the first of the config. */
  url(path?: string, listener?: number): string;
  /** Ports in the order of the config's addresses. */
  readonly ports: readonly number[];
  /** Its log, a JSON text each, debug included. */
  readonly logged: readonly string[];
}

/** Starts it, in this thread. Rejects with a `RefusedError` for what a start would refuse: its `problems` say why. */
export async function proxyOnSockets(
  options: SocketProxyOptions,
): Promise<SocketProxy> {
  const logged: string[] = [];
  const log = createLog({
    level: "debug",
    format: "json",
    write: (line) => logged.push(line),
  });
  const builtins = testedBuiltins(options);
  const text = testedConfig(options, options.backend ?? "http://127.0.0.1:1");
  const start = {
    source: {
      path: "test.yaml",
      baseDir: Deno.cwd(),
      read: () => Promise.resolve(text),
    },
    env: () => undefined,
    cacheDir: "",
    clock: systemClock,
    log,
  };
  const loaded = await loadCandidate({
    ...start,
    builtins: new Set(builtins.keys()),
  });
  const runDir = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const supervisor = new Supervisor({
    ...start,
    builtins,
    runDir,
    startPlane: startHere({ builtins, log }),
  });
  const stop = async () => {
    await supervisor.stop();
    await Deno.remove(runDir, { recursive: true });
  };
  try {
    await supervisor.start(loaded);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  const { listeners } = await supervisor.report(0);
  const ports = listeners.map(({ address }) =>
    Number(address.slice(address.lastIndexOf(":") + 1))
  );
  return {
    url: (path = "/", listener = 0) =>
      `http://127.0.0.1:${ports[listener]}${path}`,
    ports,
    logged,
    [Symbol.asyncDispose]: stop,
  };
}
