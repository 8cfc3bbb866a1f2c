/** Bodies of every framing, both ways, streamed and never gathered. */
import { assert, assertEquals } from "../support/assert.ts";
import {
  patternBytes,
  readExactly,
  writeAll,
} from "../support/byte_streams.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { latin1Bytes, latin1Text } from "../support/latin1.ts";
import { startPlane } from "../support/plane.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { fieldValues } from "../support/raw_responses.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** So much is more than all buffers on the way could take. */
const BULK = 100 << 20;

/** What one session may have in buffers while the bulk goes through: a large one for each side and what writes heads. */
const BOUND = 1 << 20;

Deno.test("a request's body with Content-Length reaches the backend as it is", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello ",
  );
  await client.send("world");
  assertEquals((await client.response()).status, 200);
  const [request] = backend.requests;
  assertEquals(request?.body, "hello world");
  assertEquals(fieldValues(request!.head, "content-length"), ["11"]);
  assertEquals(fieldValues(request!.head, "transfer-encoding"), []);
});

Deno.test("a chunked request's body reaches the backend in chunks of our own", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "5;x=y\r\nhello\r\n",
  );
  await eventually(
    "the first chunk",
    () => backend.requests[0]?.body === "hello",
  );
  await client.send("0006\r\n world\r\n0\r\n\r\n");
  assertEquals((await client.response()).status, 200);
  const [request] = backend.requests;
  assertEquals(request?.body, "hello world");
  assertEquals(fieldValues(request!.head, "transfer-encoding"), ["chunked"]);
  assert(!backend.received.includes(";x=y"), backend.received);
});

Deno.test("a GET with a body and a POST without one are framed as they came", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
  await client.response();
  await client.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.response();
  const [get, post] = backend.requests;
  assertEquals(get?.body, "hi");
  assertEquals(fieldValues(post!.head, "content-length"), ["0"]);
});

Deno.test("a response with Content-Length, a chunked and a close-delimited one arrive whole", async (t) => {
  const replies = {
    length: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    chunked: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "2\r\nhe\r\n3;x\r\nllo\r\n0\r\n\r\n",
    end: { close: "HTTP/1.1 200 OK\r\n\r\nhello" },
  };
  for (const [name, reply] of Object.entries(replies)) {
    await t.step(name, async () => {
      await using backend = serveRaw([reply]);
      await using proxy = await startProxyWith({ backends: [backend.url] });
      using client = await RawClient.connect(proxy.port());
      await client.send(GET);
      const first = await client.response();
      assertEquals(first.body, "hello");
      assertEquals(first.framing, name === "length" ? "length" : "chunked");
      // Whatever the backend did, the client's connection goes on.
      await client.send(GET);
      assertEquals((await client.response()).body, "hello");
    });
  }
});

