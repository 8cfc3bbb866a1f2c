/** TLS to backends: from a plain client through the proxy to real TLS servers. */
import { ProxyError } from "../../core/errors.ts";
import { RefusedError } from "../../core/data_plane/control.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import {
  bytesOf,
  patternBytes,
  readAll,
  readExactly,
  textOf,
  writeAll,
} from "../support/byte_streams.ts";
import { type Identity, makeAuthority } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { serveMtls } from "../support/mtls_backend.ts";
import { opensslMissing, serveOpenssl } from "../support/openssl.ts";
import { pemFolder } from "../support/pem_folder.ts";
import {
  configWith,
  type ProxyWith,
  startProxyWith,
} from "../support/proxy_with.ts";
import { serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { serveRelay } from "../support/relay.ts";
import { echo, serveTcpBackend } from "../support/tcp_backend.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

const DAY = 86_400_000;
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

const pems = await pemFolder();
const authority = await makeAuthority();
const stranger = await makeAuthority("Stranger");
const ca = await pems.write("ca.crt", authority.cert);
const strangeCa = await pems.write("stranger.crt", stranger.cert);
/** Who backends are unless a test says otherwise. */
const identity = await authority.issue({
  names: ["api.test", "localhost"],
  ips: ["127.0.0.1", "::1"],
});

/** A cluster whose `tls` trusts the test's authority. */
function trusting(
  tls: object = {},
  cluster: object = {},
): ProxyWith["cluster"] & object {
  return { tls: { ca, ...tls }, ...cluster };
}

/** Collects why transactions failed. */
function failures() {
  const codes: (string | undefined)[] = [];
  const plugin = handlersPlugin("failures", {
    transactionClose: (transaction) => {
      codes.push((transaction.error as ProxyError | undefined)?.code);
    },
  });
  return { codes, plugin };
}

async function get(port: number) {
  using client = await HttpClient.connect(port);
  return await client.get();
}

Deno.test("https backend: requests go through, and connections are kept", async () => {
  await using backend = serveRaw(null, { identity });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: trusting(),
  });
  using client = await HttpClient.connect(proxy.port());
  for (let i = 0; i < 5; i++) assertEquals((await client.get()).text, "ok");
  // The first one, by node:tls, made the cheaper second one possible.
  assertEquals(backend.connections.length, 2);
  await eventually("the first one's end", () => backend.connections[0]!.ended);
  assertEquals(backend.connections[1]!.requests.length, 4);
});

Deno.test("https backend: a body of megabytes goes both ways, over each kind of connection", async () => {
  const size = 5_000_000;
  await using backend = serveTcpBackend(async (conn) => {
    let head = "";
    const one = new Uint8Array(1);
    while (!head.endsWith("\r\n\r\n")) {
      if (await conn.read(one) === null) return;
      head += textOf(one);
    }
    const body = await readExactly(conn, size);
    await writeAll(
      conn,
      bytesOf(
        `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`,
      ),
    );
    await writeAll(conn, body);
  }, { identity });
  await using proxy = await startProxyWith({
    backends: [`https://127.0.0.1:${backend.port}`],
    cluster: trusting(),
  });
  const sent = patternBytes(size);
  for (let i = 0; i < 2; i++) {
    const response = await fetch(proxy.url(), { method: "POST", body: sent });
    const got = new Uint8Array(await response.arrayBuffer());
    assertEquals(got.length, size);
    assert(got.every((byte, at) => byte === sent[at]));
  }
});

Deno.test("https backend: found by name, by IPv6 address, and under another name", async () => {
  await using six = serveRaw(null, { identity });
  await using sixReal = serveTcpBackend(async (conn) => {
    await conn.read(new Uint8Array(4096));
    await writeAll(
      conn,
      bytesOf("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nsix"),
    );
    await readAll(conn);
  }, { hostname: "::1", identity });
  const answers = async (url: string, tls: object = {}) => {
    await using proxy = await startProxyWith({
      backends: [url],
      cluster: trusting(tls),
    });
    const { status, text } = await get(proxy.port());
    return [status, text];
  };
  assertEquals(await answers(`https://localhost:${six.port}`), [200, "ok"]);
  assertEquals(await answers(`wss://[::1]:${sixReal.port}`), [200, "six"]);
  assertEquals(
    await answers(six.url, { serverName: "API.test" }),
    [200, "ok"],
  );
  assertEquals(
    (await answers(six.url, { serverName: "other.test" }))[0],
    502,
  );
});

