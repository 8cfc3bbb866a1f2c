/** How connections of both sides live on, are used again, and end. */
import { assert, assertEquals } from "../support/assert.ts";
import { FakeClock } from "../support/clock.ts";
import { eventually } from "../support/eventually.ts";
import { startPlane, type TestPlane } from "../support/plane.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import {
  type RawBackend,
  type RawReply,
  serveRaw,
} from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { fieldValues } from "../support/raw_responses.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

function get(path: string, version = "1.1", more = ""): string {
  return `GET ${path} HTTP/${version}\r\nHost: a\r\n${more}\r\n`;
}

function targets(backend: RawBackend): string[] {
  return backend.requests.map(({ target }) => target);
}

Deno.test("keep-alive: many requests of one client take one connection on each side", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  for (let i = 0; i < 20; i++) {
    await client.send(get(`/${i}`));
    const { head } = await client.response();
    assertEquals(fieldValues(head, "connection"), []);
  }
  assertEquals(backend.connections.length, 1);
  assertEquals(backend.requests.length, 20);
});

Deno.test("keep-alive: clients one after another share a pooled connection, clients at once do not", async () => {
  await using backend = serveRaw();
  await using proxy = await startPlane({ backends: [backend.url] });
  for (let i = 0; i < 5; i++) {
    using client = await RawClient.connect(proxy.port);
    await client.send(GET);
    await client.response();
    await idleConnections(proxy, 1);
  }
  assertEquals(backend.connections.length, 1);

  const delayed: RawReply = { delay: 0.05, data: OK };
  await using slow = serveRaw([delayed]);
  await using other = await startProxyWith({ backends: [slow.url] });
  await Promise.all(Array.from({ length: 5 }, async () => {
    using client = await RawClient.connect(other.port());
    await client.send(GET);
    await client.response();
  }));
  assertEquals(slow.connections.length, 5);
});

Deno.test("keepAlive.maxIdle: 0 pools nothing", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: { keepAlive: { maxIdle: 0 } },
  });
  using client = await RawClient.connect(proxy.port());
  for (let i = 0; i < 3; i++) {
    await client.send(GET);
    await client.response();
  }
  assertEquals(backend.connections.length, 3);
});

