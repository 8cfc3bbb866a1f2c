/**
 * Which backend gets a request, and what happens where it can't answer.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { bytesOf } from "../support/byte_streams.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually } from "../support/eventually.ts";
import { fillBackend } from "../support/full_backend.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import type { TestProxy } from "../support/proxy.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { ResettableConn } from "../support/resettable_conn.ts";
import { serveEach, serveScript } from "../support/scripted_backend.ts";

/** Nobody listens there. */
const REFUSED = "http://127.0.0.1:1";

/** How often each backend answered so many requests of one connection. */
async function counts(
  proxy: TestProxy,
  requests: number,
): Promise<Record<string, number>> {
  using client = await HttpClient.connect(proxy.port());
  const counts: Record<string, number> = {};
  for (let i = 0; i < requests; i++) {
    const { status, text } = await client.get();
    const key = status === 200 ? parseEcho(text).backend : String(status);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** The attempts of each backend as the proxy reports them: good ones and failed ones. */
async function attempts(
  proxy: TestProxy,
): Promise<Record<string, readonly [number, number]>> {
  const { backends } = await proxy.report();
  return Object.fromEntries(
    backends.map(({ id, ok, failed }) => [id, [ok, failed]]),
  );
}

// -------------------------------------------------------------------- weights

Deno.test("subclusters and backends share requests by their weights", async () => {
  await using a1 = serveEcho("a1");
  await using a2 = serveEcho("a2");
  await using b1 = serveEcho("b1");
  await using proxy = await startProxyWith({
    cluster: {
      backends: undefined,
      subclusters: [
        {
          name: "east",
          weight: 90,
          backends: [
            { id: "a1", url: a1.url, weight: 2 },
            { id: "a2", url: a2.url },
          ],
        },
        { name: "west", weight: 10, backends: [{ id: "b1", url: b1.url }] },
      ],
    },
  });

  assertEquals(await counts(proxy, 100), { a1: 60, a2: 30, b1: 10 });
});

Deno.test("connections share the turns of a cluster", async () => {
  await using a = serveEcho("a");
  await using b = serveEcho("b");
  await using proxy = await startProxyWith({ backends: [a.url, b.url] });
  const each = await Promise.all(
    Array.from({ length: 10 }, () => counts(proxy, 10)),
  );
  const sum = (id: string) =>
    each.reduce((sum, one) => sum + (one[id] ?? 0), 0);

  assertEquals([sum("a"), sum("b")], [50, 50]);
});

Deno.test("weight 0 gets no request, of a backend, of a subcluster, of all", async (t) => {
  await using a = serveEcho("a");
  await using b = serveEcho("b");
  const east = { name: "east", backends: [{ id: "a", url: a.url }] };
  const west = { name: "west", backends: [{ id: "b", url: b.url }] };
  const idle = { id: "a", url: a.url, weight: 0 };
  const rows: readonly (readonly [string, object[], object])[] = [
    ["backend", [{ name: "all", backends: [idle, ...west.backends] }], {
      b: 10,
    }],
    ["subcluster", [{ ...east, weight: 0 }, west], { b: 10 }],
    ["all backends of a subcluster", [{ ...east, backends: [idle] }, west], {
      b: 10,
    }],
    ["subcluster without backends", [{ name: "none", backends: [] }, west], {
      b: 10,
    }],
    ["all", [{ ...east, weight: 0 }, { ...west, weight: 0 }], { "503": 10 }],
  ];
  for (const [name, subclusters, expected] of rows) {
    await t.step(name, async () => {
      await using proxy = await startProxyWith({
        cluster: { backends: undefined, subclusters },
      });
      assertEquals(await counts(proxy, 10), expected);
    });
  }
});

Deno.test("a reload changes weights and leaves what stays connected", async () => {
  await using a = serveEcho("a");
  await using b = serveEcho("b");
  const config = (weight: number) =>
    JSON.stringify({
      listeners: [{ name: "web", address: "127.0.0.1:0" }],
      clusters: [{
        name: "main",
        backends: [{ id: "a", url: a.url, weight }, { id: "b", url: b.url }],
      }],
      workers: 1,
    });
  await using proxy = await startProxyWith({ backends: [] });
  await proxy.reload(config(1));
  assertEquals(await counts(proxy, 10), { a: 5, b: 5 });
  await proxy.reload(config(4));
  assertEquals(await counts(proxy, 10), { a: 8, b: 2 });
  await proxy.reload(config(0));
  assertEquals(await counts(proxy, 10), { b: 10 });

  assertEquals([a.accepted, b.accepted], [1, 1]);
});

// -------------------------------------------------------------------- retries

Deno.test("a refused connection is retried on another backend, no client notices", async () => {
  await using live = serveEcho("live");
  await using proxy = await startProxyWith({ backends: [REFUSED, live.url] });

  assertEquals(await counts(proxy, 100), { live: 100 });
  assertEquals(await attempts(proxy), { a: [0, 50], b: [100, 0] });
});

Deno.test("retries keep to the weights of those that are left", async () => {
  await using b = serveEcho("b");
  await using c = serveEcho("c");
  await using proxy = await startProxyWith({
    backends: [REFUSED, b.url, c.url],
  });

  assertEquals(await counts(proxy, 300), { b: 150, c: 150 });
});

Deno.test("a missing unix socket is retried on another backend", async () => {
  await using live = serveEcho("live");
  await using proxy = await startProxyWith({
    backends: ["unix:/nonexistent/headrace.sock", live.url],
  });

  assertEquals(await counts(proxy, 10), { live: 10 });
});

Deno.test("a POST with a body is retried where the connection is refused", async () => {
  await using backend = serveHttpBackend(async (request) =>
    new Response(await request.text())
  );
  await using proxy = await startProxyWith({
    backends: [REFUSED, backend.url],
  });
  for (let i = 0; i < 4; i++) {
    const body = "x".repeat(100_000);
    const response = await fetch(proxy.url("/"), { method: "POST", body });
    assertEquals([response.status, await response.text()], [200, body]);
  }
});

Deno.test("a GET is retried on a new connection where the backend had closed the pooled one", async () => {
  // Each connection answers once and closes at the second request.
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.respond(200, "ok");
    await connection.request();
  });
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await HttpClient.connect(proxy.port());
  for (let i = 0; i < 10; i++) assertEquals((await client.get()).text, "ok");

  assertEquals(backend.accepted, 10);
});