const names = ["api.test"];
const ips = ["127.0.0.1"];
const REFUSED: readonly {
  readonly what: string;
  readonly identity: Identity;
  readonly code: string;
}[] = [
  {
    what: "another authority's certificate",
    identity: await stranger.issue({ ips }),
    code: "backend_untrusted",
  },
  {
    what: "another name's certificate",
    identity: await authority.issue({ names }),
    code: "backend_wrong_name",
  },
  {
    what: "an expired certificate",
    identity: await authority.issue({
      ips,
      notBefore: new Date(Date.now() - 2 * DAY),
      notAfter: new Date(Date.now() - DAY),
    }),
    code: "backend_untrusted",
  },
];
for (const { what, identity, code } of REFUSED) {
  Deno.test(`https backend: 502 for ${what}, and another backend is tried`, async () => {
    await using bad = serveRaw(null, { identity });
    await using good = serveRaw(null, {
      identity: await authority.issue({ ips }),
    });
    const { codes, plugin } = failures();
    await using proxy = await startProxyWith({
      backends: [bad.url],
      cluster: trusting(),
      plugins: [plugin],
    });
    for (let i = 0; i < 2; i++) {
      assertEquals((await get(proxy.port())).status, 502);
    }
    await eventually("both failures", () => codes.length === 2);
    assertEquals(codes, [code, code]);
    assertEquals(bad.requests, []);
    await using both = await startProxyWith({
      backends: [bad.url, good.url],
      cluster: trusting(),
    });
    for (let i = 0; i < 3; i++) {
      assertEquals((await get(both.port())).text, "ok");
    }
  });
}

Deno.test("https backend: without a file the well-known authorities are trusted", async () => {
  await using backend = serveRaw(null, { identity });
  const { codes, plugin } = failures();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [plugin],
  });
  assertEquals((await get(proxy.port())).status, 502);
  await eventually("the failure", () => codes.length === 1);
  assertEquals(codes, ["backend_untrusted"]);
});