Deno.test("an HTTP/1.0 client gets a body of unknown length up to the connection's end, never in chunks", async () => {
  await using backend = serveRaw([
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
  );
  await client.end();
  const [response] = client.parse();
  assertEquals(response?.framing, "end");
  assertEquals(response?.body, "hello");
  assertEquals(fieldValues(response!.head, "connection"), ["close"]);
});

Deno.test("responses to HEAD, 204 and 304 have no body, and what their heads say of one", async () => {
  await using backend = serveRaw([
    "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: "x"\r\n\r\n',
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  const ask = async (method: string) => {
    await client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    return await client.response(method);
  };
  const head = await ask("HEAD");
  assertEquals(fieldValues(head.head, "content-length"), ["7"]);
  const unsized = await ask("HEAD");
  assertEquals(fieldValues(unsized.head, "content-length"), []);
  const none = await ask("GET");
  assertEquals(none.status, 204);
  assertEquals(fieldValues(none.head, "content-length"), []);
  assertEquals(fieldValues(none.head, "transfer-encoding"), []);
  const unchanged = await ask("GET");
  assertEquals(unchanged.status, 304);
  assertEquals(fieldValues(unchanged.head, "content-length"), ["9"]);
  assertEquals(backend.connections.length, 1);
  assertEquals(client.received, "");
});

Deno.test("trailers are dropped both ways", async () => {
  await using backend = serveRaw([
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n" +
    "2\r\nok\r\n0\r\nX-T: secret\r\nSet-Cookie: a=b\r\n\r\n",
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" +
      "Trailer: X-U\r\n\r\n2\r\nhi\r\n0\r\nX-U: secret\r\nHost: evil\r\n\r\n" +
      GET,
  );
  await client.responses(2);
  assertEquals(client.parse().map(({ body }) => body), ["ok", "ok"]);
  assert(!/secret|Set-Cookie|X-T/i.test(client.received), client.received);
  assertEquals(backend.requests[0]?.body, "hi");
  assert(!/secret|evil|X-U/i.test(backend.received), backend.received);
});

Deno.test("a response of 100 MB to a client that does not read waits at the backend", async () => {
  const piece = patternBytes(1 << 20);
  let sent = 0;
  await using backend = serveTcpBackend(async (conn) => {
    await readHead(conn);
    await writeAll(
      conn,
      latin1Bytes(`HTTP/1.1 200 OK\r\nContent-Length: ${BULK}\r\n\r\n`),
    );
    for (let at = 0; at < BULK; at += piece.length) {
      await writeAll(conn, piece);
      sent += piece.length;
    }
  });
  await using proxy = await startPlane({
    backends: [`http://127.0.0.1:${backend.port}`],
  });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
  try {
    await writeAll(conn, latin1Bytes(GET));
    await settled("the backend's progress", () => sent);
    // What is out is in the kernel's buffers and at most a piece in ours.
    assert(sent < BULK / 2, `${sent} bytes left the backend`);
    assert(proxy.buffered <= BOUND, `${proxy.buffered} bytes buffered`);
    const body = await readResponse(conn, piece, () => {
      assert(proxy.buffered <= BOUND, `${proxy.buffered} bytes buffered`);
    });
    assertEquals(body, BULK);
  } finally {
    conn.close();
  }
});

Deno.test("an upload of 100 MB, sized and chunked, waits for a backend that does not read", async (t) => {
  for (const chunked of [false, true]) {
    await t.step(chunked ? "chunked" : "Content-Length", async () => {
      const open = Promise.withResolvers<void>();
      let intact = false;
      await using backend = serveTcpBackend(async (conn) => {
        await open.promise;
        intact = await readUpload(conn, chunked);
        await writeAll(
          conn,
          latin1Bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        );
      });
      await using proxy = await startPlane({
        backends: [`http://127.0.0.1:${backend.port}`],
      });
      using client = await RawClient.connect(proxy.port);
      const framing = chunked
        ? "Transfer-Encoding: chunked"
        : `Content-Length: ${BULK}`;
      let sent = 0;
      const upload = (async () => {
        await client.send(`PUT / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
        const piece = patternBytes(1 << 20);
        for (let at = 0; at < BULK; at += piece.length) {
          if (chunked) await client.send(`${piece.length.toString(16)}\r\n`);
          await client.send(piece);
          if (chunked) await client.send("\r\n");
          sent += piece.length;
        }
        if (chunked) await client.send("0\r\n\r\n");
      })();
      await settled("the client's progress", () => sent);
      assert(sent < BULK / 2, `${sent} bytes left the client`);
      assert(proxy.buffered <= BOUND, `${proxy.buffered} bytes buffered`);
      open.resolve();
      await inTime("the upload", upload, 60_000);
      assertEquals((await client.response()).status, 200);
      assert(intact, "the body changed on its way");
      assert(proxy.buffered <= BOUND, `${proxy.buffered} bytes buffered`);
    });
  }
});

Deno.test("buffers come back when a client leaves in the middle of a response", async () => {
  await using backend = serveTcpBackend(async (conn) => {
    await readHead(conn);
    await writeAll(
      conn,
      latin1Bytes(`HTTP/1.1 200 OK\r\nContent-Length: ${BULK}\r\n\r\n`),
    );
    const piece = new Uint8Array(1 << 20);
    for (let at = 0; at < BULK; at += piece.length) await writeAll(conn, piece);
  });
  await using proxy = await startPlane({
    backends: [`http://127.0.0.1:${backend.port}`],
  });
  for (let i = 0; i < 5; i++) {
    using client = await RawClient.connect(proxy.port, { paused: true });
    await client.send(GET);
    await eventually(
      "bytes on their way",
      () => proxy.plane.env.clientBytes.out > i * 1000,
    );
    await client.closed();
  }
  await proxy.idle();
  await eventually("every buffer back", () => proxy.buffered === 0);
});

/** Reads a head, and nothing behind it. */
async function readHead(conn: Deno.Conn): Promise<void> {
  for (let end = ""; end !== "\r\n\r\n";) {
    end = (end + latin1Text(await readExactly(conn, 1))).slice(-4);
  }
}

/** Waits until a number no longer grows. */
async function settled(what: string, value: () => number): Promise<void> {
  let before = -1;
  let same = 0;
  await eventually(`the end of ${what}`, () => {
    same = value() === before && before > 0 ? same + 1 : 0;
    before = value();
    return same === 20;
  });
}

/** Reads a sized response whose body repeats `piece`; the body's length. */
async function readResponse(
  conn: Deno.Conn,
  piece: Uint8Array,
  onMegabyte: () => void,
): Promise<number> {
  await readHead(conn);
  let read = 0;
  for (; read < BULK; read += piece.length) {
    const got = await readExactly(conn, piece.length);
    assert(same(got, piece), `the body changed after ${read} bytes`);
    onMegabyte();
  }
  return read;
}

/** Reads an upload of repeated pieces; whether every byte is as it was sent. */
async function readUpload(conn: Deno.Conn, chunked: boolean): Promise<boolean> {
  await readHead(conn);
  const piece = patternBytes(1 << 20);
  let at = 0;
  const compare = async (length: number) => {
    for (let rest = length; rest > 0;) {
      const from = at % piece.length;
      const count = Math.min(rest, piece.length - from);
      const got = await readExactly(conn, count);
      if (!same(got, piece.subarray(from, from + count))) return false;
      at += count;
      rest -= count;
    }
    return true;
  };
  if (!chunked) return await compare(BULK);
  for (;;) {
    let line = "";
    while (!line.endsWith("\r\n")) {
      line += latin1Text(await readExactly(conn, 1));
    }
    const size = parseInt(line, 16);
    if (!await compare(size)) return false;
    if (latin1Text(await readExactly(conn, 2)) !== "\r\n") return false;
    if (size === 0) return at === BULK;
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
