/**
 * What workers know together as they look for a backend: loads, sticky cookies,
 * and what is told of WebSocket sessions that went with a worker.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { clientOnEach } from "../support/client_on_each.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually } from "../support/eventually.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import type { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

/** Says which worker answered, and ends it where it is asked to. */
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

function start(urls: readonly string[], cluster: object): Promise<TestProxy> {
  const backends = urls.map((url, i) => ({ id: "ab"[i], url }));
  return startProxy(JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{ name: "main", backends, ...cluster }],
    plugins: [{ use: TELLTALE }],
    workers: 2,
    log: { level: "error" },
  }));
}

/** Ends the worker that a client is on; resolves when another has its place. */
async function endWorker(proxy: TestProxy, client: HttpClient): Promise<void> {
  await client.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(
    "the restart",
    () => proxy.logged.some((line) => line.includes("A worker was restarted")),
  );
}

Deno.test("leastconn goes by what all workers have under way", async () => {
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<string>();
  const answer = (name: string) =>
    serveHttpBackend(async (request) => {
      if (request.url.endsWith("/wait")) {
        asked.resolve(name);
        await gate.promise;
      }
      return new Response(name);
    });
  await using a = answer("a");
  await using b = answer("b");
  await using proxy = await start([a.url, b.url], { balance: "leastconn" });
  using both = await clientOnEach(proxy.port());
  const [one, other] = both.clients;
  const waiting = one.get("/wait");
  const busy = await asked.promise;
  // What came before may be counted a moment longer.
  await eventually("the load", async () => {
    const { backends } = await proxy.report();
    return backends.every(({ id, load }) => load === (id === busy ? 1 : 0));
  });
  for (let i = 0; i < 10; i++) {
    assertEquals((await other.get()).text, busy === "a" ? "b" : "a");
  }
  gate.resolve();
  assertEquals((await waiting).text, busy);
});

Deno.test("queue.size bounds those who wait in all workers together", async () => {
  const gate = Promise.withResolvers<void>();
  await using backend = serveHttpBackend(async (request) => {
    if (request.url.endsWith("/wait")) await gate.promise;
    return new Response("ok");
  });
  const bounded = { id: "a", url: backend.url, maxConnections: 1 };
  await using proxy = await start([], {
    backends: [bounded],
    queue: { size: 2, timeout: "30s" },
    retries: { max: 0 },
  });
  using both = await clientOnEach(proxy.port());
  using more = await clientOnEach(proxy.port());
  using others = await clientOnEach(proxy.port());
  const clients = [both, more, others].flatMap((on) => [...on.clients]);
  const statuses: number[] = [];
  const all = clients.map(async (client) => {
    const { status } = await client.get("/wait");
    statuses.push(status);
  });
  await eventually("those who have no place", () => statuses.length === 3);
  assertEquals(statuses, [503, 503, 503]);
  gate.resolve();
  await Promise.all(all);
  assertEquals(statuses.slice(3), [200, 200, 200]);
});

Deno.test("a sticky cookie leads to its backend in every worker, also in one that was restarted", async () => {
  await using a = serveHttpBackend(() => new Response("a"));
  await using b = serveHttpBackend(() => new Response("b"));
  await using proxy = await start([a.url, b.url], { sticky: { cookie: "S" } });
  const ask = async (client: HttpClient, cookie = "") => {
    await client.send(`GET / HTTP/1.1\r\nHost: a\r\nCookie: ${cookie}\r\n\r\n`);
    return await client.response();
  };
  const stays = async (cookie: string, name: string) => {
    using both = await clientOnEach(proxy.port());
    for (const client of both.clients) {
      for (let i = 0; i < 4; i++) {
        const { text, headers } = await ask(client, cookie);
        assertEquals([text, headers.has("set-cookie")], [name, false]);
      }
    }
  };
  using both = await clientOnEach(proxy.port());
  const { text, headers } = await ask(both.clients[1]);
  const [cookie] = headers.get("set-cookie")!.split(";");
  await stays(cookie!, text);
  await endWorker(proxy, both.clients[1]);
  await stays(cookie!, text);
});

Deno.test("WebSocket sessions of a lost worker are told of as lost, those of the other go on", async () => {
  await using backend = serveWebSocket("a");
  await using proxy = await start([backend.url], {});
  const clients: WebSocketClient[] = [];
  const listed = async () =>
    (await proxy.supervisor.listWebSockets({ limit: 100 })).sessions;
  try {
    await eventually("sessions on both", async () => {
      clients.push(await WebSocketClient.open(proxy.url()));
      return new Set((await listed()).map(({ worker }) => worker)).size === 2;
    });
    const mine = (await listed()).filter(({ worker }) => worker === 1).length;
    using both = await clientOnEach(proxy.port());
    await eventually(
      "the ends of others",
      async () => (await proxy.report()).sessionsOpen === clients.length + 2,
    );
    await endWorker(proxy, both.clients[1]);
    const { metrics } = await proxy.report();
    const lost = (kind: string) =>
      metricValue(metrics, "headrace_sessions_lost_total", { kind });
    assertEquals([lost("websocket"), lost("all")], [mine, mine + 1]);
    const line = JSON.parse(
      proxy.logged.find((line) => line.includes("A worker was lost"))!,
    );
    assertEquals([line.websockets, line.sessions], [mine, mine + 1]);
    const left = await listed();
    assertEquals(
      left.map(({ worker }) => worker),
      Array(clients.length - mine).fill(0),
    );
    assertEquals(
      metricValue(metrics, "headrace_websocket_sessions_open"),
      left.length,
    );
  } finally {
    for (const client of clients) await client[Symbol.asyncDispose]();
  }
});