Deno.test("https backend: 504 where a handshake does not end in time, 502 where no TLS is spoken", async () => {
  await using silent = serveTcpBackend(async (conn) => {
    await readAll(conn);
  });
  await using plain = serveTcpBackend(async (conn) => {
    await conn.read(new Uint8Array(4096));
    await writeAll(conn, bytesOf("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await readAll(conn);
  });
  const { codes, plugin } = failures();
  await using proxy = await startProxyWith({
    backends: [`https://127.0.0.1:${silent.port}`],
    cluster: trusting({}, { timeouts: { connect: "200ms" } }),
    plugins: [plugin],
  });
  assertEquals((await get(proxy.port())).status, 504);
  await using other = await startProxyWith({
    backends: [`https://127.0.0.1:${plain.port}`],
    cluster: trusting(),
    plugins: [plugin],
  });
  assertEquals((await get(other.port())).status, 502);
  await eventually("both failures", () => codes.length === 2);
  assertEquals(codes, [
    "backend_handshake_timeout",
    "backend_handshake_failed",
  ]);
});

Deno.test("https backend: a client certificate is shown, and the lack of one is told", async () => {
  await using backend = await serveMtls(identity, authority.cert);
  const own = await pems.identity(
    "proxy",
    await authority.issue({ commonName: "headrace", client: true }),
  );
  const { codes, plugin } = failures();
  const statusWith = async (tls: object) => {
    await using proxy = await startProxyWith({
      backends: [backend.url],
      cluster: trusting(tls),
      plugins: [plugin],
    });
    using client = await HttpClient.connect(proxy.port());
    const { status, text } = await client.get();
    if (status === 200) assertEquals((await client.get()).text, text);
    return [status, text];
  };
  assertEquals(await statusWith(own), [200, "headrace"]);
  // Both requests came over one connection.
  assertEquals(backend.shown, ["headrace"]);
  assertEquals((await statusWith({}))[0], 502);
  assertEquals(codes.at(-1), "backend_refused_certificate");
  assertEquals(backend.shown, ["headrace"]);
});

Deno.test("https backend: a response that ends with the connection is whole only where TLS has ended, too", async () => {
  await using backend = serveTcpBackend(async (conn) => {
    await conn.read(new Uint8Array(4096));
    await writeAll(conn, bytesOf("HTTP/1.1 200 OK\r\n\r\nhalf of it"));
    await readAll(conn);
  }, { identity });
  await using relay = serveRelay(backend.port);
  await using whole = serveRaw(
    [{ close: "HTTP/1.1 200 OK\r\n\r\nall of it" }],
    {
      identity,
    },
  );
  const { codes, plugin } = failures();
  await using proxy = await startProxyWith({
    backends: [`https://127.0.0.1:${relay.port}`],
    cluster: trusting(),
    plugins: [plugin],
    listeners: [{ name: "whole", address: "127.0.0.1:0", products: ["whole"] }],
    clusters: [{
      name: "whole",
      backends: [{ url: whole.url }],
      tls: { ca },
    }],
    listener: { products: ["cut"] },
    products: [
      { name: "cut", default: true, rules: [{ cluster: "main" }] },
      { name: "whole", hosts: ["a"], rules: [{ cluster: "whole" }] },
    ],
  });
  // The first connection is node:tls's, the next ones are startTls's.
  for (let i = 0; i < 2; i++) {
    using client = await RawClient.connect(proxy.port(0));
    await client.send(GET);
    await client.until("half", () => client.received.includes("half of it"));
    relay.cut();
    await client.end();
    const [response] = client.parse();
    assertEquals([response?.framing, response?.complete], ["chunked", false]);
  }
  await eventually("both failures", () => codes.length === 2);
  assertEquals(codes, ["backend_closed", "backend_closed"]);
  for (let i = 0; i < 2; i++) {
    using client = await RawClient.connect(proxy.port(1));
    await client.send(GET);
    const { status, body } = await client.response();
    assertEquals([status, body], [200, "all of it"]);
  }
});

Deno.test("https backend: a kept connection that is cut meanwhile costs no request", async () => {
  await using backend = serveRaw(null, { identity });
  await using relay = serveRelay(backend.port);
  await using proxy = await startProxyWith({
    backends: [`https://127.0.0.1:${relay.port}`],
    cluster: trusting(),
  });
  for (let i = 0; i < 4; i++) {
    assertEquals((await get(proxy.port())).text, "ok");
    relay.cut();
  }
  assertEquals(relay.accepted, 4);
});

Deno.test("https backend: a PROXY header goes before each handshake, also before one that is done again", async () => {
  const renewed = await authority.issue({ ips: ["127.0.0.1"] });
  await using first = serveRaw(null, { identity });
  await using second = serveRaw(null, { identity: renewed });
  let { port } = first;
  const headers: string[] = [];
  // Takes the header off and hands the rest to a TLS server.
  await using front = serveTcpBackend(async (conn) => {
    let line = "";
    while (!line.endsWith("\r\n")) line += textOf(await readExactly(conn, 1));
    headers.push(line.split(" ").slice(0, 3).join(" "));
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    await Promise.all([
      conn.readable.pipeTo(server.writable),
      server.readable.pipeTo(conn.writable),
    ]).catch(() => {});
  });
  await using proxy = await startProxyWith({
    backends: [`https://127.0.0.1:${front.port}`],
    cluster: trusting({}, { proxyProtocol: "v1", keepAlive: { maxIdle: 0 } }),
  });
  assertEquals((await get(proxy.port())).text, "ok");
  assertEquals((await get(proxy.port())).text, "ok");
  ({ port } = second);
  assertEquals((await get(proxy.port())).text, "ok");
  // The third one showed a new certificate, which another connection verified.
  assertEquals(headers, new Array(4).fill("PROXY TCP4 127.0.0.1"));
});

Deno.test("wss backend: an upgrade works, and each side's end is passed on", async () => {
  const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\n" +
    "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n";
  await using backend = serveRaw([{ echo: true, data: SWITCHED }], {
    identity,
  });
  await using proxy = await startProxyWith({
    backends: [backend.url.replace("https:", "wss:")],
    cluster: trusting(),
  });
  for (let i = 0; i < 2; i++) {
    using client = await RawClient.connect(proxy.port());
    await client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
    );
    assertEquals((await client.response()).status, 101);
    await client.send("hello");
    await client.until("the echo", () => client.received === "E:hello");
    await client.halfClose();
    await client.end();
    assertEquals(client.received, "E:hello");
  }
});

Deno.test("wss backend: a WebSocket session goes on elsewhere where its backend's TLS is cut", async () => {
  await using a = serveWebSocket("a", { identity });
  await using b = serveWebSocket("b", { identity });
  await using relay = serveRelay(a.port);
  await using proxy = await startProxyWith({
    backends: [`wss://127.0.0.1:${relay.port}`, b.url],
    cluster: trusting({}, { balance: "first" }),
  });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("one"), "a:one");
  relay.cut();
  client.send("two");
  await eventually("the other's word", () => client.got.includes("b:two"));
});

