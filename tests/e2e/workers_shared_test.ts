import { RefusedError } from "../../core/data_plane/control.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { clientOnEach } from "../support/client_on_each.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { startProxy } from "../support/proxy.ts";

/** Counts requests by path, and answers with their count; the path's by a counter where it is /all. */
const TALLY = dataPlugin(`export default {
  name: "tally",
  async setup({ options, shared, verdict }) {
    const all = await shared.counter("all");
    const paths = await shared.map("paths", { entries: options.entries });
    return {
      handlers: {
        foundProduct: ({ path }) => {
          const count = path === "/all" ? all.add() : paths.add(path, 1, 60_000);
          return verdict.respond({
            status: 200,
            headers: { "x-worker": self.name ?? "" },
            body: String(count),
          });
        },
      },
    };
  },
};`);

function config(workers: number, entries = 100, further: object = {}): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 404 } }],
    }],
    plugins: [{ use: TALLY, options: { entries } }],
    workers,
    log: { level: "error" },
    ...further,
  });
}

Deno.test("shared – plugins in both workers see one counter and one map, also over reloads", async () => {
  await using proxy = await startProxy(config(2));
  using both = await clientOnEach(proxy.port());
  const [one, other] = both.clients;
  const ask = async (client: HttpClient, path: string) =>
    Number((await client.get(path)).text);
  assertEquals(
    [
      await ask(one, "/all"),
      await ask(other, "/all"),
      await ask(one, "/a"),
      await ask(other, "/a"),
      await ask(other, "/b"),
    ],
    [1, 2, 1, 2, 1],
  );
  // Another instance of the same name, with other options.
  await proxy.reload(config(2, 100, {
    plugins: [{ use: TALLY, options: { entries: 100, new: true } }],
  }));
  assertEquals([await ask(one, "/all"), await ask(other, "/a")], [3, 3]);
  // Another size is another map.
  await proxy.reload(config(2, 200));
  assertEquals([await ask(other, "/all"), await ask(one, "/a")], [4, 1]);
  // Without the plugin there is nothing to remember.
  await proxy.reload(config(2, 200, { plugins: [] }));
  await proxy.reload(config(2, 200));
  assertEquals([await ask(one, "/all"), await ask(other, "/a")], [1, 1]);
});

Deno.test("shared – without workers it is the same", async () => {
  await using proxy = await startProxy(config(1));
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get("/all")).text, "1");
  await proxy.reload(config(1, 200));
  assertEquals((await client.get("/all")).text, "2");
});

for (const workers of [1, 2]) {
  Deno.test(`shared – a map that may not be refuses the config, workers: ${workers}`, async () => {
    await using proxy = await startProxy(config(workers));
    await assertRejects(
      () => proxy.reload(config(workers, 0)),
      RefusedError,
      "entries must be a whole number",
    );
    const greedy = dataPlugin(`export default {
      name: "greedy",
      async setup({ shared }) {
        for (let i = 0; i < 11; i++) await shared.map("m" + i, { entries: 1_048_576 });
        return {};
      },
    };`);
    await assertRejects(
      () => proxy.reload(config(workers, 100, { plugins: [{ use: greedy }] })),
      RefusedError,
      "of at most 268435456 bytes",
    );
  });
}

Deno.test("shared – what a lost worker had under way is counted no more", async () => {
  const counting = dataPlugin(`export default {
    name: "counting",
    async setup({ shared, verdict }) {
      const uses = await shared.uses("requests", { entries: 100 });
      return {
        handlers: {
          foundProduct: ({ path }) => {
            if (path === "/enter") uses.enter("all");
            if (path === "/leave") uses.leave("all");
            if (path === "/close") self.close();
            return verdict.respond({
              status: 200,
              headers: { "x-worker": self.name },
              body: String(uses.count("all")),
            });
          },
        },
      };
    },
  };`);
  await using proxy = await startProxy(
    config(2, 100, { plugins: [{ use: counting }] }),
    { heartbeat: { interval: 100, silence: 2_000 } },
  );
  using both = await clientOnEach(proxy.port());
  const [one, other] = both.clients;
  assertEquals((await one.get("/enter")).text, "1");
  assertEquals((await other.get("/enter")).text, "2");
  await other.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(
    "the count without the lost one",
    async () => (await one.get("/")).text === "1",
  );
  assertEquals((await one.get("/leave")).text, "0");
});
