/**
 * The exact sequence of callback points of what Traffic Server's table of
 * scenarios has and the other tests of sequences have not: addresses that a
 * handler sets, names that don't resolve, retried statuses, buffering,
 * transforms, queues, TLS, WebSocket sessions that are dialled anew.
 *
 * @module
 */
import type { BodyTransform } from "../../../core/plugin.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { eventually, inTime } from "../../support/eventually.ts";
import { FakeDns } from "../../support/fake_dns.ts";
import { followStates } from "../../support/follow_states.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { startProxyWith } from "../../support/proxy_with.ts";
import { ResettableConn } from "../../support/resettable_conn.ts";
import { serveEach, serveScript } from "../../support/scripted_backend.ts";
import { connectTls } from "../../support/tls_client.ts";
import { tlsSite } from "../../support/tls_site.ts";
import { tracedProxy } from "../../support/traced_proxy.ts";
import {
  answered,
  attempt,
  delivered,
  LOCATED,
  Tracer,
  unparsed,
} from "../../support/tracer.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../../support/websocket_backend.ts";

/** The points of the way to a cluster that wants bodies whole. */
const BUFFERED: readonly string[] = [
  ...LOCATED.slice(0, -1),
  "requestBuffered",
  "cacheLookupComplete",
];

/** The end of a transaction whose client is gone before a response was there. */
const GONE = ["requestFinish none", "transactionClose 499"];

const POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";

function serveBodies() {
  return serveEach(async (connection, { headers }) => {
    const length = Number(headers.get("content-length") ?? 0);
    await connection.respond(200, await connection.body(length));
  });
}

Deno.test("points where an address that a handler set fails once: resolve fires for each attempt", async () => {
  await using backend = serveBodies();
  await using t = await tracedProxy({
    backends: [backend.url, backend.url.replace("127.0.0.1", "localhost")],
    plugins: [handlersPlugin("elsewhere", {
      resolve: (_request, attempt) => {
        if (attempt.number > 1) return;
        attempt.addresses = [{ address: "127.0.0.77", port: 9 }];
      },
    })],
  });
  assertEquals((await t.client.get()).status, 200);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    "forward 1",
    "resolve 1",
    ...attempt(2),
    "readResponseHeader 2:200",
    ...delivered(200),
    "finish",
  ]);
});

Deno.test("points where a name does not resolve: another backend is tried, no resolve for the first", async () => {
  await using backend = serveBodies();
  const dns = new FakeDns();
  dns.fail("gone.test");
  await using t = await tracedProxy({
    backends: ["http://gone.test:80", backend.url],
  }, { lookUp: dns.lookUp });
  assertEquals((await t.client.get()).status, 200);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    "forward 1",
    ...attempt(2),
    "readResponseHeader 2:200",
    ...delivered(200),
    "finish",
  ]);
});

Deno.test("points where no name resolves: 502", async () => {
  const dns = new FakeDns();
  dns.fail("gone.test");
  await using t = await tracedProxy(
    { backends: ["http://gone.test:80"] },
    { lookUp: dns.lookUp },
  );
  assertEquals((await t.client.get()).status, 502);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    "forward 1",
    ...delivered(502),
    "finish",
  ]);
});

Deno.test("points where a 503 is retried by the cluster's rules", async () => {
  await using sick = serveEach((connection) => connection.respond(503, "sick"));
  await using well = serveBodies();
  await using t = await tracedProxy({
    backends: [sick.url, well.url],
    cluster: { retries: { causes: ["503"] } },
  });
  assertEquals((await t.client.get()).status, 200);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    "readResponseHeader 1:503",
    ...attempt(2),
    "readResponseHeader 2:200",
    ...delivered(200),
    "finish",
  ]);
});

Deno.test("points where the last hop is here: Max-Forwards is looked at behind the cache", async () => {
  await using t = await tracedProxy({ backends: [] });
  await t.client.send(
    "OPTIONS / HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n",
  );
  assertEquals((await t.client.response()).status, 204);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...delivered(204),
    "finish",
  ]);
});