Deno.test("tcp backend with tls: bytes go on in TLS, ends too", async () => {
  await using backend = serveTcpBackend(async (conn) => {
    const question = await readAll(conn);
    await writeAll(conn, bytesOf(`you said ${textOf(question)}`));
    await conn.closeWrite();
  }, { identity });
  await using echoing = serveTcpBackend(echo, { identity });
  await using proxy = await startProxyWith({
    listener: { protocol: "tcp", cluster: "main" },
    backends: [backend.url],
    cluster: trusting(),
    listeners: [{
      name: "https",
      address: "127.0.0.1:0",
      protocol: "tcp",
      cluster: "https",
    }],
    clusters: [{
      name: "https",
      backends: [{ url: `https://127.0.0.1:${echoing.port}` }],
      tls: { ca },
    }],
  });
  for (let i = 0; i < 2; i++) {
    using conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: proxy.port(0),
    });
    await conn.write(bytesOf("bye"));
    await conn.closeWrite();
    assertEquals(textOf(await readAll(conn)), "you said bye");
    using other = await Deno.connect({
      hostname: "127.0.0.1",
      port: proxy.port(1),
    });
    await other.write(bytesOf("https"));
    assertEquals(textOf(await readExactly(other, 5)), "https");
  }
});

Deno.test("tcp backend with tls: a connection that is cut ends the session with a reason", async () => {
  await using backend = serveTcpBackend(echo, { identity });
  await using relay = serveRelay(backend.port);
  const errors: (string | undefined)[] = [];
  await using proxy = await startProxyWith({
    listener: { protocol: "tcp", cluster: "main" },
    backends: [`tcp://127.0.0.1:${relay.port}`],
    cluster: trusting(),
    plugins: [handlersPlugin("finish", {
      finish: (session) => {
        errors.push((session.error as ProxyError | undefined)?.code);
      },
    })],
  });
  using conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: proxy.port(),
  });
  await conn.write(bytesOf("hi"));
  await readExactly(conn, 2);
  relay.cut();
  assertEquals(await conn.read(new Uint8Array(1)), null);
  await eventually("the end", () => errors.length === 1);
  assertEquals(errors, ["backend_closed"]);
});

Deno.test("reload: kept connections are used on while tls stays, and not with another tls", async () => {
  await using backend = serveRaw(null, { identity });
  const moving = await pems.write("moving.crt", authority.cert);
  const config = (extra: object = {}) =>
    configWith({
      backends: [backend.url],
      cluster: trusting({ ca: moving }, extra),
    });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: trusting({ ca: moving }),
  });
  for (let i = 0; i < 2; i++) {
    assertEquals((await get(proxy.port())).text, "ok");
  }
  await proxy.reload(config({ keepAlive: { maxIdle: 8 } }));
  assertEquals((await get(proxy.port())).text, "ok");
  assertEquals(backend.connections.length, 2);
  // The same path with other authorities: files are read anew.
  await pems.write("moving.crt", stranger.cert);
  await proxy.reload(config());
  await eventually(
    "the old connection's end",
    () => backend.connections[1]!.ended,
  );
  assertEquals((await get(proxy.port())).status, 502);
  assertEquals(backend.requests.length, 3);
  await pems.write("moving.crt", authority.cert);
  await proxy.reload(config());
  assertEquals((await get(proxy.port())).text, "ok");
});

