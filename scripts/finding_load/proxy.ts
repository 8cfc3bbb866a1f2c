/**
 * Headrace before the backends, as a process of its own.
 *
 * @module
 */
import { listenLow } from "../websocket_load/listen_low.ts";
import type { NginxBackend } from "./nginx_backend.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** A proxy that runs. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
}

/** What a row wants of it. */
export interface ProxyParts {
  readonly workers: number;
  /** Keys of the cluster besides its backends. */
  readonly cluster?: object;
  /** Of the backends in their order; 1 where there is none. */
  readonly weights?: readonly number[];
}

/** Starts it. */
export async function startProxy(
  folder: string,
  backends: readonly NginxBackend[],
  { workers, cluster, weights }: ProxyParts,
): Promise<Proxy> {
  const listener = listenLow();
  const { port } = listener.addr;
  listener.close();
  const path = `${folder}/headrace.json`;
  const config = {
    listeners: [{ name: "web", address: `127.0.0.1:${port}` }],
    clusters: [{
      name: "main",
      ...cluster,
      backends: backends.map(({ name, port }, i) => ({
        id: name,
        url: `http://127.0.0.1:${port}`,
        weight: weights?.[i] ?? 1,
      })),
    }],
    workers,
    log: { level: "error" },
  };
  await Deno.writeTextFile(path, JSON.stringify(config));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, "--config", path],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  await answers(port);
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

/** Waits until it answers. Throws after ten seconds. */
async function answers(port: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      await (await fetch(`http://127.0.0.1:${port}/`)).text();
      return;
    } catch (thrown) {
      if (tries === 100) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