// --------------------------------------------------------------------- errors

/** Status and code of the answer to a GET. */
async function failure(
  proxy: TestProxy,
  client: HttpClient,
  path = "/",
): Promise<readonly [number, string]> {
  await client.send(
    `GET ${path} HTTP/1.1\r\nHost: a:${proxy.port()}\r\nAccept: application/json\r\n\r\n`,
  );
  const { status, text } = await client.response();
  return [status, JSON.parse(text).code];
}

Deno.test("502 where all backends refuse", async () => {
  await using proxy = await startProxyWith({
    backends: [REFUSED, "http://127.0.0.2:1"],
  });
  using client = await HttpClient.connect(proxy.port());

  assertEquals(await failure(proxy, client), [502, "connect_refused"]);
  assertEquals(await attempts(proxy), { a: [0, 1], b: [0, 1] });
});

Deno.test("502 where the only backend left has no weight, and not 503", async () => {
  await using idle = serveEcho();
  await using proxy = await startProxyWith({
    cluster: {
      backends: [
        { id: "a", url: REFUSED },
        { id: "b", url: idle.url, weight: 0 },
      ],
    },
  });
  using client = await HttpClient.connect(proxy.port());

  assertEquals(await failure(proxy, client), [502, "connect_refused"]);
});

Deno.test("502 where the only backend left is in a subcluster without weight, and not 503", async () => {
  await using idle = serveEcho();
  await using proxy = await startProxyWith({
    cluster: {
      backends: undefined,
      subclusters: [
        { name: "east", backends: [{ id: "a", url: REFUSED }] },
        { name: "west", weight: 0, backends: [{ id: "b", url: idle.url }] },
      ],
    },
  });
  using client = await HttpClient.connect(proxy.port());

  assertEquals(await failure(proxy, client), [502, "connect_refused"]);
});

