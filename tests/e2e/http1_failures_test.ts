/** What a client gets when its backend fails: an answer as long as none has begun, a break that can be told from then on. */
import { assert, assertEquals } from "../support/assert.ts";
import { readAll } from "../support/byte_streams.ts";
import { FakeClock } from "../support/clock.ts";
import { eventually, stalled } from "../support/eventually.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { startPlane } from "../support/plane.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { type RawReply, serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { fieldValues } from "../support/raw_responses.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SIZED = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Responses that are none. */
const GARBAGE: Readonly<Record<string, RawReply>> = {
  "nothing": { close: "" },
  "half a head": { close: "HTTP/1.1 200 OK\r\nContent-Le" },
  "another protocol": { close: "SSH-2.0-OpenSSH_9.2\r\n" },
  "another version": "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "a status of four digits": "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
  "a status of 600": "HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nok",
  "bare LF": "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
  "a folded field":
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
  "differing lengths":
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
  "an unknown coding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
  "a length and chunks":
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a head of 70,000 bytes": `HTTP/1.1 200 OK\r\nX: ${
    "x".repeat(70_000)
  }\r\n\r\n`,
  "300 fields": `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(300)}\r\n`,
  "a chunk that is none, with the head": `${CHUNKED}xyz\r\n`,
};

Deno.test("502: what is no response is answered by one, and the client's connection lives on", async (t) => {
  for (const [name, reply] of Object.entries(GARBAGE)) {
    await t.step(name, async () => {
      await using backend = serveRaw([reply, OK]);
      await using proxy = await startProxyWith({ backends: [backend.url] });
      using client = await RawClient.connect(proxy.port());
      await client.send(GET);
      const { status, head } = await client.response();
      assertEquals(status, 502);
      assertEquals(fieldValues(head, "connection"), []);
      await eventually(
        "the backend connection's end",
        () => backend.connections[0]?.ended === true,
      );
      await client.send(GET);
      assertEquals((await client.response()).body, "ok");
    });
  }
});

Deno.test("a head of 60,000 bytes with 250 fields is relayed", async () => {
  const fields = Array.from(
    { length: 250 },
    (_, i) => `X-${i}: ${"x".repeat(225)}\r\n`,
  ).join("");
  await using backend = serveRaw([
    `HTTP/1.1 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  const { status, head, body } = await client.response();
  assertEquals([status, body], [200, "ok"]);
  assert(head.includes(fields.trimEnd()));
});

/** Bodies that break off or break the rules once something of the response is out. */
const BROKEN: Readonly<Record<string, RawReply>> = {
  "a sized body too short": { close: SIZED },
  "a chunked body without its last chunk": {
    close: `${CHUNKED}5\r\nhello\r\n`,
  },
  "a chunked body that ends within a chunk": { close: `${CHUNKED}9\r\nhello` },
  "a chunked body without its last CRLF": {
    close: `${CHUNKED}5\r\nhello\r\n0\r\n`,
  },
};

Deno.test("a truncated response can be told from a whole one, and its connections end", async (t) => {
  for (const [name, reply] of Object.entries(BROKEN)) {
    await t.step(name, async () => {
      await using backend = serveRaw([reply]);
      await using proxy = await startPlane({ backends: [backend.url] });
      using client = await RawClient.connect(proxy.port);
      await client.send(GET + GET);
      await client.end();
      const responses = client.parse();
      assertEquals(responses.length, 1);
      assertEquals(responses[0]?.status, 200);
      assertEquals(responses[0]?.body, "hello");
      assertEquals(responses[0]?.complete, false);
      await proxy.idle();
      await eventually("every buffer back", () => proxy.buffered === 0);
    });
  }
});

Deno.test("a body that breaks the rules right behind its head costs no buffer", async (t) => {
  const bad = "5\r\nhello!\r\n";
  for (
    const [name, reply, request, status] of [
      [
        "a request's",
        OK,
        CHUNKED.replace("HTTP/1.1 200 OK", "POST / HTTP/1.1\r\nHost: a") + bad,
        400,
      ],
      ["a response's", CHUNKED + bad, GET, 502],
    ] as const
  ) {
    await t.step(name, async () => {
      await using backend = serveRaw([reply]);
      await using proxy = await startPlane({ backends: [backend.url] });
      const client = await RawClient.connect(proxy.port);
      await client.send(request);
      assertEquals((await client.response()).status, status);
      client[Symbol.dispose]();
      await proxy.idle();
      await eventually("every buffer back", () => proxy.buffered === 0);
    });
  }
});

Deno.test("a chunk that is none after the response has begun breaks it off", async () => {
  await using backend = serveRaw([{
    data: `${CHUNKED}5\r\nhello\r\n`,
    hang: true,
  }]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  await client.until("the begin", () => client.received.includes("hello"));
  await backend.connections[0]!.send("5;a\nhello\r\n0\r\n\r\n");
  await client.end();
  assertEquals(client.parse()[0]?.complete, false);
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]!.ended,
  );
});

