/**
 * Dials with TLS: whom they trust, and what their failures are called.
 */
import { dial } from "../../../core/connect/dial.ts";
import { ProxyError } from "../../../core/errors.ts";
import { systemClock } from "../../../core/net/clock.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import {
  BackendTls,
  type BackendTlsSettings,
} from "../../../core/tls/backend_tls.ts";
import { NodeTlsConn } from "../../../core/tls/node_tls_conn.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { bytesOf, readAll, writeAll } from "../../support/byte_streams.ts";
import { type Identity, makeAuthority } from "../../support/certificates.ts";
import { inTime } from "../../support/eventually.ts";
import { serveMtls } from "../../support/mtls_backend.ts";
import { echo, serveTcpBackend } from "../../support/tcp_backend.ts";

const DAY = 86_400_000;

const authority = await makeAuthority();
const stranger = await makeAuthority("Stranger");
const server = await authority.issue({ names: ["api.test"] });

function settings(parts: Partial<BackendTlsSettings> = {}): BackendTlsSettings {
  return {
    name: "api.test",
    alpn: ["http/1.1"],
    ca: authority.cert,
    identity: undefined,
    ...parts,
  };
}

/** Dials ports of 127.0.0.1. */
async function dialPorts(
  ports: readonly number[],
  tls: BackendTls,
  timeout = 5_000,
  slow?: (port: number) => void,
) {
  const addresses = ports.map((port) => ({ address: "127.0.0.1", port }));
  const deadlines = new Deadlines(systemClock);
  return await dial(addresses, {
    timeout,
    deadlines,
    tls,
    slow: ({ port }) => slow?.(port),
  });
}

/** How a dial to a backend of this identity fails. */
async function failureWith(
  identity: Identity,
  parts: Partial<BackendTlsSettings> = {},
): Promise<ProxyError> {
  await using backend = serveTcpBackend(echo, { identity });
  return await assertRejects(
    () => dialPorts([backend.port], new BackendTls(settings(parts))),
    ProxyError,
    `127.0.0.1:${backend.port}`,
  );
}

Deno.test("dial with TLS verifies by the file's authority, and offers HTTP/1.1", async () => {
  const offered: (string | null)[] = [];
  await using backend = serveTcpBackend(async (conn) => {
    offered.push((await (conn as Deno.TlsConn).handshake()).alpnProtocol);
    await echo(conn);
  }, { identity: server, alpn: ["h2", "http/1.1"] });
  const tls = new BackendTls(settings());
  for (let i = 0; i < 3; i++) {
    const { conn } = await dialPorts([backend.port], tls);
    await writeAll(conn, bytesOf("ping"));
    assertEquals(await conn.read(new Uint8Array(9)), 4);
    conn.close();
  }
  assertEquals(offered, ["http/1.1", "http/1.1", "http/1.1"]);
});

Deno.test("dial with TLS leaves the costly way once it knows the backend's certificate", async () => {
  await using backend = serveTcpBackend(echo, { identity: server });
  const tls = new BackendTls(settings());
  const first = await dialPorts([backend.port], tls);
  const second = await dialPorts([backend.port], tls);
  assertEquals(
    [first.conn instanceof NodeTlsConn, second.conn instanceof NodeTlsConn],
    [true, false],
  );
  assertEquals([first.lasting, second.lasting], [false, true]);
  assertEquals(backend.accepted, 2);
  first.conn.close();
  second.conn.close();
});

Deno.test("dial with TLS verifies anew where a backend shows another certificate", async () => {
  const tls = new BackendTls(settings());
  const renewed = await authority.issue({ names: ["api.test"] });
  {
    await using backend = serveTcpBackend(echo, { identity: server });
    (await dialPorts([backend.port], tls)).conn.close();
  }
  await using backend = serveTcpBackend(echo, { identity: renewed });
  (await dialPorts([backend.port], tls)).conn.close();
  // One to see it, one to verify it.
  assertEquals(backend.accepted, 2);
  (await dialPorts([backend.port], tls)).conn.close();
  assertEquals(backend.accepted, 3);
});

