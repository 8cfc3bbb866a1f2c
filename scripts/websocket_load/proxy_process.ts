/**
 * Headrace as a child process, and its admin interface.
 *
 * @module
 */

const MAIN = new URL("../../main.ts", import.meta.url);

/** One backend as the config names it. */
export interface NamedBackend {
  readonly id: string;
  readonly port: number;
}

/** What becomes of upgrades: `clusters[].websocket.mode`; undefined leaves the key out. */
export type WebSocketMode = "session" | "tunnel" | undefined;

/** The admin interface has no such route, or not yet. */
export class NotThereError extends Error {
  override readonly name = "NotThereError";
}

/** A start takes no longer, in milliseconds. */
const START = 30_000;

/** A running proxy. */
export class ProxyProcess implements AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #mode: WebSocketMode;
  readonly #admin: string;

  private constructor(
    child: Deno.ChildProcess,
    folder: string,
    mode: WebSocketMode,
    serves: Serves,
  ) {
    this.#child = child;
    this.#folder = folder;
    this.#mode = mode;
    this.pid = child.pid;
    this.port = portOf(serves.listeners[0]!);
    this.#admin = `http://${serves.admin}`;
  }

  /** Starts it with one worker before one cluster. */
  static async start(
    backends: readonly NamedBackend[],
    mode: WebSocketMode,
    v8Flags: readonly string[] = [],
  ): Promise<ProxyProcess> {
    const folder = await Deno.makeTempDir({ prefix: "headrace-load-" });
    await Deno.writeTextFile(configPath(folder), configText(backends, mode));
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        ...v8Flags.map((flag) => `--v8-flags=${flag}`),
        MAIN.href,
        "--config",
        configPath(folder),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    try {
      const serves = await readLog(child);
      return new ProxyProcess(child, folder, mode, serves);
    } catch (thrown) {
      await Deno.remove(folder, { recursive: true });
      throw thrown;
    }
  }

  /** Reloads with other backends. */
  async reload(backends: readonly NamedBackend[]): Promise<void> {
    await Deno.writeTextFile(
      configPath(this.#folder),
      configText(backends, this.#mode),
    );
    await this.admin("POST", "/api/reload");
  }

  /** Asks the admin interface for something that has an effect. Rejects with a NotThereError where there is no such route. */
  async admin(method: string, path: string, body?: object): Promise<void> {
    const response = await fetch(this.#admin + path, {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
    });
    const text = await response.text();
    const said = `${method} ${path} answers ${response.status} ${
      text.replaceAll(/\s+/g, " ")
    }`;
    if ([404, 405, 501].includes(response.status)) {
      throw new NotThereError(said);
    }
    if (!response.ok) throw new Error(said);
    // wsbalancer's routes say with a 200 that nothing was done.
    const { result, reason } = JSON.parse(text);
    if (result === "failed" || reason !== undefined) throw new Error(said);
  }

  /** The sum over a metric's series; 0 where it has none. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`${this.#admin}/metrics`);
    const text = await response.text();
    return text.split("\n")
      .filter((line) =>
        line.startsWith(`${name} `) || line.startsWith(`${name}{`)
      )
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** What its log says once it serves. */
interface Serves {
  readonly listeners: readonly string[];
  readonly admin: string;
}

/** Waits until it serves; its errors are passed on from then on. */
async function readLog(child: Deno.ChildProcess): Promise<Serves> {
  const serves = Promise.withResolvers<Serves>();
  const timer = setTimeout(() => {
    child.kill("SIGKILL");
    serves.reject(new Error(`The proxy does not serve within ${START} ms`));
  }, START);
  readLines(child.stderr, (line) => {
    const { level, message, ...rest } = parseLine(line);
    if (message === "Headrace serves") {
      serves.resolve(rest as unknown as Serves);
    } else if (level !== "info" && level !== "debug") console.error(line);
  }).then(() => serves.reject(new Error("The proxy ended before it served")));
  try {
    return await serves.promise;
  } finally {
    clearTimeout(timer);
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (line: string) => void,
): Promise<void> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const line of lines) take(line);
  }
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line);
  } catch {
    // A line of Deno's own.
    return { level: "error", message: line };
  }
}

function configPath(folder: string): string {
  return `${folder}/headrace.yaml`;
}

function configText(
  backends: readonly NamedBackend[],
  mode: WebSocketMode,
): string {
  return JSON.stringify({
    listeners: [{
      name: "web",
      address: "127.0.0.1:0",
      limits: { connections: 10_000, connectionsPerAddress: 10_000 },
    }],
    clusters: [{
      name: "main",
      backends: backends.map(({ id, port }) => ({
        id,
        url: `http://127.0.0.1:${port}`,
      })),
      ...(mode !== undefined && { websocket: { mode } }),
    }],
    admin: { address: "127.0.0.1:0" },
    workers: 1,
    drain: { timeout: "1s" },
    log: { level: "info", format: "json" },
  });
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}