Deno.test("504: timeouts.response, and the late answer reaches nobody", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw([{ hang: true }, OK]);
  await using proxy = await startPlane({
    backends: [backend.url],
    cluster: { timeouts: { response: "3s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await eventually("the request", () => backend.requests.length === 1);
  clock.advance(2_500);
  assertEquals(client.received, "");
  clock.advance(1_000);
  assertEquals((await client.response()).status, 504);
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]!.ended,
  );
  await client.send(GET);
  assertEquals((await client.response()).body, "ok");
});

Deno.test("504: timeouts.response counts for the whole head, whatever trickles in", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw([{ hang: true }]);
  await using proxy = await startPlane({
    backends: [backend.url],
    cluster: { timeouts: { response: "3s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await eventually("the request", () => backend.requests.length === 1);
  for (let i = 1; i <= 2; i++) {
    await backend.connections[0]!.send("H");
    await eventually(
      "the byte",
      () => proxy.plane.env.backendBytes.in === i || i > 1,
    );
    clock.advance(1_700);
  }
  assertEquals((await client.response()).status, 504);
});

Deno.test("timeouts.read: a body that stalls is broken off, one that goes on slowly is not", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw([{
    data: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    hang: true,
  }]);
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { write: "1s" } },
    cluster: { timeouts: { read: "3s", response: "1s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await client.until("the head", () => client.received.endsWith("\r\n\r\n"));
  for (let i = 1; i <= 5; i++) {
    await backend.connections[0]!.send("x");
    await client.until(
      "the byte",
      () => client.received.endsWith("\r\n\r\n" + "x".repeat(i)),
    );
    clock.advance(2_500);
  }
  clock.advance(1_000);
  await client.end();
  assertEquals(client.parse()[0]?.complete, false);
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]!.ended,
  );
});

Deno.test("504: a backend that takes no more of an upload for a minute, and both connections end", async () => {
  const clock = new FakeClock();
  const over = Promise.withResolvers<void>();
  const got = Promise.withResolvers<Uint8Array>();
  await using backend = serveTcpBackend(async (conn) => {
    await over.promise;
    got.resolve(await readAll(conn));
  });
  await using proxy = await startPlane({
    backends: [`http://127.0.0.1:${backend.port}`],
    cluster: { timeouts: { response: "1h" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  const size = 50 << 20;
  await client.send(
    `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`,
  );
  const sending = client.send(new Uint8Array(size));
  await stalled(() => proxy.plane.env.backendBytes.out);
  clock.advance(59_000);
  assertEquals(client.received, "");
  clock.advance(1_500);
  const { status, head } = await client.response();
  assertEquals(status, 504);
  assertEquals(fieldValues(head, "connection"), ["close"]);
  // The rest of the upload is dropped, but only for a while.
  clock.advance(1_500);
  await proxy.idle();
  assertEquals(await sending, false);
  over.resolve();
  assert((await got.promise).length < size);
});

Deno.test("502: a backend that nobody listens for", async () => {
  await using backend = serveRaw("down");
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  assertEquals((await client.response()).status, 502);
});

Deno.test("504: timeouts.connect, where a backend's queue is full", async () => {
  const clock = new FakeClock();
  using queue = await fullQueue();
  await using proxy = await startPlane({
    backends: [`http://127.0.0.1:${queue.port}`],
    cluster: { timeouts: { connect: "3s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  const dialling = () =>
    [...proxy.plane.sessions].some(({ state }) => state === "connect");
  await eventually("the dial", dialling);
  clock.advance(2_500);
  assertEquals(client.received, "");
  clock.advance(1_000);
  assertEquals((await client.response()).status, 504);
});

Deno.test("502: a response's head that handlers let outgrow every buffer is not sent", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("grow", {
      readResponse: (_request, response) => {
        response.headers.set("x-large", "x".repeat(300_000));
      },
    })],
  });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  assertEquals((await client.response()).status, 502);
});

Deno.test("502: a POST whose backend closes without an answer is not sent twice", async () => {
  await using backend = serveRaw([OK, { close: "" }, OK]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  await client.response();
  // On a pooled connection, where a GET would be sent again.
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
  );
  assertEquals((await client.response()).status, 502);
  assertEquals(backend.requests.length, 2);
});

Deno.test("a GET on a pooled connection that the backend closes at once is sent again on a new one", async () => {
  await using backend = serveRaw([OK, { close: "" }, OK]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET + GET);
  const responses = await client.responses(2);
  assertEquals(responses.map(({ status }) => status), [200, 200]);
  assertEquals(backend.requests.length, 3);
  assertEquals(backend.connections.length, 2);
});

/** A listening socket whose queue takes no more connections. */
async function fullQueue(): Promise<{ port: number } & Disposable> {
  const listener = Deno.listen({
    hostname: "127.0.0.1",
    port: 0,
    tcpBacklog: 1,
  });
  const { port } = listener.addr;
  const open: Deno.Conn[] = [];
  const giveUp = new AbortController();
  // A SYN that finds the queue full gets no answer: its connect stays pending.
  for (let pending = 0; pending === 0;) {
    const dial = Deno.connect({
      hostname: "127.0.0.1",
      port,
      signal: giveUp.signal,
    }).then((conn) => open.push(conn), () => 0);
    const late = new Promise<number>((resolve) =>
      setTimeout(() => resolve(-1), 200)
    );
    if (await Promise.race([dial, late]) === -1) pending++;
  }
  return {
    port,
    [Symbol.dispose]() {
      giveUp.abort();
      for (const conn of open) conn.close();
      listener.close();
    },
  };
}