Deno.test("dial with TLS: backend_untrusted for another authority's certificate", async () => {
  const error = await failureWith(
    await stranger.issue({ names: ["api.test"] }),
  );
  assertEquals(
    [error.code, error.status, error.retry],
    ["backend_untrusted", 502, "always"],
  );
  const wellKnown = await failureWith(server, { ca: undefined });
  assertEquals(wellKnown.code, "backend_untrusted");
});

Deno.test("dial with TLS: backend_untrusted for a certificate out of its time", async () => {
  const names = ["api.test"];
  const now = Date.now();
  const expired = await authority.issue({
    names,
    notBefore: new Date(now - 2 * DAY),
    notAfter: new Date(now - DAY),
  });
  assertEquals((await failureWith(expired)).code, "backend_untrusted");
  const early = await authority.issue({
    names,
    notBefore: new Date(now + DAY),
    notAfter: new Date(now + 2 * DAY),
  });
  assertEquals((await failureWith(early)).code, "backend_untrusted");
});

Deno.test("dial with TLS: backend_untrusted for a client's certificate", async () => {
  const client = await authority.issue({ names: ["api.test"], client: true });
  assertEquals((await failureWith(client)).code, "backend_untrusted");
});

Deno.test("dial with TLS: backend_wrong_name for a certificate of another name or address", async () => {
  const code = async (identity: Identity, name: string) =>
    (await failureWith(identity, { name })).code;
  assertEquals(await code(server, "other.test"), "backend_wrong_name");
  assertEquals(await code(server, "127.0.0.1"), "backend_wrong_name");
  const ip = await authority.issue({
    ips: ["127.0.0.1"],
    commonName: "api.test",
  });
  assertEquals(await code(ip, "127.0.0.2"), "backend_wrong_name");
  // A common name is no name (RFC 9525 §2).
  assertEquals(await code(ip, "api.test"), "backend_wrong_name");
  const bare = await authority.issue({ commonName: "api.test" });
  assertEquals(await code(bare, "api.test"), "backend_wrong_name");
  const wildcard = await authority.issue({ names: ["*.test"] });
  assertEquals(await code(wildcard, "a.b.test"), "backend_wrong_name");
});

Deno.test("dial with TLS: a wrong name is told on the cheaper way, too", async () => {
  const tls = new BackendTls(settings());
  {
    await using backend = serveTcpBackend(echo, { identity: server });
    (await dialPorts([backend.port], tls)).conn.close();
  }
  const codeWith = async (identity: Identity) => {
    await using backend = serveTcpBackend(echo, { identity });
    const error = await assertRejects(
      () => dialPorts([backend.port], tls),
      ProxyError,
    );
    assertEquals(backend.accepted, 1);
    return error.code;
  };
  const other = await authority.issue({ names: ["other.test"] });
  assertEquals(await codeWith(other), "backend_wrong_name");
  const expired = await authority.issue({
    names: ["api.test"],
    notBefore: new Date(Date.now() - 2 * DAY),
    notAfter: new Date(Date.now() - DAY),
  });
  assertEquals(await codeWith(expired), "backend_untrusted");
  const strange = await stranger.issue({ names: ["api.test"] });
  assertEquals(await codeWith(strange), "backend_untrusted");
});

