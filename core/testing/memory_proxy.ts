/**
 * A whole proxy without sockets: requests enter a listener's sessions through
 * pipes, a function is the backend, and every callback point fires.
 *
 * @module
 */
import { createDataPlane } from "../data_plane/create.ts";
import type { DataPlane } from "../data_plane/data_plane.ts";
import { Subrequests } from "../data_plane/subrequest.ts";
import { systemClock } from "../net/clock.ts";
import { createLog } from "../observe/log.ts";
import { renderPrometheus } from "../observe/prometheus_text.ts";
import type { SocketAddress } from "../plugin.ts";
import { Session } from "../session/session.ts";
import { loadCandidate } from "../supervisor/load_candidate.ts";
import type { FakeClock } from "./fake_clock.ts";
import { type BackendHandler, MemoryBackend } from "./memory_backend.ts";
import {
  testedBuiltins,
  testedConfig,
  type TestedProxy,
} from "./tested_proxy.ts";

/** What a proxy in memory is made of. */
export interface MemoryProxyOptions extends TestedProxy {
  /** Answers for every backend of the config; by default 200 with method and target. */
  readonly backend?: BackendHandler;
  /** A clock that the test turns; by default the machine's. */
  readonly clock?: FakeClock;
}

/** Options of a request. */
export interface MemoryRequestInit extends RequestInit {
  /** The client's address; 192.0.2.1 by default. */
  readonly client?: string;
  /** The http listener to enter; by default the first of the config. */
  readonly listener?: string;
}

/** A proxy in memory. */
export interface MemoryProxy extends AsyncDisposable {
  /** Sends a client's request and resolves to its answer; redirects are not followed. Rejects with a `TypeError` where a handler closed the connection. */
  fetch(input: string | URL, init?: MemoryRequestInit): Promise<Response>;
  /** Its log, a JSON text each, debug included. */
  readonly logged: readonly string[];
  /** Its metrics, as `/metrics` shows them. */
  metrics(): Promise<string>;
}

/** Where a client came to, in the eyes of handlers. */
const LOCAL: SocketAddress = { address: "192.0.2.9", port: 80 };

/** Starts it. Rejects with a `RefusedError` for what a start would refuse: its `problems` say why. */
export async function proxyInMemory(
  options: MemoryProxyOptions,
): Promise<MemoryProxy> {
  const { backend = tellRequest, clock = systemClock } = options;
  const logged: string[] = [];
  const log = createLog({
    level: "debug",
    format: "json",
    write: (line) => logged.push(line),
  });
  const builtins = testedBuiltins(options);
  const loaded = await loadCandidate({
    source: {
      path: "test.yaml",
      baseDir: Deno.cwd(),
      read: () => Promise.resolve(testedConfig(options, "http://192.0.2.2:80")),
    },
    env: () => undefined,
    builtins: new Set(builtins.keys()),
    cacheDir: "",
    log,
  });
  const memory = new MemoryBackend(backend);
  const plane: DataPlane = createDataPlane({
    settings: {
      worker: 0,
      workers: 1,
      instance: "headrace-test",
      log: loaded.config.log,
      secret: new Uint8Array(32),
    },
    clock,
    log,
    builtins,
    lookUp: () => Promise.resolve({ addresses: ["192.0.2.2"], ttl: 60 }),
    connect: () => Promise.resolve(memory.connect(plane.env)),
  });
  try {
    await plane.adopt({ ...loaded, revision: 1, ports: {} });
  } catch (thrown) {
    await plane.stop();
    throw thrown;
  }
  return {
    fetch: (input, init = {}) => send(plane, input, init),
    logged,
    metrics: async () => renderPrometheus((await plane.report(0)).metrics),
    async [Symbol.asyncDispose]() {
      await plane.stop();
      await memory.idle();
    },
  };
}

async function send(
  plane: DataPlane,
  input: string | URL,
  { client = "192.0.2.1", ...init }: MemoryRequestInit,
): Promise<Response> {
  const requests = new Subrequests({
    env: plane.env,
    enter(initiator, name) {
      const listener = [...plane.current.listeners].find((each) =>
        each.protocol === "http" && (name === undefined || each.name === name)
      );
      if (listener === undefined) {
        throw new TypeError(`There is no http listener ${name ?? ""}`.trim());
      }
      new Session(plane, listener, initiator).run();
    },
    from: {
      internal: false,
      remote: { address: client, port: 50_000 },
      local: LOCAL,
    },
  });
  return await requests.send(new URL(input, "http://example.com/"), init);
}

function tellRequest({ method, url }: Request): Response {
  const { pathname, search } = new URL(url);
  return new Response(`${method} ${pathname}${search}`);
}
