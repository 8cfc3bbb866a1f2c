/**
 * One cache over several workers, whichever of them a client comes to.
 *
 * @module
 */
import { ownerOf, shardOf } from "../../core/cache/shard.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { clientOnEach } from "../support/client_on_each.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually } from "../support/eventually.ts";
import { type HttpBackend, serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import type { TestProxy } from "../support/proxy.ts";
import {
  configWith,
  type ProxyWith,
  startProxyWith,
} from "../support/proxy_with.ts";

/** Says which worker answered, and ends it where the path says so. */
const TELLTALE = dataPlugin(`export default {
  name: "telltale",
  setup: () => ({
    handlers: {
      foundProduct: ({ path }) => {
        if (path === "/close") self.close();
      },
      readResponse: (_, { headers }) => headers.set("x-worker", self.name),
    },
  }),
};`);

/** Signs of life so often that silence is noticed soon, but not taken for one on a busy machine. */
const HEARTBEAT = { interval: 100, silence: 2_000 };

function start(
  backend: HttpBackend,
  parts: Partial<ProxyWith> = {},
): Promise<TestProxy> {
  return startProxyWith({
    backends: [backend.url],
    plugins: [{ use: TELLTALE }],
    cache: { purgeFrom: ["127.0.0.1"] },
    workers: 2,
    ...parts,
  }, { heartbeat: HEARTBEAT });
}

function fresh(body: BodyInit | null): Response {
  return new Response(body, {
    headers: { "cache-control": "max-age=60", "cache-tag": "t" },
  });
}

/** A path whose owner is this worker; the nth. */
function pathOf(worker: number, workers: number, n = 0): string {
  let found = 0;
  for (let i = 0;; i++) {
    const key = `http://localhost/${i}`;
    if (ownerOf(shardOf(key), workers) === worker && found++ === n) {
      return `/${i}`;
    }
  }
}

Deno.test("200 clients of all workers ask for one cold object: the backend is asked once", async () => {
  for (const workers of [2, 3]) {
    const gate = Promise.withResolvers<void>();
    await using backend = serveHttpBackend(async ({ url }) => {
      if (new URL(url).pathname === "/cold") await gate.promise;
      return fresh("the one");
    });
    await using proxy = await start(backend, { workers });
    using each = await clientOnEach(proxy.port(), "/", workers);
    const before = backend.requests;
    const clients = await Promise.all(
      Array.from({ length: 200 }, () => HttpClient.connect(proxy.port())),
    );
    const answers = [...clients, ...each.clients].map((one) =>
      one.get("/cold")
    );
    await eventually(
      "all but one to wait",
      async () => (await proxy.report()).cache?.waiting === 199 + workers,
    );
    gate.resolve();
    const got = await Promise.all(answers);
    for (const client of clients) client.close();
    assertEquals(new Set(got.map(({ text }) => text)), new Set(["the one"]));
    assertEquals(
      new Set(got.map(({ headers }) => headers.get("x-worker"))).size,
      workers,
    );
    assertEquals(backend.requests - before, 1);
    const { cache } = await proxy.report();
    // The other one is that of `clientOnEach`.
    assertEquals([cache?.entries, cache?.fetches, cache?.fills], [2, 0, 0]);
  }
});

Deno.test("no worker answers with what was purged, by whichever way", async () => {
  let version = 1;
  await using backend = serveHttpBackend(({ method }) =>
    fresh(method === "GET" ? `${version}` : null)
  );
  await using proxy = await start(backend, { workers: 3 });
  using each = await clientOnEach(proxy.port(), "/", 3);
  const paths = [0, 1, 2].map((worker) => pathOf(worker, 3));
  const texts = async () => {
    const all: string[] = [];
    for (const path of paths) {
      for (const client of each.clients) {
        all.push((await client.get(path)).text);
      }
    }
    return new Set(all);
  };
  const send = async (method: string, headers = "") => {
    for (const [i, path] of paths.entries()) {
      const client = each.clients[i]!;
      await client.send(
        `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`,
      );
      const { status } = await client.response();
      assertEquals(status, 200);
      if (headers !== "") return;
    }
  };
  const { supervisor } = proxy;
  const forget: (() => Promise<unknown>)[] = [
    () => send("DELETE"),
    () => send("PURGE"),
    () => send("PURGE", "Cache-Tag: t\r\n"),
    async () =>
      assertEquals(await supervisor.purgeCache({ kind: "tag", tag: "t" }), 3),
    async () => assertEquals(await supervisor.purgeCache({ kind: "all" }), 3),
  ];
  // Twice, so that there are copies.
  await texts();
  await supervisor.purgeCache({ kind: "all" });
  for (const one of forget) {
    await texts();
    assertEquals(await texts(), new Set([`${version}`]));
    version++;
    await one();
    assertEquals(await texts(), new Set([`${version}`]), `${one}`);
  }
  // Who fetched it has no copy before it asks for it.
  await texts();
  const before = (await proxy.report()).cache!.shared!;
  await texts();
  const { cache, metrics } = await proxy.report();
  const { copies, copyBytes, own, copy, owner, none } = cache!.shared!;
  assertEquals(
    [own - before.own, copy - before.copy, owner - before.owner, none],
    [3, 6, 0, 0],
  );
  // Those of what was purged go when they are met, or for room.
  assert(copies >= 6 && copyBytes >= 6 * 800, `${copies} ${copyBytes}`);
  assertEquals(cache?.capacity, 3 * Math.floor((256 << 20) / 3));
  assertEquals(cache?.entries, 3);
  assertEquals(
    metricValue(metrics, "headrace_cache_finds_total", { from: "copy" }),
    copy,
  );
});

Deno.test("large objects come through other workers whole, parts of them too", async () => {
  const sizes = [100_000, 3_000_000];
  const bodies = sizes.map((size) =>
    new Uint8Array(size).map((_, i) => (i * 7 + (i >> 8)) & 255)
  );
  await using backend = serveHttpBackend(({ url }) =>
    fresh(bodies[Number(new URL(url).searchParams.get("n") ?? 0)]!)
  );
  await using proxy = await start(backend);
  using each = await clientOnEach(proxy.port());
  const before = backend.requests;
  const ask = async (client: HttpClient, path: string, range = "") => {
    await client.send(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${range}\r\n`,
    );
    return await client.response();
  };
  for (const [n, body] of bodies.entries()) {
    for (const [i, client] of each.clients.entries()) {
      const path = `/large-${i}?n=${n}`;
      assertEquals((await ask(client, path)).body, body);
      for (const other of each.clients) {
        const { body: again, headers } = await ask(other, path);
        assertEquals(again, body);
        assert(headers.get("cache-status")?.includes("; hit"));
        const part = await ask(other, path, "Range: bytes=70000-99998\r\n");
        assertEquals(part.status, 206);
        assertEquals(part.body, body.subarray(70_000, 99_999));
      }
    }
  }
  assertEquals(backend.requests - before, 4);
});

Deno.test("a worker that ends takes its part with it: requests go on, and what comes is stored again", async () => {
  await using backend = serveHttpBackend(() => fresh("x"));
  await using proxy = await start(backend, {
    products: [{
      name: "all",
      default: true,
      rules: [{
        when: 'req_path_in("/close", false)',
        respond: { status: 200 },
      }, { cluster: "main" }],
    }],
  });
  using each = await clientOnEach(proxy.port());
  const [first, second] = each.clients;
  const path = pathOf(1, 2);
  assertEquals((await first.get(path)).text, "x");
  assertEquals((await first.get(path)).text, "x");
  const before = backend.requests;
  await second.send("GET /close HTTP/1.1\r\nHost: localhost\r\n\r\n");
  // Silent, then gone, then replaced.
  let asked = 0;
  await eventually("the restart", async () => {
    const begun = performance.now();
    assertEquals((await first.get(pathOf(1, 2, ++asked))).text, "x");
    const took = performance.now() - begun;
    assert(took < 8_000, `${took} ms`);
    return proxy.logged.some((line) => line.includes("was restarted"));
  });
  assert(backend.requests > before);
  await eventually("it to be stored", async () => {
    await first.get(path);
    const { headers } = await first.get(path);
    return headers.get("cache-status")?.includes("; hit");
  });
});

Deno.test("with a disk: all workers find after a restart what one of them stored, not what was purged", async () => {
  await using backend = serveHttpBackend(() => fresh("x".repeat(100_000)));
  const path = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const parts = {
    cache: { disk: { path: `${path}/cache`, size: "64MiB" } },
  };
  const paths = [pathOf(0, 2), pathOf(1, 2), pathOf(0, 2, 1), pathOf(1, 2, 1)];
  const stored = (proxy: TestProxy, entries: number) =>
    eventually(`${entries} on disk`, async () => {
      const { cache } = await proxy.report();
      const { ready, shards, entries: known } = cache!.disk!;
      return ready === shards && known >= entries;
    });
  try {
    {
      await using proxy = await start(backend, parts);
      using each = await clientOnEach(proxy.port());
      // What came before the disk was there is in memory alone.
      await stored(proxy, 0);
      for (const path of paths) {
        assertEquals((await each.clients[0].get(path)).body.length, 100_000);
      }
      await stored(proxy, 4);
      const purged = await proxy.supervisor.purgeCache({
        kind: "url",
        url: `http://localhost${paths[0]}`,
      });
      assertEquals(purged, 1);
    }
    await using proxy = await start(backend, parts);
    using each = await clientOnEach(proxy.port());
    await stored(proxy, 3);
    const before = backend.requests;
    for (const path of paths) {
      for (const client of each.clients) {
        assertEquals((await client.get(path)).body.length, 100_000);
      }
    }
    assertEquals(backend.requests - before, 1);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("with a disk: a purge holds that came while its owner was gone, though the other worker ends too", async () => {
  await using backend = serveHttpBackend(({ url }) =>
    // What `clientOnEach` asks for is not stored.
    new URL(url).pathname === "/"
      ? new Response("x")
      : fresh("x".repeat(100_000))
  );
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  try {
    await using proxy = await start(backend, {
      cache: { disk: { path: `${folder}/cache`, size: "64MiB" } },
    });
    const ready = (entries: number) =>
      eventually(`${entries} on disk`, async () => {
        const { disk } = (await proxy.report()).cache ?? {};
        return disk?.ready === disk?.shards && disk?.entries === entries;
      });
    const workers = (count: number) =>
      eventually(
        `${count} losses`,
        () =>
          proxy.logged.filter((line) => line.includes("A worker was lost"))
            .length === count,
      );
    await ready(0);
    const [purged, kept] = [pathOf(1, 2), pathOf(1, 2, 1)];
    {
      using each = await clientOnEach(proxy.port());
      await each.clients[0].get(purged);
      await each.clients[0].get(kept);
      await ready(2);
      await each.clients[1].send("GET /close HTTP/1.1\r\nHost: h\r\n\r\n");
      await workers(1);
      const url = `http://localhost${purged}`;
      await proxy.supervisor.purgeCache({ kind: "url", url });
      await each.clients[0].send("GET /close HTTP/1.1\r\nHost: h\r\n\r\n");
      await workers(2);
    }
    await eventually(
      "both workers",
      () =>
        proxy.logged.filter((line) => line.includes("A worker was restarted"))
          .length === 2,
    );
    await ready(1);
    using each = await clientOnEach(proxy.port());
    const before = backend.requests;
    for (const path of [kept, purged]) {
      assertEquals((await each.clients[0].get(path)).body.length, 100_000);
    }
    assertEquals(backend.requests - before, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("with a disk: a purge holds that came while its owner was gone, though the process ends before it is back", async () => {
  await using backend = serveHttpBackend(({ url }) =>
    // What `clientOnEach` asks for is not stored.
    new URL(url).pathname === "/"
      ? new Response("x")
      : fresh("x".repeat(100_000))
  );
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const parts = { cache: { disk: { path: `${folder}/cache`, size: "64MiB" } } };
  const ready = (proxy: TestProxy, entries: number) =>
    eventually(`${entries} on disk`, async () => {
      const { disk } = (await proxy.report()).cache ?? {};
      return disk?.ready === disk?.shards && disk?.entries === entries;
    });
  const [purged, kept] = [pathOf(1, 2), pathOf(1, 2, 1)];
  try {
    {
      await using proxy = await start(backend, parts);
      await ready(proxy, 0);
      using each = await clientOnEach(proxy.port());
      await each.clients[0].get(purged);
      await each.clients[0].get(kept);
      await ready(proxy, 2);
      await each.clients[1].send("GET /close HTTP/1.1\r\nHost: h\r\n\r\n");
      await eventually(
        "a loss",
        () => proxy.logged.some((line) => line.includes("A worker was lost")),
      );
      const url = `http://localhost${purged}`;
      await proxy.supervisor.purgeCache({ kind: "url", url });
    }
    await using proxy = await start(backend, parts);
    await ready(proxy, 1);
    using each = await clientOnEach(proxy.port());
    const before = backend.requests;
    for (const path of [kept, purged]) {
      assertEquals((await each.clients[0].get(path)).body.length, 100_000);
    }
    assertEquals(backend.requests - before, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a reload with another bound starts anew in all workers", async () => {
  await using backend = serveHttpBackend(() => fresh("x"));
  await using proxy = await start(backend);
  using each = await clientOnEach(proxy.port());
  for (const client of each.clients) {
    for (let n = 0; n < 4; n++) await client.get(pathOf(n % 2, 2, n));
  }
  assertEquals((await proxy.report()).cache?.entries, 5);
  const config = {
    listeners: [{ name: "web", address: `127.0.0.1:${proxy.port()}` }],
    clusters: [{ name: "main", backends: [{ id: "a", url: backend.url }] }],
    plugins: [{ use: TELLTALE }],
    cache: { memory: "8MiB" },
    workers: 2,
  };
  await proxy.reload(JSON.stringify(config));
  assertEquals((await proxy.report()).cache?.entries, 0);
  const before = backend.requests;
  for (const client of each.clients) {
    for (let n = 0; n < 4; n++) await client.get(pathOf(n % 2, 2, n));
  }
  assertEquals(backend.requests - before, 4);
  const { cache } = await proxy.report();
  assertEquals([cache?.entries, cache?.capacity], [4, 8 << 20]);
});

Deno.test("what the cache counts goes on over a reload that takes another one, or none", async () => {
  await using backend = serveHttpBackend(() => fresh("x".repeat(30_000)));
  const parts = { backends: [backend.url], workers: 2 };
  const config = (cache: object) => configWith({ ...parts, cache });
  await using proxy = await startProxyWith({
    ...parts,
    cache: { memory: "800KiB" },
  });
  const client = await HttpClient.connect(proxy.port());
  for (let i = 0; i < 60; i++) await client.get(`/${i}`);
  client.close();
  const counted = async () => {
    const { metrics } = await proxy.report();
    return ["evictions", "finds"].map((what) =>
      metricValue(metrics, `headrace_cache_${what}_total`)
    );
  };
  const before = await counted();
  assert(before.every((count) => count > 0), before.join());
  await proxy.reload(config({ memory: "900KiB" }));
  assertEquals(await counted(), before);
  await proxy.reload(config({ enabled: false }));
  assertEquals(await counted(), before);
});