for (
  const { status, bytes } of [
    {
      status: 414,
      bytes: `GET /${"x".repeat(9_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    },
    {
      status: 431,
      bytes: `GET / HTTP/1.1\r\nHost: x\r\nA: ${"x".repeat(17_000)}\r\n\r\n`,
    },
    { status: 505, bytes: "GET / HTTP/3.0\r\nHost: x\r\n\r\n" },
    {
      status: 501,
      bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    },
    { status: 405, bytes: "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n" },
    {
      status: 417,
      bytes:
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: money\r\nContent-Length: 0\r\n\r\n",
    },
    {
      status: 413,
      bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n",
    },
  ]
) {
  Deno.test(`points of a head that is refused with ${status}: no readRequestHeader, no readResponse`, async () => {
    await using t = await tracedProxy({
      listener: { limits: { bodyBytes: "1KiB" } },
    });
    await t.client.send(bytes);
    assertEquals((await t.client.response()).status, status);
    const events = await t.finished();
    assertEquals(events, [
      "accept",
      "transactionStart",
      ...unparsed(status),
      "finish",
    ]);
  });
}

// ------------------------------------------------------------------ buffering

Deno.test("points of a POST whose body is read whole: requestBuffered before a backend is chosen", async () => {
  await using backend = serveBodies();
  await using t = await tracedProxy({
    backends: [backend.url],
    cluster: { requestBuffer: { bytes: "1KiB" } },
  });
  await t.client.send(POST);
  assertEquals((await t.client.response()).text, "body");
  assertEquals((await t.client.get()).status, 200);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...BUFFERED,
    ...attempt(1),
    "readResponseHeader 1:200",
    ...delivered(200),
    // Without a body there is nothing to read.
    ...answered(200),
    "finish",
  ]);
});

Deno.test("points of a buffered POST that dies with its backend's connection: sent again where the config lets it", async () => {
  await using dying = serveScript(async (connection) => {
    await connection.request();
    await connection.body(4);
  });
  await using well = serveBodies();
  await using t = await tracedProxy({
    backends: [dying.url, well.url],
    cluster: {
      requestBuffer: { bytes: "1KiB" },
      retries: { methods: ["POST"] },
    },
  });
  await t.client.send(POST);
  assertEquals((await t.client.response()).text, "body");
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...BUFFERED,
    ...attempt(1),
    ...attempt(2),
    "readResponseHeader 2:200",
    ...delivered(200),
    "finish",
  ]);
});

Deno.test("points of a body that is too large to be buffered: 413, no requestBuffered", async () => {
  await using t = await tracedProxy({
    backends: [],
    cluster: { requestBuffer: { bytes: "2" } },
  });
  await t.client.send(POST);
  assertEquals((await t.client.response()).status, 413);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED.slice(0, -1),
    ...delivered(413),
    "finish",
  ]);
});

Deno.test("points of a client that leaves while its body is read whole: 499, nobody else is asked", async () => {
  await using backend = serveBodies();
  await using t = await tracedProxy({
    backends: [backend.url],
    cluster: { requestBuffer: { bytes: "1KiB" } },
  });
  await t.client.send(
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
  );
  await t.tracer.seen("afterLocation");
  await t.client.conn.closeWrite();
  assert(await t.client.ended());
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED.slice(0, -1),
    ...GONE,
    "finish",
  ]);
  assertEquals(backend.accepted, 0);
});

for (
  const { what, status, events } of [
    {
      what: "respond",
      status: 418,
      events: delivered(418),
    },
    { what: "redirect", status: 307, events: delivered(307) },
    { what: "finish", status: 429, events: delivered(429) },
    {
      what: "close",
      status: 0,
      events: ["requestFinish none", "transactionClose 0"],
    },
    { what: "throw", status: 500, events: delivered(500) },
  ]
) {
  Deno.test(`points of ${what} at requestBuffered`, async () => {
    await using t = await tracedProxy({
      backends: [],
      cluster: { requestBuffer: { bytes: "1KiB" } },
      plugins: [handlersPlugin("judge", ({ verdict }) => ({
        requestBuffered: () => {
          switch (what) {
            case "respond":
              return verdict.respond({ status: 418 });
            case "redirect":
              return verdict.redirect("/x", 307);
            case "finish":
              return verdict.finish({ status: 429 });
            case "close":
              return verdict.close;
            default:
              throw new Error("no");
          }
        },
      }))],
    });
    await t.client.send(POST);
    if (status === 0) assert(await t.client.ended());
    else assertEquals((await t.client.response()).status, status);
    assertEquals(await t.finished(), [
      "accept",
      "transactionStart",
      ...BUFFERED.slice(0, -1),
      ...events,
      "finish",
    ]);
  });
}

// ----------------------------------------------------------------- transforms

/** A transform that tells when it begins, has its first piece and ends. */
function telling(name: string, tell: (event: string) => void): BodyTransform {
  return () => {
    let first = true;
    return new TransformStream({
      start: () => tell(`${name} made`),
      transform(chunk, controller) {
        if (first) tell(`${name} gives`);
        first = false;
        controller.enqueue(chunk);
      },
    });
  };
}

Deno.test("points of a POST through both transforms: each is made for its attempt, sendResponseHeader waits for the first output", async () => {
  await using dying = serveScript(async (connection) => {
    await connection.request();
    await connection.body(4);
  });
  await using well = serveBodies();
  const events: string[] = [];
  await using t = await tracedProxy({
    backends: [dying.url, well.url],
    cluster: { retries: { methods: ["POST"] } },
    plugins: [handlersPlugin("transforms", {
      afterLocation: ({ transaction }) => {
        const tell = (event: string) => void t.tracer.events.push(event);
        transaction.transformRequest(telling("request", tell), { length: 4 });
        transaction.transformResponse(telling("response", tell));
        events.push("registered");
      },
    })],
  });
  await t.client.send(POST);
  assertEquals((await t.client.response()).text, "body");
  await t.tracer.seen("transactionClose 200");
  const noted = t.tracer.take();
  const sent = (number: number) => [
    ...attempt(number),
    "request made",
    "request gives",
  ];
  assertEquals(noted, [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...sent(1),
    ...sent(2),
    "readResponseHeader 2:200",
    "readResponse 200",
    "response made",
    "response gives",
    ...unparsed(200),
  ]);
  followStates(noted.filter((event) => !/^(request|response) /.test(event)));
  assertEquals(events, ["registered"]);
});

Deno.test("points of a response transform that fails at once: sendResponseHeader sees the 500", async () => {
  await using backend = serveBodies();
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("transforms", {
      readResponse: (request) => {
        request!.transaction.transformResponse(() =>
          new TransformStream({
            start: (controller) => controller.error(new Error("no")),
          })
        );
      },
    })],
  });
  assertEquals((await t.client.get()).status, 500);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    "readResponseHeader 1:200",
    "readResponse 200",
    ...unparsed(500),
    "finish",
  ]);
});

Deno.test("points of a request transform that fails: 500, no response is waited for", async () => {
  await using backend = serveScript((connection) => connection.ended());
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("transforms", {
      afterLocation: ({ transaction }) => {
        transaction.transformRequest(() =>
          new TransformStream({
            transform: () => {
              throw new Error("no");
            },
          })
        );
      },
    })],
  });
  await t.client.send(POST);
  assertEquals((await t.client.response()).status, 500);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    ...delivered(500),
    "finish",
  ]);
});

// ---------------------------------------------------------------------- queue

/** A backend of one slot that is taken until `free` is called, and a proxy before it. */
async function fullProxy(queue: object) {
  const gate = Promise.withResolvers<void>();
  const backend = serveEach(async (connection, { target }) => {
    if (target === "/first") await gate.promise;
    await connection.respond(200);
  });
  const t = await tracedProxy({
    cluster: {
      backends: [{ id: "a", url: backend.url, maxConnections: 1 }],
      queue,
    },
  });
  const first = await HttpClient.connect(t.proxy.port());
  const response = first.get("/first");
  await t.tracer.seen("sendRequestHeader 1");
  t.tracer.take();
  return {
    t,
    waits: () =>
      eventually("a request in the queue", async () => {
        const { sessions } = await t.proxy.report();
        return sessions.some(({ state }) => state === "queue");
      }),
    /** Ends the first request; what was noted up to then. */
    async free() {
      const noted = t.tracer.take();
      gate.resolve();
      await response;
      return noted;
    },
    async [Symbol.asyncDispose]() {
      first.close();
      await t[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

Deno.test("points of a request that waits for a slot: resolve when there is one", async () => {
  await using full = await fullProxy({ size: 1, timeout: "10s" });
  const { client, tracer } = full.t;
  const second = client.get("/second");
  await full.waits();
  assertEquals(await full.free(), [
    "transactionStart",
    ...LOCATED,
    "forward 1",
  ]);
  assertEquals((await second).status, 200);
  await tracer.seen("transactionClose 200");
  assert(tracer.events.length === 0 || !tracer.events.includes("forward 1"));
});

Deno.test("points of a request that finds the queue full: 503", async () => {
  await using full = await fullProxy({ size: 0, timeout: "10s" });
  assertEquals((await full.t.client.get()).status, 503);
  await full.t.tracer.seen("transactionClose 503");
  assertEquals(await full.free(), [
    "transactionStart",
    ...LOCATED,
    "forward 1",
    ...delivered(503),
  ]);
});

Deno.test("points of a client that leaves the queue: 499, no resolve", async () => {
  await using full = await fullProxy({ size: 1, timeout: "10s" });
  const conn = await ResettableConn.connect(full.t.proxy.port());
  using client = new HttpClient(conn);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await full.waits();
  await conn.reset();
  await full.t.tracer.seen("finish");
  assertEquals(await full.free(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    "forward 1",
    ...GONE,
    "finish",
  ]);
});

// ------------------------------------------------------------------------ TLS

Deno.test("points of a connection in TLS: handshake between accept and the first request", async () => {
  await using site = await tlsSite();
  await using backend = serveBodies();
  const tracer = new Tracer();
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: site.single } },
    backends: [backend.url],
    plugins: [tracer.plugin],
  });
  {
    using client = await connectTls(proxy.port(), { ca: site.ca.cert });
    assertEquals((await client.get("/")).status, 200);
  }
  await tracer.seen("finish");
  assertEquals(tracer.take(), [
    "accept",
    "handshake",
    ...answered(200),
    "finish",
  ]);
});

Deno.test("points of close at handshake: no request", async () => {
  await using site = await tlsSite();
  const tracer = new Tracer();
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: site.single } },
    plugins: [
      tracer.plugin,
      handlersPlugin("judge", ({ verdict }) => ({
        handshake: () => verdict.close,
      })),
    ],
  });
  {
    using client = await connectTls(proxy.port(), { ca: site.ca.cert });
    assert(await client.ended());
  }
  await tracer.seen("finish");
  assertEquals(tracer.take(), ["accept", "handshake", "finish"]);
});

// ------------------------------------------------------------------ WebSocket

Deno.test("points of a WebSocket session that is dialled anew: 12 to 15 again, 18 and 19 at its end", async () => {
  await using b = serveWebSocket("b");
  await using a = serveWebSocket("a");
  const tracer = new Tracer();
  await using proxy = await startProxyWith({
    backends: [a.url, b.url],
    cluster: { balance: "first" },
    plugins: [tracer.plugin],
  });
  {
    await using client = await WebSocketClient.open(proxy.url());
    assertEquals(await client.ask("1"), "a:1");
    assertEquals(tracer.events, [
      "accept",
      "transactionStart",
      ...LOCATED,
      ...attempt(1),
      "readResponseHeader 1:101",
      "readResponse 101",
      "sendResponseHeader 101",
    ]);
    await a[Symbol.asyncDispose]();
    await tracer.seen("readResponseHeader 2:101");
    client.send("2");
    assertEquals((await inTime("an answer", client.until(2)))[1], "b:2");
  }
  await tracer.seen("finish");
  const noted = tracer.take();
  followStates(noted);
  assertEquals(noted.slice(noted.indexOf("sendResponseHeader 101") + 1), [
    ...attempt(2),
    "readResponseHeader 2:101",
    "requestFinish 101",
    "transactionClose 101",
    "finish",
  ]);
});

Deno.test("points of a WebSocket session that finds no other backend: an attempt for each dial, then the end", async () => {
  const a = serveWebSocket("a");
  const tracer = new Tracer();
  await using proxy = await startProxyWith({
    backends: [a.url],
    cluster: { websocket: { hold: "300ms" } },
    plugins: [tracer.plugin],
  });
  {
    await using client = await WebSocketClient.open(proxy.url());
    assertEquals(await client.ask("1"), "a:1");
    await a[Symbol.asyncDispose]();
    assertEquals((await inTime("a Close", client.closed)).code, 1013);
  }
  await tracer.seen("finish");
  const noted = tracer.take();
  followStates(noted);
  const after = noted.slice(noted.indexOf("sendResponseHeader 101") + 1);
  assertEquals(after.slice(-3), [
    "requestFinish 101",
    "transactionClose 101",
    "finish",
  ]);
  const dials = after.slice(0, -3);
  assert(dials.length >= 2);
  dials.forEach((event, i) => {
    const number = 2 + Math.floor(i / 2);
    assertEquals(event, `${i % 2 === 0 ? "forward" : "resolve"} ${number}`);
  });
});