Deno.test("keepAlive.idle: a pooled connection is closed when its time is over", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw();
  await using proxy = await startPlane({
    backends: [backend.url],
    cluster: { keepAlive: { idle: "5s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await client.response();
  await idleConnections(proxy, 1);
  clock.advance(4_500);
  assertEquals(backend.connections[0]?.ended, false);
  clock.advance(1_000);
  await eventually("its end", () => backend.connections[0]?.ended === true);
  await idleConnections(proxy, 0);
});

Deno.test("timeouts.keepAlive: an idle client connection is closed without a word", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw();
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { keepAlive: "5s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await client.response();
  await idleConnections(proxy, 1);
  clock.advance(4_500);
  await client.send(GET);
  await client.response();
  await idleConnections(proxy, 1);
  clock.advance(6_000);
  await client.end();
  assertEquals(client.received, "");
});

Deno.test("timeouts.keepAlive: empty lines do not prolong it, also those right behind a request", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw();
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { keepAlive: "5s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(`${GET}\r\n`);
  await client.response();
  await proxy.received(GET.length + 2);
  for (let i = 0; i < 4; i++) {
    clock.advance(1_000);
    await client.send("\r\n");
    await proxy.received(GET.length + 4 + 2 * i);
  }
  assertEquals(client.ended, false);
  clock.advance(2_000);
  await client.end();
  assertEquals(client.received, "");
});

Deno.test("pipelining: requests are answered in their order, however slow the first one is", async () => {
  await using backend = serveRaw([
    { delay: 0.1, data: reply("one") },
    reply("two"),
    reply("three"),
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(get("/1") + get("/2") + get("/3"));
  const responses = await client.responses(3);
  assertEquals(responses.map(({ body }) => body), ["one", "two", "three"]);
  assertEquals(targets(backend), ["/1", "/2", "/3"]);
});

Deno.test("pipelining: 500 requests in one write are all answered", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  const paths = Array.from({ length: 500 }, (_, i) => `/${i}`);
  client.send(paths.map((path) => get(path)).join(""));
  const responses = await client.responses(500);
  assertEquals(responses.length, 500);
  assertEquals(targets(backend), paths);
});

Deno.test("pipelining: a request behind a body begins where the body ends", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET " +
      "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "3\r\nabc\r\n0\r\n\r\n" + get("/3"),
  );
  await client.responses(3);
  assertEquals(
    backend.requests.map(({ target, body }) => [target, body]),
    [["/1", "GET "], ["/2", "abc"], ["/3", ""]],
  );
});

Deno.test("Connection: close of a client closes its side only, and what it pipelined behind is not read", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  for (let i = 0; i < 3; i++) {
    using client = await RawClient.connect(proxy.port());
    await client.send(get("/1", "1.1", "Connection: close\r\n") + get("/2"));
    await client.end();
    const responses = client.parse();
    assertEquals(responses.length, 1);
    assertEquals(fieldValues(responses[0]!.head, "connection"), ["close"]);
  }
  assertEquals(targets(backend), ["/1", "/1", "/1"]);
  assertEquals(backend.connections.length, 1);
  assert(!/connection:/i.test(backend.received), backend.received);
});

Deno.test("Connection: close of a backend closes its side only", async () => {
  await using backend = serveRaw([
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  for (let i = 0; i < 3; i++) {
    await client.send(GET);
    const { head } = await client.response();
    assertEquals(fieldValues(head, "connection"), []);
  }
  assertEquals(backend.connections.length, 3);
  await eventually(
    "their ends",
    () => backend.connections.every(({ ended }) => ended),
  );
});

Deno.test("HTTP/1.0: a client is answered and closed, a backend is used once unless it says keep-alive", async () => {
  await using backend = serveRaw([
    "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
    OK,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  for (let i = 0; i < 3; i++) {
    using client = await RawClient.connect(proxy.port());
    await client.send(get("/", "1.0", "Connection: keep-alive\r\n"));
    await client.end();
    const [response] = client.parse();
    assert(response?.head.startsWith("HTTP/1.1 200 "), response?.head);
    assertEquals(fieldValues(response!.head, "connection"), ["close"]);
  }
  assertEquals(backend.connections.length, 2);
  assert(!backend.received.includes("HTTP/1.0"), backend.received);
});

Deno.test("a backend connection with bytes behind the response is not used again", async (t) => {
  const evil = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!";
  const replies: Record<string, [string, RawReply]> = {
    "behind a sized body": ["GET", OK + evil],
    "behind a chunked body": [
      "GET",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" +
      evil,
    ],
    "a body for HEAD": [
      "HEAD",
      "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    ],
    "a body of a 304": [
      "GET",
      "HTTP/1.1 304 N\r\nContent-Length: 4\r\n\r\nEVIL",
    ],
    "a body announced by a 204": [
      "GET",
      "HTTP/1.1 204 N\r\nContent-Length: 4\r\n\r\n",
    ],
  };
  for (const [name, [method, reply]] of Object.entries(replies)) {
    await t.step(name, async () => {
      await using backend = serveRaw([reply, OK]);
      await using proxy = await startPlane({ backends: [backend.url] });
      using client = await RawClient.connect(proxy.port);
      await client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.response(method);
      await eventually(
        "the backend connection's end",
        () => backend.connections[0]?.ended === true,
      );
      await client.send(GET);
      assertEquals((await client.response()).body, "ok");
      assertEquals(backend.connections.length, 2);
      assert(!/evil/i.test(client.received));
    });
  }
});

Deno.test("bytes on an idle pooled connection drop it", async () => {
  await using backend = serveRaw([OK]);
  await using proxy = await startPlane({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await client.response();
  await idleConnections(proxy, 1);
  await backend.connections[0]!.send("HTTP/1.1 200 OK\r\n\r\nevil");
  await eventually("its end", () => backend.connections[0]!.ended);
  await idleConnections(proxy, 0);
  await client.send(GET);
  assertEquals((await client.response()).body, "ok");
  assertEquals(backend.connections.length, 2);
});

Deno.test("a backend that closes an idle pooled connection is not noticed by the next request", async () => {
  await using backend = serveRaw([{ close: OK }, OK]);
  await using proxy = await startPlane({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await client.response();
  await idleConnections(proxy, 0);
  // Not even one that must not be sent twice.
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
  );
  assertEquals((await client.response()).status, 200);
  assertEquals(backend.connections.length, 2);
});

Deno.test("a client's half-close after its request is answered all the same", async () => {
  await using backend = serveRaw([{ delay: 0.05, data: OK }]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(get("/1") + get("/2"));
  await client.halfClose();
  await client.end();
  assertEquals(client.parse().map(({ status }) => status), [200, 200]);
});

Deno.test("up to 64 bytes of empty lines before a request are ignored, a lone CR LF split in two as well", async () => {
  await using backend = serveRaw();
  await using proxy = await startPlane({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port);
  await client.send("\r");
  await proxy.received(1);
  await client.send(`\n${"\r\n".repeat(31)}${GET}`);
  assertEquals((await client.response()).status, 200);
  await client.send("\r\n".repeat(33) + GET);
  await client.end();
  assertEquals(client.received, "");
  assertEquals(backend.requests.length, 1);
});

/** Waits until so many connections wait in the pool. */
async function idleConnections(proxy: TestPlane, count: number): Promise<void> {
  await eventually(
    `${count} idle connections`,
    () =>
      proxy.plane.backends.list().every(({ pool }) =>
        pool.idle === count && pool.active === 0
      ),
  );
}

function reply(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