Deno.test("reload: a connection at work when tls changes is not kept afterwards", async () => {
  const gate = Promise.withResolvers<void>();
  let accepted = 0;
  await using backend = serveTcpBackend(async (conn) => {
    accepted++;
    for (;;) {
      if (await conn.read(new Uint8Array(4096)) === null) return;
      if (accepted === 2) await gate.promise;
      await writeAll(
        conn,
        bytesOf("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
      );
    }
  }, { identity });
  const url = `https://127.0.0.1:${backend.port}`;
  await using proxy = await startProxyWith({
    backends: [url],
    cluster: trusting(),
  });
  // The first connection is not kept anyway.
  assertEquals((await get(proxy.port())).text, "ok");
  const waiting = get(proxy.port());
  await eventually("the request", () => accepted === 2);
  await proxy.reload(configWith({
    backends: [url],
    cluster: trusting({ serverName: "api.test" }),
  }));
  gate.resolve();
  assertEquals((await waiting).text, "ok");
  assertEquals((await get(proxy.port())).text, "ok");
  assertEquals(accepted, 3);
});

Deno.test("reload: files that are of no use are refused, and the old config runs on", async () => {
  await using backend = serveRaw(null, { identity });
  const breaking = await pems.write("breaking.crt", authority.cert);
  const parts = {
    backends: [backend.url],
    cluster: trusting({ ca: breaking }),
  };
  await using proxy = await startProxyWith(parts);
  await pems.write("breaking.crt", "nothing");
  const error = await assertRejects(
    () => proxy.reload(configWith(parts)),
    RefusedError,
    "clusters[0].tls.ca: expected a PEM file with -----BEGIN CERTIFICATE-----",
  );
  assertEquals(error.problems.length, 1);
  assertEquals((await get(proxy.port())).text, "ok");
});

const missing = opensslMissing();
for (const version of ["-tls1_2", "-tls1_3"]) {
  Deno.test({
    name:
      `https backend: openssl s_server ${version}, with and without a client certificate`,
    ignore: missing,
    async fn() {
      const files = await pems.identity("openssl", identity);
      const server = [
        "-cert",
        files.cert,
        "-key",
        files.key,
        "-CAfile",
        ca,
        version,
      ];
      const client = await pems.identity(
        "client",
        await authority.issue({ commonName: "headrace", client: true }),
      );
      const ask = async (args: readonly string[], tls: object) => {
        await using backend = await serveOpenssl([...server, ...args]);
        await using proxy = await startProxyWith({
          backends: [`https://127.0.0.1:${backend.port}`],
          cluster: trusting(tls),
        });
        // The second one goes over startTls, where node:tls need not serve.
        await get(proxy.port());
        const { status, text } = await get(proxy.port());
        return { status, text };
      };
      const plain = await ask([], {});
      assertEquals(plain.status, 200);
      assert(plain.text.includes("Cipher"));
      const strict = ["-Verify", "1", "-verify_return_error"];
      assertEquals((await ask(strict, {})).status, 502);
      const shown = await ask(strict, client);
      assertEquals(shown.status, 200);
      assert(/CN ?= ?headrace/.test(shown.text), shown.text.slice(-2_000));
    },
  });
}

Deno.test("check: a backend's certificate that the key does not fit is refused with its place", async () => {
  const { cert } = await pems.identity(
    "one",
    await authority.issue({ client: true }),
  );
  const { key } = await pems.identity(
    "two",
    await authority.issue({ client: true }),
  );
  await assertRejects(
    () =>
      startProxyWith({
        backends: ["https://127.0.0.1:9"],
        cluster: { tls: { ca: strangeCa, cert, key } },
      }),
    RefusedError,
    "clusters[0].tls.key: expected the key of the first certificate in clusters[0].tls.cert",
  );
});
