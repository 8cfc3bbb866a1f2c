/** What a client may send, and how long it may take: each bound with its status, one answer, then the end. */
import { assert, assertEquals } from "../support/assert.ts";
import { writeAll } from "../support/byte_streams.ts";
import { FakeClock } from "../support/clock.ts";
import { eventually, stalled } from "../support/eventually.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { latin1Bytes } from "../support/latin1.ts";
import { startPlane } from "../support/plane.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { type RawBackend, serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { fieldValues, type RawResponse } from "../support/raw_responses.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** The one answer to what a client sends, behind which the connection is closed. */
async function refusal(
  sent: string,
  listener: object,
  backend: RawBackend,
): Promise<RawResponse> {
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener,
  });
  using client = await RawClient.connect(proxy.port());
  await client.send(sent);
  await client.end();
  const responses = client.parse();
  assertEquals(responses.length, 1, client.received);
  const [response] = responses;
  assertEquals(response?.complete, true);
  assertEquals(fieldValues(response!.head, "connection"), ["close"]);
  return response!;
}

const LIMITS = {
  limits: {
    headerBytes: "2KiB",
    headers: 20,
    targetBytes: "1KiB",
    bodyBytes: "1000",
  },
};

function withFields(count: number, value = "y"): string {
  const fields = Array.from(
    { length: count },
    (_, i) => `X${i}: ${value}\r\n`,
  );
  return `GET / HTTP/1.1\r\nHost: a\r\n${fields.join("")}\r\n`;
}

const REFUSED: Readonly<Record<string, [number, string]>> = {
  "a target of more than targetBytes": [
    414,
    `GET /${"a".repeat(1024)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  ],
  "more than headers fields": [431, withFields(20)],
  "a head of more than headerBytes": [431, withFields(5, "y".repeat(500))],
  "a head that never ends": [
    431,
    withFields(15, "y".repeat(8000)).slice(0, -2),
  ],
  "Content-Length of more than bodyBytes": [
    413,
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n${
      "b".repeat(1001)
    }`,
  ],
  "Content-Length of more than bodyBytes, announced by Expect": [
    413,
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n",
  ],
  "a chunk of more than bodyBytes": [
    413,
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n${
      "b".repeat(1001)
    }\r\n0\r\n\r\n`,
  ],
  "chunks of more than bodyBytes together": [
    413,
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
    `1f4\r\n${"b".repeat(500)}\r\n`.repeat(3) + "0\r\n\r\n",
  ],
  "no Host": [400, "GET / HTTP/1.1\r\n\r\n"],
  "a folded field": [400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"],
  "two lengths": [
    400,
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
  ],
  "more than 32 options of Connection": [
    400,
    `GET / HTTP/1.1\r\nHost: a\r\nConnection: ${"a,".repeat(33)}\r\n\r\n`,
  ],
  "a chunk that is none": [
    400,
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
  ],
  "an unknown expectation": [
    417,
    "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\nx",
  ],
  "an unknown coding": [
    501,
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
  ],
  "a method of 33 bytes": [
    501,
    `${"A".repeat(33)} / HTTP/1.1\r\nHost: a\r\n\r\n`,
  ],
  "another major version": [505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"],
  "CONNECT": [405, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"],
  "TRACE": [405, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"],
  "TRACE that may go no further": [
    405,
    "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
  ],
};

for (const [name, [status, sent]] of Object.entries(REFUSED)) {
  Deno.test(`${status}: ${name} is answered once and closed, what follows is not read`, async () => {
    await using backend = serveRaw();
    const response = await refusal(sent + GET.repeat(3), LIMITS, backend);
    assertEquals(response.status, status);
    assert(
      backend.requests.every(({ complete }) => !complete),
      backend.received,
    );
  });
}

Deno.test("what just keeps within all limits passes", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: LIMITS,
  });
  using client = await RawClient.connect(proxy.port());
  const head = `POST /${"a".repeat(1023)} HTTP/1.1\r\nHost: a\r\n` +
    "X: y\r\n".repeat(17);
  const rest = "Content-Length: 1000\r\n";
  const filler = `Z: ${"z".repeat(2048 - head.length - rest.length - 7)}\r\n`;
  const whole = `${head}${filler}${rest}\r\n`;
  assertEquals(whole.length, 2048);
  await client.send(whole + "b".repeat(1000));
  assertEquals((await client.response()).status, 200);
});

/** Ends of connections that a client still sends on, by what it sent first. */
const STILL_SENDING: Readonly<Record<string, [number, string]>> = {
  "a refused body": [
    413,
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n",
  ],
  "a refused head": [400, "GET / HTTP/1.1\r\n\r\n"],
  "requests pipelined behind the last answer": [200, GET],
  "requests pipelined behind its own announcement of the end": [
    200,
    `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${GET}`,
  ],
};

for (const [name, [status, sent]] of Object.entries(STILL_SENDING)) {
  Deno.test(`the end after ${name} is no reset: that could overtake the answer`, async () => {
    const clock = new FakeClock();
    await using backend = serveRaw();
    await using proxy = await startPlane({
      backends: [backend.url],
      listener: LIMITS,
      plugins: [handlersPlugin("finish", {
        readRequestHeader: () => ({
          kind: "finish",
          response: { status: 200, body: "last" },
        }),
      })],
    }, clock);
    using client = await RawClient.connect(proxy.port);
    await client.send(sent);
    await client.end();
    assertEquals(client.parse().map((each) => each.status), [status]);
    for (let i = 0; i < 5; i++) {
      // A reset would fail the next send.
      assertEquals(await client.send("x".repeat(10_000)), true);
    }
    // All of that is dropped, but only for a while.
    clock.advance(1_300);
    await proxy.idle();
    await eventually("every buffer back", () => proxy.buffered === 0);
  });
}

Deno.test("413 after the head went: the backend never gets a whole request, its connection closes", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: LIMITS,
  });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
  );
  await eventually("the begin", () => backend.requests[0]?.body === "hi");
  await client.send(`400\r\n${"b".repeat(1024)}\r\n0\r\n\r\n`);
  await client.end();
  assertEquals(client.parse().map(({ status }) => status), [413]);
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]?.ended === true,
  );
  assertEquals(backend.requests[0]?.complete, false);
});

Deno.test("400 within a chunked body: the backend never gets a whole request, its connection closes", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
  );
  await eventually("the begin", () => backend.requests[0]?.body === "hi");
  await client.send(`2\r\nhoX\r\n0\r\n\r\n${GET}`);
  await client.end();
  assertEquals(client.parse().map(({ status }) => status), [400]);
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]?.ended === true,
  );
  assertEquals(backend.requests.map(({ complete }) => complete), [false]);
});

Deno.test("408: timeouts.header counts from the first byte, whatever trickles in", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw();
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { header: "5s", keepAlive: "60s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await client.response();
  // Idle time between requests is not the next one's.
  clock.advance(30_000);
  const start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  await client.send(start);
  for (let i = 0; i < 4; i++) {
    await proxy.received(GET.length + start.length + i);
    clock.advance(1_000);
    await client.send("y");
  }
  assertEquals(client.received, "");
  clock.advance(2_000);
  await client.end();
  const [response] = client.parse();
  assertEquals(response?.status, 408);
  assertEquals(fieldValues(response!.head, "connection"), ["close"]);
  assertEquals(backend.requests.length, 1);
});

Deno.test("408: timeouts.body counts from the last byte of the body", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw();
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { body: "5s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
  for (let i = 1; i <= 5; i++) {
    await client.send("x");
    await eventually("the byte", () => backend.requests[0]?.body.length === i);
    clock.advance(4_000);
  }
  assertEquals(client.received, "");
  clock.advance(2_000);
  await client.end();
  const [response] = client.parse();
  assertEquals(response?.status, 408);
  assertEquals(fieldValues(response!.head, "connection"), ["close"]);
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]?.ended === true,
  );
  assertEquals(backend.requests[0]?.complete, false);
});

Deno.test("timeouts.write: a client that stops reading is cut off, and the backend's connection with it", async () => {
  const clock = new FakeClock();
  const size = 50 << 20;
  let written = 0;
  let failed = false;
  await using backend = serveTcpBackend(async (conn) => {
    await conn.read(new Uint8Array(4096));
    await writeAll(
      conn,
      latin1Bytes(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`),
    );
    const piece = new Uint8Array(256 << 10);
    try {
      for (; written < size; written += piece.length) {
        await writeAll(conn, piece);
      }
    } catch (thrown) {
      failed = true;
      throw thrown;
    }
  });
  await using proxy = await startPlane({
    backends: [`http://127.0.0.1:${backend.port}`],
    listener: { timeouts: { write: "5s" } },
    cluster: { timeouts: { read: "1h" } },
  }, clock);
  using client = await RawClient.connect(proxy.port, { paused: true });
  await client.send(GET);
  await stalled(() => proxy.plane.env.backendBytes.in);
  clock.advance(4_500);
  assertEquals(proxy.plane.sessions.size, 1);
  clock.advance(1_000);
  await proxy.idle();
  await eventually("the backend to fail", () => failed);
  await eventually("every buffer back", () => proxy.buffered === 0);
  client.resume();
  await client.end();
  assert(client.received.length < size);
});

