/**
 * Both ways to do TLS towards a backend, which must not be told apart: what
 * `Deno.startTls` does and what `node:tls` does.
 */
import { NodeTlsClient } from "../../../core/tls/node_tls_client.ts";
import type { TlsConn } from "../../../core/tls/tls_conn.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import {
  bytesOf,
  patternBytes,
  readAll,
  readExactly,
  textOf,
  writeAll,
} from "../../support/byte_streams.ts";
import { makeAuthority } from "../../support/certificates.ts";
import { inTime } from "../../support/eventually.ts";
import { serveRelay } from "../../support/relay.ts";
import { echo, serveTcpBackend } from "../../support/tcp_backend.ts";

const authority = await makeAuthority();
const identity = await authority.issue({
  names: ["api.test"],
  ips: ["127.0.0.1", "::1"],
});

const WAYS: Readonly<
  Record<string, (conn: Deno.TcpConn, name: string) => Promise<TlsConn>>
> = {
  "Deno.startTls": (conn, hostname) =>
    Deno.startTls(conn, { hostname, caCerts: [authority.cert] }),
  "node:tls": (conn, name) =>
    Promise.resolve(
      new NodeTlsClient(conn, {
        name,
        alpn: [],
        ca: authority.cert,
        identity: undefined,
      }),
    ),
};

/** A connection with TLS to a port of 127.0.0.1. */
async function connectTo(
  way: string,
  port: number,
  name = "api.test",
): Promise<TlsConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return await WAYS[way]!(conn, name);
}

