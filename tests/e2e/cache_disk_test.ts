/**
 * The cache's disk as clients and operators see it.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import { startHeadrace } from "../support/headrace_process.ts";
import { freePorts } from "../support/free_ports.ts";
import { type HttpBackend, serveHttpBackend } from "../support/http_backend.ts";
import { type ClientResponse, HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import type { TestProxy } from "../support/proxy.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";
import { bodyOf, sameBytes } from "../support/stored_bodies.ts";

const SIZES: Readonly<Record<string, number>> = {
  "/small": 1000,
  "/large": 900_000,
};

/** A folder, and a backend whose bodies are known. */
async function withDisk(
  test: (folder: string, backend: HttpBackend) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  try {
    await using backend = serveHttpBackend(({ url, method }) => {
      const { pathname } = new URL(url);
      const body = bodyOf(1, SIZES[pathname] ?? 10);
      return new Response(method === "GET" ? body.slice() : null, {
        headers: {
          "cache-control": "max-age=600",
          "cache-tag": pathname.slice(1),
          etag: `"${pathname}"`,
        },
      });
    });
    await test(folder, backend);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function cacheIn(folder: string, more: object = {}): object {
  return {
    purgeFrom: ["127.0.0.1"],
    memory: "4MiB",
    disk: { path: `${folder}/cache`, size: "64MiB" },
    ...more,
  };
}

async function ask(
  proxy: { port(): number },
  path: string,
  { method = "GET", fields = "" } = {},
): Promise<ClientResponse & { readonly cache: string }> {
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`,
  );
  const response = await client.response();
  const cache = response.headers.get("cache-status") ?? "";
  return { ...response, cache };
}

async function diskOf(proxy: TestProxy) {
  return (await proxy.report()).cache?.disk;
}

/** Resolves once the folder is in use and holds so many entries. */
async function stored(proxy: TestProxy, entries: number): Promise<void> {
  await eventually(`${entries} entries on disk`, async () => {
    const disk = await diskOf(proxy);
    return disk?.ready === disk?.shards && disk?.entries === entries;
  });
}

for (const workers of [1, 2]) {
  Deno.test(`what was stored is served after a restart: whole, in parts, not modified (${workers} workers)`, () =>
    withDisk(async (folder, backend) => {
      const parts = {
        backends: [backend.url],
        cache: cacheIn(folder),
        workers,
      };
      {
        await using proxy = await startProxyWith(parts);
        await stored(proxy, 0);
        // Each worker stores what is its own; by and by each gets its turn.
        await eventually("all on disk", async () => {
          for (const path of Object.keys(SIZES)) await ask(proxy, path);
          return (await diskOf(proxy))?.entries === 2;
        });
      }
      const asked = backend.requests;
      await using proxy = await startProxyWith({ ...parts, workers: 1 });
      await stored(proxy, 2);
      for (const [path, size] of Object.entries(SIZES)) {
        const whole = bodyOf(1, size);
        const { status, body, cache, headers } = await ask(proxy, path);
        assertEquals([status, sameBytes(body, whole)], [200, true]);
        assertStringIncludes(cache, "Headrace; hit");
        assertEquals(headers.get("content-length"), `${size}`);
        const same = await ask(proxy, path, {
          fields: `If-None-Match: "${path}"\r\n`,
        });
        assertEquals(same.status, 304);
        for (const [from, to] of [[0, 9], [500, 999], [size - 7, size - 1]]) {
          const part = await ask(proxy, path, {
            fields: `Range: bytes=${from}-${to}\r\n`,
          });
          assertEquals(part.status, 206);
          assert(sameBytes(part.body, whole.slice(from, to! + 1)));
        }
        assertStringIncludes((await ask(proxy, path)).cache, "hit");
      }
      assertEquals(backend.requests, asked);
      const { metrics } = await proxy.report();
      const value = (name: string, labels?: Record<string, string>) =>
        metricValue(metrics, `headrace_cache_disk_${name}`, labels);
      assertEquals([value("entries"), value("errors_total")], [2, 0]);
      assert(value("bytes") > 901_000);
      assert(value("io_bytes_total", { direction: "read" }) > 901_000);
    }));
}

Deno.test("what was purged or changed does not come back with a restart", () =>
  withDisk(async (folder, backend) => {
    const parts = { backends: [backend.url], cache: cacheIn(folder) };
    {
      await using proxy = await startProxyWith(parts);
      await stored(proxy, 0);
      for (const path of ["/a", "/b", "/c", "/d"]) await ask(proxy, path);
      await stored(proxy, 4);
      assertEquals((await ask(proxy, "/a", { method: "PURGE" })).status, 200);
      await ask(proxy, "/b", { method: "DELETE" });
      assertEquals(
        await proxy.supervisor.purgeCache({ kind: "tag", tag: "c" }),
        1,
      );
    }
    await using proxy = await startProxyWith(parts);
    await stored(proxy, 1);
    for (const path of ["/a", "/b", "/c"]) {
      assertStringIncludes((await ask(proxy, path)).cache, "fwd=uri-miss");
    }
    assertStringIncludes((await ask(proxy, "/d")).cache, "hit");
  }));

Deno.test("a reload takes another folder, none, and the first again; a refused one changes nothing", () =>
  withDisk(async (folder, backend) => {
    const config = (cache: object) =>
      configWith({ backends: [backend.url], cache });
    const own = cacheIn(folder);
    const other = cacheIn(folder, {
      disk: { path: `${folder}/other`, size: "32MiB" },
    });
    const broken = configWith({
      backends: [backend.url],
      cache: other,
      plugins: [{ use: "builtin:nothing" }],
    });
    await using proxy = await startProxyWith({
      backends: [backend.url],
      cache: own,
    });
    await stored(proxy, 0);
    await ask(proxy, "/small");
    await stored(proxy, 1);
    await proxy.reload(broken).catch(() => {});
    assertEquals((await diskOf(proxy))?.entries, 1);
    // What the refused one opened is not used, what there was stays.
    await proxy.reload(config(own));
    const { cache } = await proxy.report();
    assertEquals([cache?.entries, cache?.disk?.entries], [1, 1]);
    await proxy.reload(config(other));
    await stored(proxy, 0);
    assertEquals((await diskOf(proxy))?.capacity, 32 << 20);
    assertStringIncludes((await ask(proxy, "/small")).cache, "uri-miss");
    await stored(proxy, 1);
    await proxy.reload(config({}));
    assertEquals(await diskOf(proxy), undefined);
    await proxy.reload(config(own));
    await stored(proxy, 1);
    assertStringIncludes((await ask(proxy, "/small")).cache, "hit");
    // The folder that is left is free.
    await proxy.reload(config({ ...own, disk: undefined }));
    await using second = await startProxyWith({
      backends: [backend.url],
      cache: own,
    });
    await stored(second, 1);
  }));

Deno.test("a second process serves from memory until the first lets go of the folder", () =>
  withDisk(async (folder, backend) => {
    const parts = { backends: [backend.url], cache: cacheIn(folder) };
    const first = await startProxyWith(parts);
    let stopped: Promise<void> | undefined;
    const stop = () =>
      stopped ??= Promise.resolve(first[Symbol.asyncDispose]());
    try {
      await stored(first, 0);
      await ask(first, "/small");
      await stored(first, 1);
      await using second = await startProxyWith(parts);
      assertStringIncludes((await ask(second, "/small")).cache, "uri-miss");
      assertStringIncludes((await ask(second, "/small")).cache, "hit");
      assertEquals((await diskOf(second))?.ready, 0);
      await stop();
      await stored(second, 1);
      await ask(second, "/large");
      await stored(second, 2);
      const said = second.logged.filter((line) => line.includes("on disk"));
      assertEquals(said.length, 2);
    } finally {
      await stop();
    }
  }));

Deno.test("a killed process's cache is the next one's", () =>
  withDisk(async (folder, backend) => {
    const [port, admin] = freePorts(2);
    const path = `${folder}/proxy.yaml`;
    await Deno.writeTextFile(
      path,
      JSON.stringify({
        listeners: [{ name: "web", address: `127.0.0.1:${port}` }],
        clusters: [{ name: "main", backends: [{ url: backend.url }] }],
        cache: { disk: { path: "./cache", size: "64MiB" } },
        admin: { address: `127.0.0.1:${admin}` },
        workers: 1,
      }),
    );
    const start = async () => {
      const process = startHeadrace(["--config", path]);
      await process.wrote("The cache on disk is in use");
      return process;
    };
    const inUse = { port: () => port! };
    const entries = async () => {
      const url = `http://127.0.0.1:${admin}/api/cache`;
      const { disk } = await (await fetch(url)).json();
      return disk.entries;
    };
    {
      await using process = await start();
      await ask(inUse, "/small");
      await ask(inUse, "/large");
      await eventually("both on disk", async () => await entries() === 2);
      process.kill("SIGKILL");
      await process.code;
    }
    await using _process = await start();
    for (const [path, size] of Object.entries(SIZES)) {
      const { cache, body } = await ask(inUse, path);
      assertStringIncludes(cache, "hit");
      assert(sameBytes(body, bodyOf(1, size)));
    }
    assertEquals(backend.requests, 2);
  }));
