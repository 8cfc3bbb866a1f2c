/**
 * TLS before TCP clusters, and what a slow side makes the fast one do.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { writeAll } from "../support/byte_streams.ts";
import { eventually } from "../support/eventually.ts";
import { startPlane } from "../support/plane.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { echo, serveTcpBackend } from "../support/tcp_backend.ts";
import { connectTls } from "../support/tls_client.ts";
import { RUNTIMES, tlsSite } from "../support/tls_site.ts";

for (const { name, plugins } of RUNTIMES) {
  Deno.test(`${name}: TCP behind TLS goes both ways, half-close too`, async () => {
    await using s = await tlsSite();
    await using backend = serveTcpBackend(echo);
    await using proxy = await startProxyWith({
      listener: {
        protocol: "tcp",
        cluster: "main",
        tls: { certificates: s.single },
      },
      backends: [`tcp://127.0.0.1:${backend.port}`],
      plugins,
    });
    using client = await connectTls(proxy.port(), {
      ca: s.ca.cert,
      // What the ends agree on is theirs: it is neither offered nor refused.
      alpn: ["postgresql"],
    });
    await client.send("ping");
    await (client.conn as Deno.TlsConn).closeWrite();
    const buffer = new Uint8Array(100);
    let text = "";
    for (;;) {
      const count = await client.conn.read(buffer);
      if (count === null) break;
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
    assertEquals(text, "ping");
  });

  Deno.test(`${name}: a client that pushes at a backend that reads nothing is stopped`, async () => {
    await using s = await tlsSite();
    const release = Promise.withResolvers<void>();
    await using backend = serveTcpBackend(() => release.promise);
    await using t = await startPlane({
      listener: {
        protocol: "tcp",
        cluster: "main",
        tls: { certificates: s.single },
      },
      backends: [`tcp://127.0.0.1:${backend.port}`],
      plugins,
    });
    using client = await connectTls(t.port, { ca: s.ca.cert });
    let sent = 0;
    const pushing = (async () => {
      const piece = new Uint8Array(256 << 10);
      try {
        while (sent < 200 << 20) {
          await writeAll(client.conn, piece);
          sent += piece.length;
        }
      } catch {
        // Its end below.
      }
    })();
    await stands(() => sent);
    // What the systems' buffers on the way hold, and not 200 MB.
    assert(sent < 32 << 20, `${sent}`);
    const { in: taken } = t.plane.env.clientBytes;
    assert(taken < 16 << 20, `${taken}`);
    client.close();
    release.resolve();
    await pushing;
  });

  Deno.test(`${name}: a client that reads nothing stops its backend, and both get every byte then`, async () => {
    await using s = await tlsSite();
    let pushed = 0;
    const size = 40 << 20;
    await using backend = serveTcpBackend(async (conn) => {
      const piece = new Uint8Array(256 << 10).fill(7);
      await conn.read(new Uint8Array(2));
      while (pushed < size) {
        await writeAll(conn, piece);
        pushed += piece.length;
      }
      await conn.closeWrite();
    });
    await using t = await startPlane({
      listener: {
        protocol: "tcp",
        cluster: "main",
        tls: { certificates: s.single },
      },
      backends: [`tcp://127.0.0.1:${backend.port}`],
      plugins,
    });
    using client = await connectTls(t.port, { ca: s.ca.cert });
    await client.send("go");
    await stands(() => pushed);
    assert(pushed < 32 << 20, `${pushed}`);
    const buffer = new Uint8Array(256 << 10);
    let received = 0;
    for (;;) {
      const count = await client.conn.read(buffer);
      if (count === null) break;
      assert(buffer.subarray(0, count).every((byte) => byte === 7));
      received += count;
    }
    assertEquals(received, size);
  });
}

/** Waits until a count has begun and does not grow any more. */
async function stands(count: () => number): Promise<void> {
  let last = -1;
  let same = 0;
  await eventually("a stop", async () => {
    const now = count();
    same = now === last && now > 0 ? same + 1 : 0;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 10));
    return same >= 20;
  });
}
