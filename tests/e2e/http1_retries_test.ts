/** What is sent again, and what never is (RFC 9110 §9.2.2, RFC 9112 §9.3.1). */
import { assert, assertEquals } from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { startPlane, type TestPlane } from "../support/plane.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { type RawReply, serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { serveScript } from "../support/scripted_backend.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

function requestOf(method: string, body = ""): string {
  const length = `Content-Length: ${body.length}\r\n`;
  return `${method} / HTTP/1.1\r\nHost: a\r\n${length}\r\n${body}`;
}

/** What a client gets for a request on a pooled connection of which the reply is this, and how often it was sent. */
async function onPooled(request: string, reply: RawReply) {
  await using backend = serveRaw([OK, reply, OK]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  await client.response();
  await client.send(request);
  const [method = ""] = request.split(" ");
  const { status } = await client.response(method);
  const sent = backend.requests.slice(1).map((each) => each.method);
  assert(sent.every((each) => each === method), sent.join());
  return { status, sent: sent.length, connections: backend.connections.length };
}

Deno.test("on a pooled connection that ends without an answer, only what is safe to repeat is sent again", async (t) => {
  const rows: readonly (readonly [string, boolean])[] = [
    [GET, true],
    [requestOf("HEAD"), true],
    [requestOf("OPTIONS"), true],
    [requestOf("PUT"), true],
    [requestOf("DELETE"), true],
    [requestOf("POST"), false],
    [requestOf("PATCH"), false],
    [requestOf("BREW"), false],
    [requestOf("POST", "hi"), false],
  ];
  for (const [request, again] of rows) {
    await t.step(request.replaceAll("\r\n", " "), async () => {
      assertEquals(
        await onPooled(request, { close: "" }),
        again
          ? { status: 200, sent: 2, connections: 2 }
          : { status: 502, sent: 1, connections: 1 },
      );
    });
  }
});

Deno.test("a body that is sent again has its trailers again", async () => {
  await using backend = serveRaw([OK, { close: "" }, OK]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  await client.response();
  await client.send(
    "PUT / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n" +
      "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n",
  );
  assertEquals((await client.response()).status, 200);
  const sent = backend.requests.slice(1);
  assertEquals(sent.map(({ body, trailers }) => [body, ...trailers]), [
    ["hi", "X-T: 1"],
    ["hi", "X-T: 1"],
  ]);
});

Deno.test("an answer that began and broke off is not asked of its backend again: 502", async (t) => {
  const replies: Readonly<Record<string, string>> = {
    "a byte": "H",
    "half a head": "HTTP/1.1 200 OK\r\nContent-Le",
    "an interim response": "HTTP/1.1 103 Early Hints\r\n\r\n",
    "a whole head with half a chunk's size":
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5",
  };
  for (const [name, close] of Object.entries(replies)) {
    await t.step(name, async () => {
      await using backend = serveRaw([OK, { close }, OK]);
      await using proxy = await startProxyWith({ backends: [backend.url] });
      using client = await RawClient.connect(proxy.port());
      await client.send(GET);
      await client.response();
      await client.send(GET);
      // The last row's head is out: what is sent of it is cut.
      await client.until(
        "an end",
        () => /\r\n\r\n.*502/s.test(client.received),
      );
      const final = client.parse().filter(({ status }) => status >= 200);
      assert(
        final.length === 1 && (final[0]!.status === 502 || !final[0]!.complete),
        client.received,
      );
      assertEquals(backend.requests.length, 2);
    });
  }
});

Deno.test("a new connection that ends without an answer leads elsewhere only what is safe to repeat", async () => {
  for (const method of ["GET", "POST"]) {
    await using a = serveRaw([{ close: "" }]);
    await using b = serveRaw();
    await using proxy = await startProxyWith({ backends: [a.url, b.url] });
    using client = await RawClient.connect(proxy.port());
    await client.send(requestOf(method));
    const { status } = await client.response();
    assertEquals(
      [status, a.requests.length, b.requests.length],
      method === "GET" ? [200, 1, 1] : [502, 1, 0],
    );
  }
});

Deno.test("a response of which a byte is out is never asked for again", async () => {
  await using a = serveRaw([{
    close: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
  }]);
  await using b = serveRaw();
  await using proxy = await startProxyWith({ backends: [a.url, b.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(GET);
  await client.end();
  const [response, ...others] = client.parse();
  assertEquals([response?.body, response?.complete], ["hello", false]);
  assertEquals([others.length, b.requests.length], [0, 0]);
});

// ---------------------------------------------------------- nothing was written

/**
 * A plane whose handler at sendRequestHeader holds the second request, of
 * which the pooled connection is chosen already, until `meanwhile` is done.
 */
function holding(
  url: string,
  meanwhile: () => Promise<void>,
): Promise<TestPlane> {
  let requests = 0;
  return startPlane({
    backends: [url],
    plugins: [handlersPlugin("hold", {
      async sendRequestHeader(_request, attempt) {
        if (attempt.connection?.reused && ++requests === 1) await meanwhile();
      },
    })],
  });
}

/** Time for what a peer in this process did to get here: nothing tells when a posted read has ended. */
function seen(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

for (const request of [requestOf("POST", "hello"), requestOf("POST"), GET]) {
  const name = request.replaceAll("\r\n", " ");
  Deno.test(`a pooled connection that ends before a byte was written is replaced: ${name}`, async () => {
    const end = Promise.withResolvers<void>();
    await using backend = serveScript(async (connection) => {
      await connection.request();
      await connection.respond(200, "ok");
      if (connection.number === 1) return await end.promise;
      const next = await connection.request();
      const length = Number(next?.headers.get("content-length") ?? 0);
      await connection.respond(200, await connection.body(length));
    });
    await using proxy = await holding(backend.url, async () => {
      end.resolve();
      await seen();
    });
    using client = await RawClient.connect(proxy.port);
    await client.send(GET);
    assertEquals((await client.response()).body, "ok");
    await client.send(request);
    assertEquals((await client.response()).status, 200);
    assertEquals(backend.accepted, 2);
  });
}

Deno.test("bytes that come on a pooled connection before a byte was written are nobody's answer", async () => {
  await using backend = serveRaw();
  await using proxy = await holding(backend.url, async () => {
    await backend.connections[0]!.send(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!",
    );
    await seen();
  });
  using client = await RawClient.connect(proxy.port);
  await client.send(GET);
  await client.response();
  await client.send(requestOf("POST", "hello"));
  assertEquals((await client.response()).body, "ok");
  assert(!client.received.includes("evil"));
  assertEquals(backend.connections.map(({ requests }) => requests.length), [
    1,
    1,
  ]);
  await eventually("its end", () => backend.connections[0]!.ended);
});
