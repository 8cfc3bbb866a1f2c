/**
 * `builtin:rate-limit` through sockets, over workers.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { bytesOf } from "../support/byte_streams.ts";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { pluginConfig, WORKERS } from "../support/plugin_site.ts";
import { startProxy } from "../support/proxy.ts";
import { ResettableConn } from "../support/resettable_conn.ts";
import { startSample } from "../support/sample_proxy.ts";
import { serveEach } from "../support/scripted_backend.ts";

Deno.test("the sample of rate-limit answers 429 to whoever logs in too often", async () => {
  await using proxy = await startSample("rate_limit");
  using client = await HttpClient.connect(proxy.port());
  const first = await client.get("/login");
  assertEquals(first.status, 200);
  assertEquals(first.headers.get("ratelimit"), '"login";r=4;t=12');
  assertEquals(first.headers.get("ratelimit-policy"), '"login";q=5;w=60');
  for (let i = 0; i < 4; i++) {
    assertEquals((await client.get("/login")).status, 200);
  }
  const limited = await client.get("/login");
  assertEquals(limited.status, 429);
  assert(Number(limited.headers.get("retry-after")) >= 1);
  assertEquals((await client.get("/")).status, 200);
});

for (const workers of WORKERS) {
  Deno.test(`rate-limit holds for all workers together (workers: ${workers})`, async () => {
    await using proxy = await startProxy(
      pluginConfig(workers, {
        plugins: [{
          use: "builtin:rate-limit",
          options: {
            rules: [{ name: "a", rate: { requests: 30, per: "1h" } }],
          },
        }],
      }),
    );
    const statuses = await Promise.all(
      Array.from({ length: 12 }, async () => {
        using client = await HttpClient.connect(proxy.port());
        const found: number[] = [];
        for (let i = 0; i < 5; i++) found.push((await client.get()).status);
        return found;
      }),
    );
    const all = statuses.flat();
    assertEquals(all.filter((status) => status === 200).length, 30);
    assertEquals(all.filter((status) => status === 429).length, 30);
  });
}

Deno.test("rate-limit gives slots back, also of clients that leave", async () => {
  await using backend = serveEach(async (connection) => {
    await connection.ended();
  });
  await using proxy = await startProxy(
    pluginConfig(1, {
      backends: [backend.url],
      products: [{
        name: "site",
        default: true,
        rules: [
          { when: 'req_path_in("/slow", false)', cluster: "main" },
          { respond: { status: 200, body: "ok" } },
        ],
      }],
      plugins: [{
        use: "builtin:rate-limit",
        options: { rules: [{ name: "a", concurrent: 2 }] },
      }],
    }),
  );
  const slow = await Promise.all([1, 2].map(async () => {
    const conn = await ResettableConn.connect(proxy.port());
    await conn.write(bytesOf("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"));
    return conn;
  }));
  using client = await HttpClient.connect(proxy.port());
  await eventually(
    "both under way",
    async () => (await client.get()).status === 429,
  );
  for (const one of slow) await one.reset();
  await eventually(
    "a free slot",
    async () => (await client.get()).status === 200,
  );
});

Deno.test("handlers that a plugin registers for one transaction are counted once", async () => {
  await using proxy = await startProxy(
    pluginConfig(1, {
      plugins: [{
        use: "builtin:rate-limit",
        options: { rules: [{ name: "a", concurrent: 2 }], fields: false },
      }],
    }),
  );
  using client = await HttpClient.connect(proxy.port());
  for (let i = 0; i < 64; i++) await client.get();
  const { metrics } = await proxy.report();
  const durations = metrics.metrics.find(({ name }) =>
    name === "headrace_handler_duration_seconds"
  );
  assert(durations?.type === "histogram");
  const counts = durations.series
    .filter(({ labels }) => labels[0] === "rate-limit")
    .map(({ labels, counts }) => [
      labels[1],
      counts.reduce((sum, count) => sum + count, 0),
    ]);
  assertEquals(Object.fromEntries(counts), {
    foundProduct: 64,
    transactionClose: 64,
  });
});
