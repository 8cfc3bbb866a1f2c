/** Interim responses, 100-continue end to end, and answers that come before the upload is over. */
import { assert, assertEquals } from "../support/assert.ts";
import { writeAll } from "../support/byte_streams.ts";
import { FakeClock } from "../support/clock.ts";
import { eventually } from "../support/eventually.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { startPlane } from "../support/plane.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { fieldValues } from "../support/raw_responses.ts";
import { ResettableConn } from "../support/resettable_conn.ts";
import { latin1Bytes } from "../support/latin1.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const EXPECTING = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" +
  "Content-Length: 5\r\n\r\n";

Deno.test("Expect: 100-continue reaches the backend, its 100 the client, then the body and the answer go", async () => {
  await using backend = serveRaw([{ early: true, data: CONTINUE, then: OK }]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  for (let i = 0; i < 2; i++) {
    await client.send(EXPECTING);
    await client.until("the 100", () => client.received === CONTINUE);
    assertEquals(backend.requests[i]?.body, "");
    await client.send("hello");
    assertEquals((await client.response()).body, "ok");
    assertEquals(backend.requests[i]?.body, "hello");
    assertEquals(
      fieldValues(backend.requests[i]!.head, "expect"),
      ["100-continue"],
    );
  }
  // Both connections live on.
  assertEquals(backend.connections.length, 1);
});

Deno.test("a client that does not wait for its 100 gets one answer, and its connection lives on", async () => {
  await using backend = serveRaw([
    { early: true, data: CONTINUE, then: OK },
    OK,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(`${EXPECTING}hello`);
  assertEquals((await client.response()).body, "ok");
  // To this one the backend says no 100 at all.
  await client.send(`${EXPECTING}world${GET}`);
  assertEquals((await client.response()).body, "ok");
  assertEquals((await client.response()).body, "ok");
  assertEquals(
    backend.requests.map(({ body }) => body),
    ["hello", "world", ""],
  );
});

Deno.test("a final answer instead of the 100 is relayed and the connections end: nobody knows whether the body comes", async (t) => {
  for (const status of [417, 401]) {
    await t.step(String(status), async () => {
      await using backend = serveRaw([{
        early: true,
        data: `HTTP/1.1 ${status} No\r\nContent-Length: 2\r\n\r\nno`,
      }]);
      await using proxy = await startProxyWith({ backends: [backend.url] });
      using client = await RawClient.connect(proxy.port());
      await client.send(EXPECTING);
      await client.end();
      const responses = client.parse();
      assertEquals(responses.map((each) => each.status), [status]);
      assertEquals(responses[0]?.body, "no");
      assertEquals(fieldValues(responses[0]!.head, "connection"), ["close"]);
      await eventually(
        "the backend connection's end",
        () => backend.connections[0]?.ended === true,
      );
    });
  }
});

Deno.test("an unknown expectation is 417 and reaches nobody", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n");
  await client.end();
  assertEquals(client.parse().map(({ status }) => status), [417]);
  assertEquals(backend.connections.length, 0);
});

Deno.test("Expect of an HTTP/1.0 client, or of one without a body, is not sent on", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using old = await RawClient.connect(proxy.port());
  await old.send(
    "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
  );
  assertEquals((await old.response()).status, 200);
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
  );
  assertEquals((await client.response()).status, 200);
  assert(!/expect/i.test(backend.received), backend.received);
});

