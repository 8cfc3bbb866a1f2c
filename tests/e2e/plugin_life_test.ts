/**
 * The life of plugin instances: one reload brings an author's change, what began
 * before ends on the old code, and the old instance ends after its last holder.
 *
 * @module
 */
import { ModuleHost } from "../core/plugins/module_host.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { Beacon } from "../support/beacon.ts";
import { drainAndStop } from "../support/drain_and_stop.ts";
import { eventually } from "../support/eventually.ts";
import { heldBytes } from "../support/garbage.ts";
import { HttpClient } from "../support/http_client.ts";
import { pluginConfig, WORKERS } from "../support/plugin_site.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";

/** A plugin that marks requests and responses with its version, waits at /held, and tells of its life. */
const PLUGIN = `
import { version } from "./version.ts";
import { tell, wait } from "./beacon.js";

export default {
  name: "versioned",
  async setup({ signal }: { signal: AbortSignal }) {
    await tell(version + " setup");
    signal.addEventListener("abort", () => tell(version + " signal"));
    const mark = (headers: Headers, point: string) =>
      headers.set("x-" + point, version);
    return {
      handlers: {
        async foundProduct(request: any) {
          mark(request.headers, "found");
          if (request.path === "/held") await wait("gate");
        },
        afterLocation: (request: any) => mark(request.headers, "after"),
        sendRequestHeader: (request: any) => mark(request.headers, "send"),
        readResponse: (_: any, response: any) => mark(response.headers, "read"),
        sendResponseHeader: (_: any, response: any) =>
          mark(response.headers, "deliver"),
        transactionClose(transaction: any) {
          if (transaction.request.path === "/held") {
            tell(version + " transactionClose");
          }
        },
        finish: () => tell(version + " finish"),
      },
      async close() {
        await tell(version + " close");
      },
    };
  },
};
`;

/** Everything that the versions' tests work with. */
interface Stage extends AsyncDisposable {
  readonly host: ModuleHost;
  readonly beacon: Beacon;
  readonly proxy: TestProxy;
  /** What the author publishes. */
  publish(version: string): void;
  reload(): Promise<void>;
}

async function setStage(workers: number): Promise<Stage> {
  const beacon = new Beacon();
  const backend = serveEcho();
  const host = new ModuleHost({
    "/plugin.ts": PLUGIN,
    "/version.ts": `export const version: string = "v1";`,
    "/beacon.js": beacon.module,
  });
  const config = pluginConfig(workers, {
    products: [{ name: "site", default: true, rules: [{ cluster: "main" }] }],
    backends: [backend.url],
    plugins: [{ use: `${host.origin}/plugin.ts` }],
  });
  const proxy = await startProxy(config);
  return {
    host,
    beacon,
    proxy,
    publish: (version) =>
      void host.pages.set(
        "/version.ts",
        `export const version: string = "${version}";`,
      ),
    reload: () => proxy.reload(config),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
      await host[Symbol.asyncDispose]();
      await beacon[Symbol.asyncDispose]();
    },
  };
}

/** Which version ran at each point of the way, told by the backend and the response. */
function versions(
  response: { readonly headers: Headers; readonly text: string },
): Record<string, string | null | undefined> {
  const { headers } = parseEcho(response.text);
  return {
    found: headers["x-found"],
    after: headers["x-after"],
    send: headers["x-send"],
    read: response.headers.get("x-read"),
    deliver: response.headers.get("x-deliver"),
  };
}

function all(version: string): Record<string, string> {
  const points = ["found", "after", "send", "read", "deliver"];
  return Object.fromEntries(points.map((point) => [point, version]));
}

/** How many plugins live. */
async function living(proxy: TestProxy): Promise<number> {
  return (await proxy.report()).plugins.length;
}

