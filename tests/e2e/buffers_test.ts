import { assert, assertEquals } from "../support/assert.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";

const LARGE = 256 * 1024;

/** More than the system holds of connections that nobody reads. */
const BODY = new Uint8Array(16 * 1024 ** 2).map((_, i) => i * 31 + (i >> 8));

function config(backend: string, bulk: string): string {
  return JSON.stringify({
    listeners: [{
      name: "web",
      address: "127.0.0.1:0",
      limits: { headerBytes: "64KiB" },
    }],
    clusters: [{ name: "main", backends: [{ url: backend }] }],
    buffers: { bulk },
    workers: 1,
  });
}

async function bytesOf(
  proxy: TestProxy,
  labels: Readonly<Record<string, string>>,
): Promise<number> {
  const { metrics } = await proxy.report();
  return metricValue(metrics, "headrace_buffer_bytes", labels);
}

function used(proxy: TestProxy, size: string): Promise<number> {
  return bytesOf(proxy, { size, state: "used" });
}

/** Asks, and reads nothing yet. */
async function ask(port: number): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(
    new TextEncoder().encode(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ),
  );
  return conn;
}

/** The SHA-256 of the body, after all of it was read. */
async function bodyHash(conn: Deno.TcpConn): Promise<string> {
  const all = await inTime("the body", new Response(conn.readable).bytes());
  return await hash(all.subarray(-BODY.length));
}

async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex();
}

Deno.test("buffers.bulk: streams that get none of the large ones go on, bytes as they were; a reload moves the bound", async () => {
  await using backend = serveHttpBackend(() => new Response(BODY));
  await using proxy = await startProxy(config(backend.url, "256KiB"));
  const expected = await hash(BODY);
  for (const bound of [1, 2]) {
    const conns = await Promise.all(
      [1, 2, 3, 4].map(() => ask(proxy.port())),
    );
    await eventually(
      "the bound",
      async () => await used(proxy, "large") === bound * LARGE,
    );
    // All of them are on their way by then, and none of them goes on.
    await eventually("all requests", () => backend.requests === 4 * bound);
    assertEquals(await used(proxy, "large"), bound * LARGE);
    for (const got of await Promise.all(conns.map(bodyHash))) {
      assertEquals(got, expected);
    }
    await eventually(
      "the last buffer",
      async () => await used(proxy, "large") === 0,
    );
    await proxy.reload(config(backend.url, "600KiB"));
  }
});

Deno.test("buffers.bulk: heads that fit in no other buffer get theirs whatever streams have", async () => {
  const long = "x".repeat(40_000);
  await using backend = serveHttpBackend(({ url, headers }) =>
    new URL(url).pathname === "/"
      ? new Response(BODY)
      : new Response(`${headers.get("x-long")?.length}`, {
        headers: { "x-long": long },
      })
  );
  await using proxy = await startProxy(config(backend.url, "256KiB"));
  const conn = await ask(proxy.port());
  await eventually(
    "the stream's buffer",
    async () => await used(proxy, "large") === LARGE,
  );
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    `GET /heads HTTP/1.1\r\nHost: a\r\nX-Long: ${long}\r\n\r\n`,
  );
  const { status, headers, text } = await client.response();
  assertEquals([status, text, headers.get("x-long")], [200, "40000", long]);
  assertEquals(await bodyHash(conn), await hash(BODY));
});

Deno.test("headrace_buffer_bytes: what connections hold by size, what waits to be used again", async () => {
  await using backend = serveHttpBackend(() => new Response("ok"));
  await using proxy = await startProxy(config(backend.url, "16MiB"));
  const all = ["tiny", "small", "medium", "large"];
  assertEquals(
    await Promise.all(all.map((size) => used(proxy, size))),
    [0, 0, 0, 0],
  );
  const conn = await ask(proxy.port());
  const answer = await inTime("the answer", new Response(conn.readable).text());
  assert(answer.endsWith("ok"));
  // The pooled connection's standing read is all that is left.
  await eventually("the client's buffers", async () => {
    const held = await Promise.all(all.map((size) => used(proxy, size)));
    return held.join() === [0, 0, 33 * 1024, 0].join();
  });
  assert(await bytesOf(proxy, { size: "small", state: "free" }) > 0);
});
