/**
 * Ends of TLS connections at awkward moments: the client's may come with its
 * handshake, or while a response is on its way.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import {
  patternBytes,
  readAll,
  readExactly,
  textOf,
  writeAll,
} from "../support/byte_streams.ts";
import { inTime } from "../support/eventually.ts";
import { gatheringRelay } from "../support/gathering_relay.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveEach } from "../support/scripted_backend.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";
import { connectTls } from "../support/tls_client.ts";
import { HELLO, RUNTIMES, tlsSite } from "../support/tls_site.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

for (const { name, plugins } of RUNTIMES) {
  Deno.test(`${name}: a client that ends its direction gets all of a response that it is slow to read`, async () => {
    await using s = await tlsSite();
    const size = 20 << 20;
    await using backend = serveEach((connection) =>
      connection.respond(200, "x".repeat(size))
    );
    await using proxy = await startProxyWith({
      listener: { tls: { certificates: s.single } },
      backends: [backend.url],
      plugins,
    });
    using client = await connectTls(proxy.port(), { ca: s.ca.cert });
    await client.send(GET);
    // The response stands in every buffer on its way when the end comes.
    await readExactly(client.conn, 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await client.conn.closeWrite();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const rest = await inTime("the rest", readAll(client.conn));
    assert(rest.length > size, `${rest.length}`);
  });

  Deno.test(`${name}: a TCP client that ends its direction gets all that its backend still sends`, async () => {
    await using s = await tlsSite();
    const size = 20 << 20;
    await using backend = serveTcpBackend(async (conn) => {
      await writeAll(conn, patternBytes(size));
      assertEquals(textOf(await readAll(conn)), "bye");
      await conn.closeWrite();
    });
    await using proxy = await startProxyWith({
      listener: {
        protocol: "tcp",
        cluster: "main",
        tls: { certificates: s.single },
      },
      backends: [`tcp://127.0.0.1:${backend.port}`],
      plugins,
    });
    using client = await connectTls(proxy.port(), { ca: s.ca.cert });
    await readExactly(client.conn, 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await client.send("bye");
    await client.conn.closeWrite();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const rest = await inTime("the rest", readAll(client.conn));
    assertEquals(rest.length, size - 1);
  });

  Deno.test(`${name}: a client that says all with the end of its handshake, and leaves, is answered`, async () => {
    await using s = await tlsSite();
    await using proxy = await startProxyWith({
      listener: { tls: { certificates: s.single } },
      products: HELLO,
      plugins,
    });
    for (const silent of [false, true, false, true]) {
      // From the client's second flight on everything comes at once, with a FIN.
      await using relay = gatheringRelay(proxy.port(), { silent });
      using client = await connectTls(relay.port, { ca: s.ca.cert });
      await client.send(GET);
      await client.conn.closeWrite();
      const answer = textOf(await inTime("an answer", readAll(client.conn)));
      assert(answer.endsWith("hello\n"), answer);
    }
  });
}