for (const workers of WORKERS) {
  Deno.test(`one reload serves the author's change, what began before ends on the old code (workers: ${workers})`, async () => {
    await using stage = await setStage(workers);
    const { beacon, proxy } = stage;
    using held = await HttpClient.connect(proxy.port());
    await held.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    await beacon.seen("at gate");

    stage.publish("v2");
    await stage.reload();
    using other = await HttpClient.connect(proxy.port());
    assertEquals(versions(await other.get()), all("v2"));

    beacon.open("gate");
    assertEquals(versions(await held.response()), all("v1"));
    await beacon.seen("v1 transactionClose");
    // The session is the old one's, its next transaction the new one's.
    assertEquals(versions(await held.get()), all("v2"));
  });

  Deno.test(`an old instance ends after its last session, the new one stays (workers: ${workers})`, async () => {
    await using stage = await setStage(workers);
    const { beacon, proxy } = stage;
    using client = await HttpClient.connect(proxy.port());
    assertEquals(versions(await client.get()), all("v1"));

    stage.publish("v2");
    await stage.reload();
    // Nobody in the other workers holds it.
    await beacon.seen("v1 close", workers - 1);
    assertEquals(versions(await client.get()), all("v2"));
    assertEquals(await living(proxy), 2);

    client.close();
    await beacon.seen("v1 finish");
    await beacon.seen("v1 signal", workers);
    await beacon.seen("v1 close", workers);
    await eventually("one instance", async () => await living(proxy) === 1);
    assert(
      beacon.told.indexOf("v1 finish") < beacon.told.lastIndexOf("v1 close"),
      beacon.told.join(", "),
    );
    assertEquals(beacon.count("v2 close"), 0);
    assertEquals(beacon.count("v2 setup"), workers);
  });

  Deno.test(`a stop ends the instances of every worker (workers: ${workers})`, async () => {
    await using stage = await setStage(workers);
    await drainAndStop(stage.proxy);

    assertEquals(stage.beacon.count("v1 close"), workers);
  });

  Deno.test(`reloads without a change keep the instance (workers: ${workers})`, async () => {
    await using stage = await setStage(workers);
    const { host, beacon, proxy } = stage;
    const reloads = 20;
    for (let i = 0; i < reloads; i++) await stage.reload();

    assertEquals(beacon.told, Array(workers).fill("v1 setup"));
    assertEquals(await living(proxy), 1);
    assertEquals(
      host.asked.filter((path) => path === "/plugin.ts").length,
      reloads + 1,
    );
    using client = await HttpClient.connect(proxy.port());
    assertEquals(versions(await client.get()), all("v1"));
  });

  Deno.test(`an author's way back to the former bytes is a new set-up (workers: ${workers})`, async () => {
    await using stage = await setStage(workers);
    for (const version of ["v2", "v1"]) {
      stage.publish(version);
      await stage.reload();
    }
    await stage.beacon.seen("v1 setup", 2 * workers);
    await stage.beacon.seen("v1 close", workers);
    await stage.beacon.seen("v2 close", workers);
    using client = await HttpClient.connect(stage.proxy.port());

    assertEquals(versions(await client.get()), all("v1"));
  });

  Deno.test(`changed options are a new instance of the same module (workers: ${workers})`, async () => {
    await using beacon = new Beacon();
    await using host = new ModuleHost({
      "/beacon.js": beacon.module,
      "/plugin.js": `import { tell } from "./beacon.js";
        export default {
          name: "greeter",
          async setup({ options, name }) {
            await tell("setup " + options.word);
            return {
              handlers: {
                readResponse(_, response) {
                  response.headers.append("x-" + name, options.word);
                },
              },
              close: () => tell("close " + options.word),
            };
          },
        };`,
    });
    const use = `${host.origin}/plugin.js`;
    const config = (...words: readonly string[]) =>
      pluginConfig(workers, {
        plugins: words.map((word, i) => ({
          use,
          name: `greeter${i}`,
          options: { word },
        })),
      });
    await using proxy = await startProxy(config("a", "b"));
    const greetings = async () => {
      using client = await HttpClient.connect(proxy.port());
      const { headers } = await client.get();
      return [headers.get("x-greeter0"), headers.get("x-greeter1")];
    };
    assertEquals(await greetings(), ["a", "b"]);
    await proxy.reload(config("a", "c"));
    assertEquals(await greetings(), ["a", "c"]);
    await beacon.seen("close b", workers);

    assertEquals(beacon.count("setup a"), workers);
    assertEquals(beacon.count("close a"), 0);
  });

  Deno.test(`a plugin's server that is down: the last good copy stands in (workers: ${workers})`, async () => {
    const cacheDir = await Deno.makeTempDir({ prefix: "headrace-test-" });
    await using beacon = new Beacon();
    await using host = new ModuleHost({
      "/plugin.ts": PLUGIN,
      "/version.ts": `export const version: string = "v1";`,
      "/beacon.js": beacon.module,
    });
    const use = `${host.origin}/plugin.ts`;
    const config = pluginConfig(workers, { plugins: [{ use }] });
    const warned = (proxy: TestProxy) =>
      proxy.logged.filter((line) => line.includes("last good copy"));
    {
      await using proxy = await startProxy(config, { cacheDir });
      assertEquals(warned(proxy), []);
      host.pages.set(
        "/version.ts",
        () => new Response("down", { status: 503 }),
      );
      await proxy.reload(config);
      assertEquals(warned(proxy).length, 1);
      assertEquals(beacon.told, Array(workers).fill("v1 setup"));
    }
    {
      // Nothing listens there any more: a restart finds the copy too.
      await host[Symbol.asyncDispose]();
      await using proxy = await startProxy(config, { cacheDir });
      assertMatch(warned(proxy).join(), new RegExp(`warn.*${use}`));
      using client = await HttpClient.connect(proxy.port());
      assertEquals((await client.get()).headers.get("x-read"), "v1");
    }
    await Deno.remove(cacheDir, { recursive: true });
  });
}

Deno.test("200 reloads of an unchanged config keep instance, files and memory", async () => {
  const cacheDir = await Deno.makeTempDir({ prefix: "headrace-test-" });
  await using beacon = new Beacon();
  await using host = new ModuleHost({
    "/plugin.ts": PLUGIN,
    "/version.ts": `export const version: string = "v1"; // ${
      "x".repeat(100_000)
    }`,
    "/beacon.js": beacon.module,
  });
  const config = pluginConfig(1, {
    plugins: [
      { use: `${host.origin}/plugin.ts` },
      { use: "builtin:headers" },
    ],
  });
  await using proxy = await startProxy(config, { cacheDir });
  using client = await HttpClient.connect(proxy.port());
  const files = () =>
    [...Deno.readDirSync(cacheDir)].map(({ name }) => name).toSorted();
  const before = files();
  const heap = async (reloads: number) => {
    for (let i = 0; i < reloads; i++) {
      await proxy.reload(config);
      await client.get();
    }
    return heldBytes();
  };
  const warm = await heap(50);
  const after = await heap(150);

  assertEquals(beacon.told, ["v1 setup"]);
  assertEquals(files(), before);
  assertEquals((await proxy.report()).plugins.length, 2);
  // A graph has 100 KB: one that is kept by each reload would show.
  assert(after - warm < 2 << 20, `${after - warm} bytes more`);
  await Deno.remove(cacheDir, { recursive: true });
});