for (const way of Object.keys(WAYS)) {
  Deno.test(`${way}: bytes go both ways, also many at once`, async () => {
    await using server = serveTcpBackend(echo, { identity });
    const conn = await connectTo(way, server.port);
    await conn.handshake();
    const sent = patternBytes(3 << 20);
    const written = writeAll(conn, sent);
    const got = await readExactly(conn, sent.length);
    await written;
    assert(got.every((byte, i) => byte === sent[i]));
    conn.close();
  });

  Deno.test(`${way}: an IP address is verified as the name`, async () => {
    await using server = serveTcpBackend(echo, { identity });
    const conn = await connectTo(way, server.port, "127.0.0.1");
    await conn.handshake();
    conn.close();
  });

  Deno.test(`${way}: a name that is written within another one identifies nobody`, async () => {
    const forged = await authority.issue({
      names: ["evil.test, DNS:api.test"],
      uris: ["http://a/, DNS:api.test", "http://a/, IP Address:127.0.0.1"],
      commonName: "api.test",
    });
    await using server = serveTcpBackend(echo, { identity: forged });
    for (const name of ["api.test", "127.0.0.1"]) {
      const conn = await connectTo(way, server.port, name);
      await assertRejects(() => conn.handshake(), Error);
      conn.close();
    }
  });

  Deno.test(`${way}: our end leaves the other direction open`, async () => {
    await using server = serveTcpBackend(async (conn) => {
      const question = await readAll(conn);
      await writeAll(conn, bytesOf(`you said ${textOf(question)}`));
      await conn.closeWrite();
    }, { identity });
    const conn = await connectTo(way, server.port);
    await conn.handshake();
    await writeAll(conn, bytesOf("bye"));
    await conn.closeWrite();
    assertEquals(textOf(await readAll(conn)), "you said bye");
    conn.close();
  });

  Deno.test(`${way}: the peer's end leaves our direction open`, async () => {
    const got = Promise.withResolvers<string>();
    await using server = serveTcpBackend(async (conn) => {
      await writeAll(conn, bytesOf("greeting"));
      await conn.closeWrite();
      got.resolve(textOf(await readAll(conn)));
    }, { identity });
    const conn = await connectTo(way, server.port);
    await conn.handshake();
    assertEquals(textOf(await readAll(conn)), "greeting");
    await writeAll(conn, bytesOf("the rest"));
    await conn.closeWrite();
    assertEquals(await inTime("the rest", got.promise), "the rest");
    conn.close();
  });

  Deno.test(`${way}: all that came before an end is read, however late`, async () => {
    const size = 1 << 20;
    await using server = serveTcpBackend(async (conn) => {
      await writeAll(conn, patternBytes(size));
      await conn.closeWrite();
    }, { identity });
    const conn = await connectTo(way, server.port);
    await conn.handshake();
    const buffer = new Uint8Array(3_000);
    let total = 0;
    for (let i = 0;; i++) {
      const count = await conn.read(buffer);
      if (count === null) break;
      total += count;
      if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assertEquals(total, size);
    conn.close();
  });

  Deno.test(`${way}: a connection that is cut is told from one that has ended`, async () => {
    await using server = serveTcpBackend(async (conn) => {
      await writeAll(conn, bytesOf("half of"));
      await readAll(conn);
    }, { identity });
    await using relay = serveRelay(server.port);
    const conn = await connectTo(way, relay.port);
    await conn.handshake();
    assertEquals(textOf(await readExactly(conn, 7)), "half of");
    relay.cut();
    await assertRejects(
      () => conn.read(new Uint8Array(1)),
      Deno.errors.UnexpectedEof,
    );
    conn.close();
  });

  Deno.test(`${way}: a peer that pushes while nobody reads is held back`, async () => {
    let pushed = 0;
    await using server = serveTcpBackend(async (conn) => {
      const piece = new Uint8Array(64 << 10);
      for (;;) pushed += await conn.write(piece);
    }, { identity });
    const conn = await connectTo(way, server.port);
    await conn.handshake();
    await conn.read(new Uint8Array(1));
    let before: number;
    do {
      before = pushed;
      await new Promise((resolve) => setTimeout(resolve, 100));
    } while (pushed > before);
    // The kernel's buffers on both sides, and what waits on ours.
    assert(pushed < 20 << 20, `${pushed}`);
    const buffer = new Uint8Array(64 << 10);
    while (pushed < before + (2 << 20)) await conn.read(buffer);
    conn.close();
  });

  Deno.test(`${way}: a write waits for a peer that does not read`, async () => {
    const read = Promise.withResolvers<void>();
    await using server = serveTcpBackend(async (conn) => {
      await (conn as Deno.TlsConn).handshake();
      await read.promise;
      await readAll(conn);
    }, { identity });
    const conn = await connectTo(way, server.port);
    await conn.handshake();
    let written = 0;
    const writing = (async () => {
      const piece = new Uint8Array(64 << 10);
      while (written < 40 << 20) written += await conn.write(piece);
      await conn.closeWrite();
    })();
    let before: number;
    do {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
    } while (written > before);
    assert(written < 20 << 20, `${written}`);
    read.resolve();
    await inTime("the rest", writing);
    conn.close();
  });

  Deno.test(`${way}: closing ends a read that waits`, async () => {
    await using server = serveTcpBackend(echo, { identity });
    const conn = await connectTo(way, server.port);
    await conn.handshake();
    const read = assertRejects(
      () => conn.read(new Uint8Array(1)),
      Deno.errors.Interrupted,
    );
    conn.close();
    await read;
  });

  Deno.test(`${way}: closing ends a handshake that waits`, async () => {
    await using server = serveTcpBackend(async (conn) => {
      await readAll(conn);
    });
    const conn = await connectTo(way, server.port);
    const shaken = assertRejects(
      () => conn.handshake(),
      Deno.errors.Interrupted,
    );
    conn.close();
    await shaken;
  });

  Deno.test(`${way}: a server that is none fails the handshake`, async () => {
    await using server = serveTcpBackend(async (conn) => {
      await writeAll(conn, bytesOf("SSH-2.0-OpenSSH_9.2\r\n"));
      await readAll(conn);
    });
    const conn = await connectTo(way, server.port);
    await assertRejects(() => conn.handshake(), Error);
    conn.close();
  });

  Deno.test(`${way}: a server that leaves within the handshake fails it`, async () => {
    await using server = serveTcpBackend(async (conn) => {
      await conn.read(new Uint8Array(10));
      await conn.closeWrite();
      await readAll(conn);
    });
    const conn = await connectTo(way, server.port);
    await inTime("a failure", assertRejects(() => conn.handshake(), Error));
    conn.close();
  });
}
