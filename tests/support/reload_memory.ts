/**
 * A process that reloads an unchanged config again and again and prints by how
 * many bytes its memory grew: `{"heap":…,"native":…}`, V8's live objects and
 * what is resident beside V8's heap. Run with
 * `--expose-gc`.
 *
 * @module
 */
import { HttpClient } from "./http_client.ts";
import { startProxy } from "./proxy.ts";

/** Reloads before the first look: caches fill, code is compiled. */
const WARM_UP = 300;

const gc = (globalThis as unknown as { gc: () => void }).gc;

const PLUGIN = `export default {
  name: "counts",
  setup: ({ signal }) => {
    const timer = setInterval(() => {}, 1_000);
    signal.addEventListener("abort", () => clearInterval(timer));
    return {
      handlers: { readResponse: (_, { headers }) => headers.set("x-seen", "1") },
    };
  },
};`;

async function memory(): Promise<{ heap: number; native: number }> {
  // What is released by promises and finalizers is gone after a few rounds.
  for (let i = 0; i < 5; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, heapTotal, rss } = Deno.memoryUsage();
  return { heap: heapUsed, native: rss - heapTotal };
}

async function main(reloads: number): Promise<void> {
  const baseDir = await Deno.makeTempDir({ prefix: "headrace-test-" });
  try {
    await Deno.writeTextFile(`${baseDir}/counts.js`, PLUGIN);
    const config = JSON.stringify({
      listeners: [{ name: "web", address: "127.0.0.1:0" }],
      products: [{
        name: "all",
        default: true,
        rules: Array.from({ length: 20 }, (_, i) => ({
          when: `req_path_prefix_in("/${i}", false)`,
          respond: { status: 200, body: `${i}` },
        })),
      }],
      clusters: Array.from({ length: 10 }, (_, i) => ({
        name: `cluster-${i}`,
        backends: [{ id: `b${i}`, url: `http://127.0.0.1:${9_000 + i}` }],
      })),
      plugins: [
        {
          use: "builtin:headers",
          options: { response: { set: { "x-by": "h" } } },
        },
        { use: "./counts.js" },
      ],
      workers: 1,
    });
    await using proxy = await startProxy(config, { baseDir });
    using client = await HttpClient.connect(proxy.port());
    const some = async (count: number) => {
      for (let i = 0; i < count; i++) {
        await proxy.reload(config);
        const { headers } = await client.get("/1");
        if (headers.get("x-seen") !== "1") throw new Error("No plugin ran");
      }
    };
    await some(WARM_UP);
    const before = await memory();
    await some(reloads);
    const after = await memory();
    console.log(JSON.stringify({
      heap: after.heap - before.heap,
      native: after.native - before.native,
    }));
  } finally {
    await Deno.remove(baseDir, { recursive: true });
  }
}

if (import.meta.main) await main(Number(Deno.args[0] ?? 200));