Deno.test("dial with TLS: backend_handshake_failed where no TLS is spoken", async () => {
  await using backend = serveTcpBackend(async (conn) => {
    await writeAll(conn, bytesOf("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await readAll(conn);
  });
  const error = await assertRejects(
    () => dialPorts([backend.port], new BackendTls(settings())),
    ProxyError,
    "No TLS with",
  );
  assertEquals([error.code, error.status], ["backend_handshake_failed", 502]);
});

Deno.test("dial with TLS: backend_handshake_timeout for a backend that is silent, then the next address", async () => {
  await using silent = serveTcpBackend(async (conn) => {
    await readAll(conn);
  });
  await using backend = serveTcpBackend(echo, { identity: server });
  for (const ca of [authority.cert, undefined]) {
    const error = await assertRejects(
      () =>
        inTime(
          "a dial",
          dialPorts([silent.port], new BackendTls(settings({ ca })), 100),
        ),
      ProxyError,
      "No TLS handshake within 100 ms",
    );
    assertEquals(
      [error.code, error.status, error.retry],
      ["backend_handshake_timeout", 504, "always"],
    );
  }
  const slow: number[] = [];
  const { conn, remote } = await inTime(
    "a dial",
    dialPorts(
      [silent.port, backend.port],
      new BackendTls(settings()),
      1_000,
      // It must not cost the next connection its timeout once more.
      (port) => slow.push(port),
    ),
  );
  assertEquals([remote.port, slow], [backend.port, [silent.port]]);
  conn.close();
});

Deno.test("dial with TLS: a signal ends the handshake that waits, and nothing once it is done", async () => {
  await using silent = serveTcpBackend(async (conn) => {
    await readAll(conn);
  });
  await using backend = serveTcpBackend(echo, { identity: server });
  const tls = new BackendTls(settings());
  const dialWith = (port: number, signal: AbortSignal) =>
    dial([{ address: "127.0.0.1", port }], {
      timeout: 5_000,
      deadlines: new Deadlines(systemClock),
      tls,
      signal,
    });
  const early = new AbortController();
  const failed = assertRejects(() => dialWith(silent.port, early.signal));
  while (silent.accepted === 0) await new Promise((done) => setTimeout(done));
  early.abort();
  await inTime("the end", failed);
  for (let i = 0; i < 2; i++) {
    const late = new AbortController();
    const { conn } = await dialWith(backend.port, late.signal);
    late.abort();
    await writeAll(conn, bytesOf("ping"));
    assertEquals(await conn.read(new Uint8Array(9)), 4);
    conn.close();
  }
});

Deno.test("dial with TLS goes on to the next address where one is not trusted", async () => {
  const strange = await stranger.issue({ names: ["api.test"] });
  await using bad = serveTcpBackend(echo, { identity: strange });
  await using good = serveTcpBackend(echo, { identity: server });
  const tls = new BackendTls(settings());
  const { conn, remote } = await dialPorts([bad.port, good.port], tls);
  assertEquals(remote.port, good.port);
  conn.close();
});

Deno.test("dial with TLS works over a unix socket", async () => {
  await using backend = serveTcpBackend(echo, { identity: server });
  const folder = await Deno.makeTempDir();
  const path = `${folder}/tls.sock`;
  {
    // What listens on the path passes all on to the backend.
    await using _relay = serveTcpBackend(async (near) => {
      const far = await Deno.connect({
        hostname: "127.0.0.1",
        port: backend.port,
      });
      await Promise.all([
        near.readable.pipeTo(far.writable),
        far.readable.pipeTo(near.writable),
      ]).catch(() => {});
    }, { path });
    const { conn } = await dial([{ address: path, port: 0 }], {
      timeout: 5_000,
      deadlines: new Deadlines(systemClock),
      tls: new BackendTls(settings()),
    });
    await writeAll(conn, bytesOf("unix"));
    assertEquals(await conn.read(new Uint8Array(9)), 4);
    conn.close();
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("dial with TLS shows the client's certificate, with the file's and with the well-known authorities", async () => {
  await using backend = await serveMtls(
    await authority.issue({ names: ["api.test"] }),
    authority.cert,
  );
  const identity = await authority.issue({ commonName: "proxy", client: true });
  const tls = new BackendTls(settings({ identity }));
  const { conn, lasting } = await dialPorts([backend.port], tls);
  assert(lasting);
  await writeAll(conn, bytesOf("GET / HTTP/1.1\r\n\r\n"));
  assert(await conn.read(new Uint8Array(99)) !== null);
  assertEquals(backend.shown, ["proxy"]);
  conn.close();
  const untrusted = await assertRejects(
    () =>
      dialPorts(
        [backend.port],
        new BackendTls(settings({ identity, ca: undefined })),
      ),
    ProxyError,
  );
  assertEquals(untrusted.code, "backend_untrusted");
});

Deno.test("BackendTls.key differs where any setting does", () => {
  const all = [
    settings(),
    settings({ name: "b.test" }),
    settings({ alpn: [] }),
    settings({ ca: undefined }),
    settings({ ca: stranger.cert }),
    settings({ identity: server }),
    settings({ identity: { ...server, key: "other" } }),
  ].map((each) => new BackendTls(each).key);
  assertEquals(new Set(all).size, all.length);
  assertEquals(new BackendTls(settings()).key, all[0]);
});
