/** A proxy whose connections are read and written by the runtime's own operations. */
import { assert, assertEquals } from "../support/assert.ts";
import {
  bytesOf,
  patternBytes,
  readAll,
  writeAll,
} from "../support/byte_streams.ts";
import { eventually } from "../support/eventually.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { startPlane } from "../support/plane.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";
import { ResettableConn } from "../support/resettable_conn.ts";
import { echo, serveTcpBackend } from "../support/tcp_backend.ts";
import { connectTls } from "../support/tls_client.ts";
import { tlsSite } from "../support/tls_site.ts";

/** The bytes of a body are worth a look when they are more than any buffer holds. */
const BODY = patternBytes(1 << 20);

/** A backend that sends bodies back. */
function serveMirror() {
  return serveHttpBackend(async (request) =>
    new Response(await request.bytes())
  );
}

Deno.test("io: direct: the runtime's own connections are stood for on both sides", async () => {
  await using backend = serveMirror();
  await using direct = await startPlane({
    backends: [backend.url],
    io: "direct",
  });
  await using standard = await startPlane({ backends: [backend.url] });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: direct.port });
  assert(direct.plane.env.bytesOf(conn) !== conn);
  assert(standard.plane.env.bytesOf(conn) === conn);
});

Deno.test("io: direct: requests, bodies and their ends come through, with TLS too", async () => {
  await using s = await tlsSite();
  await using backend = serveMirror();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listeners: [{
      name: "tls",
      address: "127.0.0.1:0",
      tls: { certificates: s.single },
    }],
    io: "direct",
  });
  using plain = await HttpClient.connect(proxy.port(0));
  using secure = await connectTls(proxy.port(1), { ca: s.ca.cert });
  for (const client of [plain, secure, plain]) {
    await client.send(
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n`,
    );
    const [response] = await Promise.all([
      client.response(),
      client.send(BODY),
    ]);
    assertEquals(response.status, 200);
    assertEquals(response.body, BODY);
  }
});

Deno.test("io: direct: each direction of a TCP session has its own end", async () => {
  await using backend = serveTcpBackend(echo);
  await using proxy = await startProxyWith({
    listener: { protocol: "tcp", cluster: "main" },
    backends: [`tcp://127.0.0.1:${backend.port}`],
    io: "direct",
  });
  using conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: proxy.port(),
  });
  const [received] = await Promise.all([
    readAll(conn),
    writeAll(conn, BODY).then(() => conn.closeWrite()),
  ]);
  assertEquals(received, BODY);
});

Deno.test("io: direct: a client that resets takes its waiting request with it", async () => {
  const gone = Promise.withResolvers<void>();
  await using backend = serveTcpBackend(async (conn) => {
    await readAll(conn);
    gone.resolve();
  });
  await using t = await startPlane({
    backends: [`http://127.0.0.1:${backend.port}`],
    io: "direct",
  });
  const client = await ResettableConn.connect(t.port);
  await writeAll(client, bytesOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  await eventually("the backend is asked", () => backend.accepted === 1);
  await client.reset();
  await gone.promise;
  await t.idle();
  assertEquals(t.buffered, 0);
});

Deno.test("io takes effect at the next start, which a reload says", async () => {
  await using backend = serveMirror();
  const parts = { backends: [backend.url] };
  await using proxy = await startProxyWith(parts);
  await proxy.reload(configWith({ ...parts, io: "direct" }));
  const told = proxy.logged.find((line) => line.includes("next start"));
  assertEquals(JSON.parse(told!).keys, ["io"]);
});