Deno.test("502 where the backend closes without an answer, or answers no HTTP", async (t) => {
  const rows: readonly (readonly [string, string, string])[] = [
    ["nothing", "", "backend_closed"],
    ["a part", "HTTP/1.1 200 OK\r\nA: b", "response_truncated"],
    ["garbage", "SSH-2.0-OpenSSH\r\n\r\n", "bad_response"],
  ];
  for (const [name, answer, code] of rows) {
    await t.step(name, async () => {
      await using backend = serveScript(async (connection) => {
        await connection.request();
        await connection.send(answer);
      });
      await using proxy = await startProxyWith({ backends: [backend.url] });
      using client = await HttpClient.connect(proxy.port());
      assertEquals(await failure(proxy, client), [502, code]);
      // The client's connection is as good as before.
      assertEquals((await failure(proxy, client))[0], 502);
    });
  }
});

Deno.test("503 where a cluster has no backend", async () => {
  await using proxy = await startProxyWith({ backends: [] });
  using client = await HttpClient.connect(proxy.port());

  assertEquals(await failure(proxy, client), [503, "no_backend"]);
});

Deno.test("504 where the backend takes longer than it may, by the cluster or the rule", async (t) => {
  const closed: Promise<void>[] = [];
  await using backend = serveEach((connection, { target }) => {
    if (target === "/fast") return connection.respond(200, "fast");
    // Never: until the proxy gives up.
    const ended = connection.ended();
    closed.push(ended);
    return ended;
  });
  const start = (cluster: object, rule: object) =>
    startProxyWith({
      backends: [backend.url],
      cluster,
      products: [{
        name: "site",
        default: true,
        rules: [{ cluster: "main", ...rule }],
      }],
    });
  const rows: readonly (readonly [string, object, object])[] = [
    ["cluster", { timeouts: { response: "50ms" } }, {}],
    ["rule", {}, { timeouts: { response: "50ms" } }],
  ];
  for (const [name, cluster, rule] of rows) {
    await t.step(name, async () => {
      await using proxy = await start(cluster, rule);
      using client = await HttpClient.connect(proxy.port());
      assertEquals(await failure(proxy, client, "/slow"), [
        504,
        "backend_timeout",
      ]);
      assertEquals((await client.get("/fast")).text, "fast");
      assertEquals(await attempts(proxy), { a: [1, 1] });
    });
  }
  await Promise.all(closed);
});

Deno.test("504 where no connection comes in time", async () => {
  using full = await fillBackend();
  await using proxy = await startProxyWith({
    backends: [full.url],
    cluster: { timeouts: { connect: "50ms" } },
  });
  using client = await HttpClient.connect(proxy.port());

  assertEquals(await failure(proxy, client), [504, "connect_timeout"]);
});

Deno.test("a connection that is late on one backend comes from another", async () => {
  await using live = serveEcho("live");
  using full = await fillBackend();
  await using proxy = await startProxyWith({
    backends: [full.url, live.url],
    cluster: { timeouts: { connect: "50ms" } },
  });

  assertEquals(await counts(proxy, 4), { live: 4 });
  // It costs its time once, not each time that its turn comes.
  assertEquals(await attempts(proxy), { a: [0, 1], b: [4, 0] });
});

Deno.test("a client that leaves is no failure of its backend", async () => {
  const asked = Promise.withResolvers<void>();
  await using backend = serveScript(async (connection) => {
    await connection.request();
    asked.resolve();
    await connection.ended();
  });
  await using proxy = await startProxyWith({ backends: [backend.url] });
  const client = await ResettableConn.connect(proxy.port());
  await client.write(bytesOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  await asked.promise;
  await client.reset();
  await eventually(
    "the session's end",
    async () => (await proxy.report()).sessionsOpen === 0,
  );

  assertEquals(await attempts(proxy), { a: [0, 0] });
});
