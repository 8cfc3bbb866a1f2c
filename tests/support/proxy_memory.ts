/**
 * What a running proxy takes, measured from outside: in a process of its own, so
 * that clients' memory is not counted, after garbage collection.
 *
 * @module
 */
import { eventually } from "./eventually.ts";
import { metricValue } from "./metric_value.ts";
import { startProxy, type TestProxy } from "./proxy.ts";

/** What a proxy takes, in bytes. */
export interface ProxyMemory {
  /** Resident. */
  readonly rss: number;
  /** V8's live objects. */
  readonly heap: number;
  /** Buffers beside V8's heap. */
  readonly external: number;
}

/** What has to be there before it is measured. */
export interface Load {
  /** Sessions that are open. */
  readonly sessions: number;
  /** Bytes that came from clients. */
  readonly received: number;
}

/** A proxy in a process of its own. */
export interface MeasuredProxy extends AsyncDisposable {
  readonly port: number;
  /** What it takes under this load. */
  memory(load: Load): Promise<ProxyMemory>;
}

/** Starts a proxy with a config of one listener. */
export async function measureProxy(config: object): Promise<MeasuredProxy> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--v8-flags=--expose-gc",
      import.meta.url,
      JSON.stringify(config),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const questions = child.stdin.getWriter();
  const answers = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const answer = async () => {
    let line = "";
    while (!line.endsWith("\n")) {
      const { value } = await answers.read();
      if (value === undefined) throw new Error("The measured process ended");
      line += value;
    }
    return JSON.parse(line);
  };
  const { port } = await answer();
  return {
    port,
    async memory(load) {
      await questions.write(new TextEncoder().encode(JSON.stringify(load)));
      return await answer();
    },
    async [Symbol.asyncDispose]() {
      await questions.close();
      await answers.cancel();
      await child.status;
    },
  };
}

/** The measured process: tells its port, then answers each load with its memory. */
async function main(config: string): Promise<void> {
  await using proxy = await startProxy(config);
  console.log(JSON.stringify({ port: proxy.port() }));
  for await (const question of Deno.stdin.readable) {
    const load: Load = JSON.parse(new TextDecoder().decode(question));
    await eventually("the load", () => isUnder(proxy, load));
    console.log(JSON.stringify(await memory()));
  }
}

async function isUnder(proxy: TestProxy, load: Load): Promise<boolean> {
  const { metrics, sessionsOpen } = await proxy.report();
  const labels = { direction: "in", side: "client" };
  return sessionsOpen >= load.sessions &&
    metricValue(metrics, "headrace_bytes_total", labels) >= load.received;
}

async function memory(): Promise<ProxyMemory> {
  const { gc } = globalThis as unknown as { gc: () => void };
  // What is released by promises and finalizers is gone after a few rounds.
  for (let i = 0; i < 5; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { rss, heapUsed, external } = Deno.memoryUsage();
  return { rss, heap: heapUsed, external };
}

if (import.meta.main) await main(Deno.args[0]!);