Deno.test("slow heads of 2,000 clients take at most 8 KiB of buffers each, and all get their 408", async () => {
  const clock = new FakeClock();
  const count = 2_000;
  await using backend = serveRaw();
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { header: "10s" } },
  }, clock);
  const start = `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(994)}`;
  const clients: RawClient[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const client = await RawClient.connect(proxy.port);
      clients.push(client);
      await client.send(start);
    }
    await proxy.received(count * start.length);
    assert(
      proxy.buffered <= count * (8 << 10),
      `${proxy.buffered} bytes for ${count} clients`,
    );
    clock.advance(11_000);
    await Promise.all(clients.map((client) => client.end()));
    assert(
      clients.every((client) => client.received.startsWith("HTTP/1.1 408 ")),
    );
  } finally {
    for (const client of clients) await client.closed();
  }
  await proxy.idle();
  assertEquals(proxy.buffered, 0);
});

Deno.test("500: a request's head that handlers let outgrow every buffer is not sent", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("grow", {
      readRequestHeader: (request) => {
        request.headers.set("x-large", "x".repeat(300_000));
      },
    })],
  });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  assertEquals((await client.response()).status, 500);
  assertEquals(backend.received, "");
});

Deno.test("heads that handlers let grow are sent as long as a buffer holds them, both ways", async () => {
  const large = "x".repeat(100_000);
  await using backend = serveRaw();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("grow", {
      readRequestHeader: (request) => {
        request.headers.set("x-large", large);
      },
      readResponse: (_request, response) => {
        response.headers.set("x-large", large);
      },
    })],
  });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  const { status, head } = await client.response();
  assertEquals(status, 200);
  assertEquals(fieldValues(head, "x-large"), [large]);
  assertEquals(fieldValues(backend.requests[0]!.head, "x-large"), [large]);
});
