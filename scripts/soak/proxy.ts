/**
 * The proxy of a soak, seen from outside.
 *
 * @module
 */
import { cpuSeconds, residentBytes } from "../process_stat.ts";
import { CollectionBook } from "./gc_trace.ts";
import { lines } from "./lines.ts";
import type { Places } from "./user.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** A start or a reload takes no longer, in milliseconds. */
const PATIENCE = 30_000;

/** What paths of the cache's files hold, as the soak's configs have it. */
const CACHE = "/soak-cache/";

/** What it takes and has at a moment. */
export interface Sample {
  /** Milliseconds of the harness's clock. */
  readonly at: number;
  readonly resident: number;
  /** Open ones but those of the cache's files, which a pool keeps. */
  readonly descriptors: number;
  readonly cacheFiles: number;
  /** Megabytes of live objects behind the last collections. */
  readonly heap: number;
  /** Seconds of CPU so far. */
  readonly cpu: number;
  /** Collections so far. */
  readonly collections: number;
  /** Sums of metrics, by name. */
  readonly metrics: ReadonlyMap<string, number>;
}

/** What is asked of `/metrics`. */
export const GAUGES = {
  sessions: "headrace_sessions_open",
  pool: "headrace_pool_connections",
  websockets: "headrace_websocket_sessions_open",
  cached: "headrace_cache_bytes",
  cachedOnDisk: "headrace_cache_disk_bytes",
  diskErrors: "headrace_cache_disk_errors_total",
  reloads: "headrace_reloads_total",
} as const;

/** A running proxy. */
export class SoakProxy implements AsyncDisposable {
  readonly pid: number;
  readonly collections = new CollectionBook();
  /** Warnings and errors of its log, by level and message. */
  readonly complaints = new Map<string, number>();
  #serves: { listeners: readonly string[]; admin: string } | undefined;
  readonly #child: Deno.ChildProcess;
  readonly #serving = Promise.withResolvers<void>();
  readonly #reading: Promise<unknown>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.pid = child.pid;
    this.#reading = Promise.all([
      this.#readOutput(child.stdout),
      this.#readLog(child.stderr),
    ]);
  }

  /** Starts it; resolves once it serves. */
  static async start(
    config: string,
    { runDir, v8Flags = [] }: {
      readonly runDir: string;
      readonly v8Flags?: readonly string[];
    },
  ): Promise<SoakProxy> {
    const flags = ["--trace-gc", ...v8Flags].join(",");
    const deno = [Deno.execPath(), "run", "-A", `--v8-flags=${flags}`];
    // V8 writes its trace by stdio, which keeps 4 KB back from a pipe.
    const child = new Deno.Command("stdbuf", {
      args: ["-oL", ...deno, MAIN, "--config", config],
      env: { NO_COLOR: "1", HEADRACE_RUN_DIR: runDir },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const proxy = new SoakProxy(child);
    const timer = setTimeout(
      () => proxy.#serving.reject(new Error("The proxy does not serve")),
      PATIENCE,
    );
    try {
      await proxy.#serving.promise;
    } catch (thrown) {
      child.kill("SIGKILL");
      throw thrown;
    } finally {
      clearTimeout(timer);
    }
    return proxy;
  }

  /** Where its listeners are. */
  places(ca: string): Places {
    const [web, denoTls, nodeTls, tcp] = this.#serves!.listeners
      .map((address) => Number(address.slice(address.lastIndexOf(":") + 1)));
    return {
      web: { port: web! },
      denoTls: { port: denoTls!, ca },
      nodeTls: { port: nodeTls!, ca },
      tcp: { port: tcp! },
    };
  }

  /** The port of its first listener. */
  get port(): number {
    const [first = ""] = this.#serves!.listeners;
    return Number(first.slice(first.lastIndexOf(":") + 1));
  }

  /** Has all its threads run before others (sched(7), SCHED_FIFO). Throws where that is not allowed. */
  async prefer(): Promise<void> {
    const { success, stderr } = await new Deno.Command("chrt", {
      args: ["-a", "-f", "-p", "1", String(this.pid)],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }

  /** SIGHUP. */
  reload(): void {
    this.#child.kill("SIGHUP");
  }

  /** Looks at it. */
  async sample(): Promise<Sample> {
    const text = await this.metricsText();
    const metrics = new Map<string, number>();
    for (const line of text.split("\n")) {
      const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match === null) continue;
      const [, name = "", labels = "", value = ""] = match;
      const key = name === GAUGES.reloads ? `${name}{${labels}}` : name;
      metrics.set(key, (metrics.get(key) ?? 0) + Number(value));
    }
    const descriptors = openDescriptors(this.pid);
    const cacheFiles = descriptors.filter((to) => to.includes(CACHE)).length;
    return {
      at: performance.now(),
      resident: await residentBytes(this.pid),
      descriptors: descriptors.length - cacheFiles,
      cacheFiles,
      heap: this.collections.heap,
      cpu: await cpuSeconds(this.pid),
      collections: this.collections.collections.length,
      metrics,
    };
  }

  /** All of `/metrics`. */
  async metricsText(): Promise<string> {
    const response = await fetch(`http://${this.#serves!.admin}/metrics`);
    return await response.text();
  }

  /** SIGTERM; its exit code once it is gone. */
  async stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
  }

  /** Resolves when it ends, wanted or not. */
  get ended(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (thrown) {
      // It has ended by itself.
      if (!(thrown instanceof TypeError)) throw thrown;
    }
    await this.#child.status;
    await this.#reading;
  }

  async #readOutput(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    for await (const line of lines(stream)) this.collections.take(line);
  }

  async #readLog(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    for await (const line of lines(stream)) {
      const { level, message, ...rest } = parseLine(line);
      if (message === "Headrace serves") {
        this.#serves = rest as {
          listeners: readonly string[];
          admin: string;
        };
        this.#serving.resolve();
      } else if (level !== "info" && level !== "debug") {
        const text = `${level}: ${message}`;
        const before = this.complaints.get(text) ?? 0;
        this.complaints.set(text, before + 1);
        // The first of a kind with all that it says.
        if (before === 0) console.error(line);
      }
    }
    this.#serving.reject(new Error("The proxy ended before it served"));
  }
}

/** What each descriptor of a process leads to. */
function openDescriptors(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`${folder}/${name}`)];
    } catch (thrown) {
      // It was closed meanwhile.
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
      return [];
    }
  });
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line);
  } catch {
    // A line of Deno's own.
    return { level: "error", message: line };
  }
}
