/**
 * What relay loads are sent through: Headrace, and for comparison nginx or
 * nothing.
 *
 * @module
 */
import { BackendFarm } from "./backend_process.ts";
import { listenLow } from "./listen_low.ts";
import { ProxyProcess, type WebSocketMode } from "./proxy_process.ts";
import { workingPid } from "../process_stat.ts";

/** Where a load is sent. */
export interface RelayTarget extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** The process that does the work; undefined where there is none between. */
  readonly pid: number | undefined;
}

/** What may stand beside Headrace. */
export const BESIDE = ["nginx", "direct"] as const;

/** One of them. */
export type Beside = (typeof BESIDE)[number];

/** The targets before two backends that send back; the backends' processes end with the last. */
export async function startTargets(
  mode: WebSocketMode,
  beside: readonly Beside[],
  v8Flags: readonly string[],
): Promise<AsyncDisposable & { readonly targets: readonly RelayTarget[] }> {
  const stack = new AsyncDisposableStack();
  try {
    const farm = stack.use(
      new BackendFarm(
        { size: 0, think: 0, pushes: 0, echo: true },
        () => {},
      ),
    );
    const processes = await Promise.all([farm.start(), farm.start()]);
    await Promise.all(processes.map((process) => process.listen()));
    const backends = processes.map(({ port }, i) => ({ id: `b${i}`, port }));
    const proxy = stack.use(
      await ProxyProcess.start(backends, mode, v8Flags),
    );
    const targets: RelayTarget[] = [named("Headrace", proxy)];
    if (beside.includes("nginx")) {
      const ports = backends.map(({ port }) => port);
      targets.push(stack.use(await startNginx(ports)));
    }
    if (beside.includes("direct")) {
      targets.push(
        named("direct", { port: backends[0]!.port, pid: undefined }),
      );
    }
    return {
      targets,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (thrown) {
    await stack.disposeAsync();
    throw thrown;
  }
}

/** What `stack` owns and ends. */
function named(
  name: string,
  { port, pid }: Pick<RelayTarget, "port" | "pid">,
): RelayTarget {
  return { name, port, pid, async [Symbol.asyncDispose]() {} };
}

/** nginx with one worker and buffers as they come. */
async function startNginx(backends: readonly number[]): Promise<RelayTarget> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-load-" });
  const listener = listenLow();
  const { port } = listener.addr;
  listener.close();
  const config = `${folder}/nginx.conf`;
  await Deno.writeTextFile(
    config,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log;
events { worker_connections 8192; }
http {
  access_log off;
  upstream pool { ${backends.map((at) => `server 127.0.0.1:${at};`).join(" ")} }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://pool;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 1h;
    }
  }
}
`,
  );
  const child = new Deno.Command("nginx", {
    args: ["-c", config],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  await listens(port);
  return {
    name: "nginx",
    port,
    pid: await workingPid(child.pid),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Waits until somebody takes connections. Throws after ten seconds. */
async function listens(port: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (thrown) {
      if (tries === 100) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Why one can't stand beside Headrace here; undefined where it can. */
export async function whyNot(beside: Beside): Promise<string | undefined> {
  if (beside === "direct") return undefined;
  const { success } = await new Deno.Command("sh", {
    args: ["-c", "command -v nginx"],
    stdout: "null",
  }).output();
  return success
    ? undefined
    : "nginx is not installed (Debian's package nginx)";
}