Deno.test("103 and other interim responses are relayed with their fields, as many as come", async () => {
  const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
  await using backend = serveRaw([
    `HTTP/1.1 102 Processing\r\nContent-Length: 3\r\n\r\n${hints}${hints}${OK}`,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  const responses = await client.responses(1);
  assertEquals(responses.map(({ status }) => status), [102, 103, 103, 200]);
  assertEquals(fieldValues(responses[1]!.head, "link"), ["</a.css>"]);
  assertEquals(fieldValues(responses[0]!.head, "content-length"), []);
});

Deno.test("an HTTP/1.0 client gets no interim response", async () => {
  await using backend = serveRaw([
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  await client.end();
  assertEquals(client.parse().map(({ status }) => status), [200]);
});

Deno.test("more than 32 interim responses are an attack: 502", async () => {
  await using backend = serveRaw([CONTINUE.repeat(40) + OK]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  const responses = await client.responses(1);
  assertEquals(responses.at(-1)?.status, 502);
  assertEquals(responses.length, 33);
});

Deno.test("an early answer to an upload is relayed, the client's connection closes, the backend's is not used again", async () => {
  await using backend = serveRaw([
    { early: true, data: "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno" },
    OK,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome",
  );
  await client.end();
  const [response] = client.parse();
  assertEquals(response?.status, 413);
  assertEquals(response?.body, "no");
  assertEquals(fieldValues(response!.head, "connection"), ["close"]);
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]?.ended === true,
  );
  using next = await RawClient.connect(proxy.port());
  await next.send(GET);
  assertEquals((await next.response()).status, 200);
  assertEquals(backend.connections.length, 2);
});

Deno.test("an early answer to a small upload is relayed, what is left of the body is dropped and the connection kept", async () => {
  await using backend = serveRaw([{ early: true, data: OK }, OK]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
  );
  assertEquals((await client.response()).status, 200);
  await client.send("x".repeat(1000) + GET);
  assertEquals((await client.response()).status, 200);
  assertEquals(backend.connections.length, 2);
  assert(!backend.connections[1]!.received.includes("x".repeat(10)));
});

Deno.test("an early answer of a backend that closes on the rest of an upload is relayed whole", async (t) => {
  const answer = `HTTP/1.1 413 No\r\nContent-Length: 20000\r\n\r\n${
    "n".repeat(20_000)
  }`;
  await using backend = serveTcpBackend(async (conn) => {
    // What is not read becomes a reset behind the answer.
    await conn.read(new Uint8Array(100));
    await writeAll(conn, latin1Bytes(answer));
  });
  await using proxy = await startProxyWith({
    backends: [`http://127.0.0.1:${backend.port}`],
  });
  for (const size of [1_000, 60_000, 300_000, 5_000_000]) {
    await t.step(`${size} bytes`, async () => {
      using client = await RawClient.connect(proxy.port());
      const sending = client.send(
        `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${
          "x".repeat(size)
        }`,
      );
      const { status, body } = await client.response();
      assertEquals([status, body.length], [413, 20_000]);
      await client.closed();
      await sending;
    });
  }
});

Deno.test("an early answer whose body lasts does not stop the upload", async () => {
  await using backend = serveRaw([{
    early: true,
    data: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
    then: "llo",
  }]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
  );
  await client.until(
    "the answer's begin",
    () => client.received.endsWith("\r\n\r\nhe"),
  );
  await client.send("67890");
  assertEquals((await client.response()).body, "hello");
  assertEquals(backend.requests[0]?.body, "1234567890");
  await client.send(GET);
  await client.until("the next answer", () => client.received !== "");
  assertEquals(backend.connections.length, 1);
});

Deno.test("timeouts.body does not run while a client waits for its 100, and does from there on", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw([{ hang: true, early: true, data: "" }]);
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { body: "2s" } },
    cluster: { timeouts: { response: "60s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(EXPECTING);
  await eventually("the request", () => backend.requests.length === 1);
  clock.advance(30_000);
  await backend.connections[0]!.send(CONTINUE);
  await client.until("the 100", () => client.received === CONTINUE);
  clock.advance(3_000);
  await client.end();
  assertEquals(client.parse().at(-1)?.status, 408);
});

Deno.test("timeouts.body runs from the first byte of a body on, whether or not there was a 100", async () => {
  for (const first of ["", "h"]) {
    const clock = new FakeClock();
    await using backend = serveRaw([{ hang: true }]);
    await using proxy = await startPlane({
      backends: [backend.url],
      listener: { timeouts: { body: "2s" } },
      cluster: { timeouts: { response: "60s" } },
    }, clock);
    using client = await RawClient.connect(proxy.port);
    await client.send(EXPECTING + first);
    await eventually("the request", () => backend.requests.length === 1);
    await client.send("e");
    await eventually(
      "the bytes",
      () => backend.requests[0]?.body === `${first}e`,
    );
    clock.advance(3_000);
    await client.end();
    assertEquals(client.parse().map(({ status }) => status), [408]);
  }
});

Deno.test("timeouts.response runs from where the request is complete, not while its body is on its way", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw([{ hang: true }]);
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { body: "10s" } },
    cluster: { timeouts: { response: "3s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  for (let i = 0; i < 10; i++) {
    clock.advance(5_000);
    await client.send("x");
    await eventually(
      "the byte",
      () => backend.requests[0]?.body.length === i + 1,
    );
  }
  assertEquals(client.received, "");
  // Now it is the backend's turn.
  clock.advance(2_500);
  assertEquals(client.received, "");
  clock.advance(1_000);
  assertEquals((await client.response()).status, 504);
});

Deno.test("timeouts.response runs while the backend is asked for a 100", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw([{ hang: true, early: true, data: "" }]);
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { body: "100s" } },
    cluster: { timeouts: { response: "3s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(EXPECTING);
  await eventually("the request", () => backend.requests.length === 1);
  clock.advance(4_000);
  await client.end();
  assertEquals(client.parse().map(({ status }) => status), [504]);
});

Deno.test("timeouts.write does not run while the backend is silent between an interim and the final response", async () => {
  const clock = new FakeClock();
  await using backend = serveRaw([{ hang: true, early: true, data: "" }]);
  await using proxy = await startPlane({
    backends: [backend.url],
    listener: { timeouts: { write: "1s" } },
    cluster: { timeouts: { response: "60s", read: "60s" } },
  }, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await eventually("the request", () => backend.requests.length === 1);
  const [connection] = backend.connections;
  await connection!.send("HTTP/1.1 103 Early Hints\r\n\r\n");
  await client.until("the 103", () => client.received !== "");
  clock.advance(20_000);
  await connection!.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
  await client.until("the 200", () => client.received.endsWith("ab"));
  clock.advance(20_000);
  await connection!.send("cd");
  assertEquals((await client.response()).body, "abcd");
});

Deno.test("a 101 within the request is a broken response: 502", async () => {
  await using backend = serveRaw([{
    early: true,
    data: "HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
  }]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n" +
      "Content-Length: 5\r\n\r\nhe",
  );
  assertEquals((await client.response()).status, 502);
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]?.ended === true,
  );
});

Deno.test("a client that resets while its backend works on its upload takes the backend's connection with it", async () => {
  await using backend = serveRaw([{ hang: true }]);
  await using proxy = await startPlane({ backends: [backend.url] });
  const conn = await ResettableConn.connect(proxy.port);
  await conn.write(
    latin1Bytes(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
    ),
  );
  await eventually(
    "the first half",
    () => backend.requests[0]?.body === "12345",
  );
  await conn.write(latin1Bytes("67890"));
  await eventually(
    "the second half",
    () => backend.requests[0]?.complete === true,
  );
  await conn.reset();
  await eventually(
    "the backend connection's end",
    () => backend.connections[0]?.ended === true,
  );
  await proxy.idle();
});

Deno.test("an upload's rest is not waited for once a handler has answered", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("deny", {
      readRequestHeader: () => ({
        kind: "respond",
        response: { status: 403, body: "no" },
      }),
    })],
  });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" +
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhello",
  );
  await client.end();
  const responses = client.parse();
  assertEquals(responses.map(({ status }) => status), [403, 403]);
  assertEquals(fieldValues(responses[0]!.head, "connection"), []);
  assertEquals(fieldValues(responses[1]!.head, "connection"), ["close"]);
  assertEquals(backend.connections.length, 0);
});
