/** From a request to a raw tunnel, and back to HTTP where that is refused. */
import { assert, assertEquals } from "../support/assert.ts";
import { FakeClock } from "../support/clock.ts";
import { eventually } from "../support/eventually.ts";
import { startPlane } from "../support/plane.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { fieldValues } from "../support/raw_responses.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";
import { readExactly, writeAll } from "../support/byte_streams.ts";
import { latin1Bytes, latin1Text } from "../support/latin1.ts";

const UPGRADE = "GET /chat HTTP/1.1\r\nHost: a\r\n" +
  "Connection: Upgrade\r\nUpgrade: Echo\r\n\r\n";
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\n" +
  "Connection: Upgrade\r\nUpgrade: echo\r\nX-Chat: yes\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Deno.test("upgrade: both sides switch, and bytes go both ways", async () => {
  await using backend = serveRaw([{ echo: true, data: SWITCHED }]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(UPGRADE);
  const { status, head } = await client.response();
  assertEquals(status, 101);
  assertEquals(fieldValues(head, "connection"), ["upgrade"]);
  assertEquals(fieldValues(head, "upgrade"), ["echo"]);
  assertEquals(fieldValues(head, "x-chat"), ["yes"]);
  const [request] = backend.requests;
  assertEquals(fieldValues(request!.head, "connection"), ["upgrade"]);
  assertEquals(fieldValues(request!.head, "upgrade"), ["echo"]);
  await client.send("GET / HTTP/1.1\r\n\r\n");
  await client.until(
    "the echo",
    () => client.received === "E:GET / HTTP/1.1\r\n\r\n",
  );
});

Deno.test("upgrade: bytes right behind the 101 and right behind the request are the tunnel's", async () => {
  await using backend = serveRaw([{ echo: true, data: `${SWITCHED}first` }]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(`${UPGRADE}early`);
  assertEquals((await client.response()).status, 101);
  await client.until("both", () => client.received === "firstE:early");
});

Deno.test("upgrade: each side's end is passed on while the other direction goes on", async () => {
  const answered = Promise.withResolvers<void>();
  let got = "";
  await using backend = serveTcpBackend(async (conn) => {
    const buffer = new Uint8Array(4096);
    while (!got.includes("\r\n\r\n")) {
      const count = await conn.read(buffer);
      got += latin1Text(buffer.subarray(0, count!));
    }
    await writeAll(conn, latin1Bytes(SWITCHED));
    for (;;) {
      const count = await conn.read(buffer);
      if (count === null) break;
      got += latin1Text(buffer.subarray(0, count));
    }
    // The client has ended; this direction has not.
    await writeAll(conn, latin1Bytes("late"));
    await answered.promise;
    await conn.closeWrite();
  });
  await using proxy = await startPlane({
    backends: [`http://127.0.0.1:${backend.port}`],
  });
  using client = await RawClient.connect(proxy.port);
  await client.send(UPGRADE);
  await client.response();
  await client.send("bye");
  await client.halfClose();
  await client.until("the late bytes", () => client.received === "late");
  assert(got.endsWith("bye"), got);
  assertEquals(client.ended, false);
  answered.resolve();
  await client.end();
  await proxy.idle();
  await eventually("every buffer back", () => proxy.buffered === 0);
});

Deno.test("upgrade: the backend's end is passed on while the client goes on", async () => {
  let got = "";
  await using backend = serveTcpBackend(async (conn) => {
    const buffer = new Uint8Array(4096);
    await conn.read(buffer);
    await writeAll(conn, latin1Bytes(`${SWITCHED}bye`));
    await conn.closeWrite();
    got = latin1Text(await readExactly(conn, 4));
  });
  await using proxy = await startPlane({
    backends: [`http://127.0.0.1:${backend.port}`],
  });
  using client = await RawClient.connect(proxy.port);
  await client.send(UPGRADE);
  await client.end();
  assert(client.received.endsWith("\r\n\r\nbye"), client.received);
  await client.send("more");
  await eventually("the client's bytes", () => got === "more");
  await client.halfClose();
  await proxy.idle();
});

Deno.test("upgrade: a refused one stays HTTP, what is pipelined behind it is a request", async () => {
  await using backend = serveRaw([
    "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
    OK,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(`${UPGRADE}GET /2 HTTP/1.1\r\nHost: a\r\n\r\n`);
  const responses = await client.responses(2);
  assertEquals(responses.map(({ status }) => status), [403, 200]);
  assertEquals(
    backend.requests.map(({ target }) => target),
    ["/chat", "/2"],
  );
  // A refusal leaves the backend's connection as it was, too.
  assertEquals(backend.connections.length, 1);
});

Deno.test("upgrade: 426 says what the backend wants", async () => {
  await using backend = serveRaw([
    "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\n" +
    "Upgrade: foo\r\nContent-Length: 0\r\n\r\n",
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const { status, head } = await client.response();
  assertEquals(status, 426);
  assertEquals(fieldValues(head, "upgrade"), ["foo"]);
});

Deno.test("upgrade: a 101 that nobody asked for, or to something else, is a broken response: 502", async (t) => {
  const requests = {
    "without Upgrade": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "to something else": UPGRADE.replace("Echo", "chat"),
    "without Connection: Upgrade":
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n\r\n",
    "in HTTP/1.0": UPGRADE.replace("HTTP/1.1", "HTTP/1.0"),
  };
  for (const [name, request] of Object.entries(requests)) {
    await t.step(name, async () => {
      await using backend = serveRaw([{ echo: true, data: SWITCHED }]);
      await using proxy = await startProxyWith({ backends: [backend.url] });
      using client = await RawClient.connect(proxy.port());
      await client.send(request);
      assertEquals((await client.response()).status, 502);
      await eventually(
        "the backend connection's end",
        () => backend.connections[0]?.ended === true,
      );
    });
  }
});

Deno.test("upgrade: h2c is never asked for", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
      "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
  );
  assertEquals((await client.response()).status, 200);
  assert(!/upgrade|h2c|http2/i.test(backend.received), backend.received);
});

Deno.test("timeouts.tunnel: silence in both directions ends it, a byte in one of them does not", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw([{ echo: true, data: SWITCHED }]);
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { tunnel: "60s", write: "1s", keepAlive: "1s" } },
    cluster: { timeouts: { read: "1s", response: "1s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(UPGRADE);
  await client.response();
  for (let i = 1; i <= 3; i++) {
    clock.advance(50_000);
    await client.send("x");
    await client.until("the echo", () => client.received === "E:x".repeat(i));
  }
  clock.advance(61_000);
  await client.end();
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]?.ended === true,
  );
  await proxy.idle();
});

Deno.test("upgrade: the backend's connection counts as active until the tunnel ends", async () => {
  await using backend = serveRaw([{ echo: true, data: SWITCHED }]);
  await using proxy = await startPlane({ backends: [backend.url] });
  const { pool } = proxy.plane.backends.list()[0]!;
  using client = await RawClient.connect(proxy.port);
  await client.send(UPGRADE);
  await client.response();
  assertEquals([pool.active, pool.idle], [1, 0]);
  await client.halfClose();
  await client.end();
  await proxy.idle();
  await eventually("no active connection", () => pool.active === 0);
  assertEquals(pool.idle, 0);
});
