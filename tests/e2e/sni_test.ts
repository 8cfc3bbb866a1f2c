/** Layer 4 by SNI: TLS goes through the proxy to the backend of its name. */
import type { ProxyError } from "../../core/errors.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import {
  bytesOf,
  patternBytes,
  readAll,
  readExactly,
  textOf,
  writeAll,
} from "../support/byte_streams.ts";
import { makeAuthority } from "../support/certificates.ts";
import {
  clientHello,
  inRecords,
  record,
} from "../support/client_hello_bytes.ts";
import { FakeClock } from "../support/clock.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { openssl, opensslMissing } from "../support/openssl.ts";
import { pemFolder } from "../support/pem_folder.ts";
import { startPlane } from "../support/plane.ts";
import {
  configWith,
  type ProxyWith,
  startProxyWith,
} from "../support/proxy_with.ts";
import { serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";

const authority = await makeAuthority();
const pems = await pemFolder();
const ca = await pems.write("ca.crt", authority.cert);

/** A TLS backend that says its name, then sends back what comes. */
async function serveName(name: string, hosts: readonly string[]) {
  return serveTcpBackend(async (conn) => {
    await writeAll(conn, bytesOf(`${name}:`));
    await writeAll(conn, await readAll(conn));
    await conn.closeWrite();
  }, { identity: await authority.issue({ names: hosts }) });
}

/** A tcp listener that goes by SNI, clusters `a` and `b`, and how sessions end. */
function bySni(
  sni: Readonly<Record<string, string>>,
  backends: { readonly a: string; readonly b?: string },
  listener: object = {},
) {
  const ends: { code: string | undefined; name: string | undefined }[] = [];
  const { a, b = a } = backends;
  const parts: ProxyWith = {
    listener: { protocol: "tcp", sni, ...listener },
    cluster: { name: "a", backends: [{ id: "a1", url: a }] },
    clusters: [{ name: "b", backends: [{ id: "b1", url: b }] }],
    plugins: [handlersPlugin("ends", {
      finish: (session) => {
        ends.push({
          code: (session.error as ProxyError | undefined)?.code,
          name: session.tls?.serverName,
        });
      },
    })],
  };
  const ended = async (count = 1) => {
    await eventually("sessions' ends", () => ends.length >= count);
    return ends;
  };
  return { parts, ended };
}

async function connectTls(
  port: number,
  hostname: string,
): Promise<Deno.TlsConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return await Deno.startTls(conn, { hostname, caCerts: [authority.cert] });
}

/** What a backend answers to `question` under this name. */
async function ask(port: number, name: string, question = ""): Promise<string> {
  const conn = await connectTls(port, name);
  try {
    await writeAll(conn, bytesOf(question));
    await conn.closeWrite();
    return textOf(await readAll(conn));
  } finally {
    conn.close();
  }
}

Deno.test("sni: each name's TLS ends at its backend, exact before wildcard before the listener's cluster", async () => {
  const hosts = ["a.test", "*.b.test", "b.b.test", "other.test"];
  await using a = await serveName("a", hosts);
  await using b = await serveName("b", hosts);
  const { parts, ended } = bySni(
    { "A.test": "a", "*.b.test": "b", "b.b.test": "a" },
    { a: a.url, b: b.url },
    { cluster: "b" },
  );
  await using proxy = await startProxyWith(parts);
  const port = proxy.port();
  assertEquals(await ask(port, "a.test", "1"), "a:1");
  assertEquals(await ask(port, "x.b.test", "2"), "b:2");
  assertEquals(await ask(port, "b.b.test", "3"), "a:3");
  assertEquals(await ask(port, "other.test", "4"), "b:4");
  assertEquals((await ended(4)).map(({ code, name }) => [code, name]), [
    [undefined, "a.test"],
    [undefined, "x.b.test"],
    [undefined, "b.b.test"],
    [undefined, "other.test"],
  ]);
});

Deno.test("sni: megabytes go both ways, and many connections at once", async () => {
  await using a = await serveName("a", ["a.test"]);
  const { parts } = bySni({ "a.test": "a" }, { a: a.url });
  await using proxy = await startProxyWith(parts);
  const sent = patternBytes(3_000_000);
  const once = async () => {
    const conn = await connectTls(proxy.port(), "a.test");
    const sending = writeAll(conn, sent).then(() => conn.closeWrite());
    const got = await readAll(conn);
    await sending;
    conn.close();
    assertEquals(got.length, sent.length + 2);
    assert(got.subarray(2).every((byte, i) => byte === sent[i]));
  };
  await Promise.all([once(), once(), once()]);
});

Deno.test("sni: a ClientHello reaches the backend as it came, however it was cut", async () => {
  const got: Uint8Array[] = [];
  await using backend = serveTcpBackend(async (conn) => {
    got.push(await readAll(conn));
    await conn.closeWrite();
  });
  const { parts } = bySni({ "a.test": "a" }, { a: backend.url });
  await using proxy = await startProxyWith(parts);
  const hello = clientHello({
    names: ["a.test"],
    // More than a small buffer holds.
    extensions: [[21, new Uint8Array(9_000)]],
  });
  const bytes = inRecords(hello, [1, 100, 8_000]);
  for (const size of [1, 97, 5_000, bytes.length]) {
    using client = await RawClient.connect(proxy.port());
    const step = size === 1 ? 600 : size;
    for (let at = 0; at < bytes.length; at += step) {
      await client.send(bytes.subarray(at, at + step));
      await new Promise((resolve) => setTimeout(resolve));
    }
    await client.send("and more");
    await client.halfClose();
    await client.end();
    const all = got.pop()!;
    assertEquals(all.length, bytes.length + 8);
    assert(bytes.every((byte, i) => byte === all[i]));
    assertEquals(textOf(all.subarray(bytes.length)), "and more");
  }
});

Deno.test("sni: a name of no cluster is refused with an alert, and so is a client without a name", async () => {
  await using a = await serveName("a", ["a.test"]);
  const { parts, ended } = bySni({ "a.test": "a" }, { a: a.url });
  await using proxy = await startProxyWith(parts);
  await assertRejects(
    () => ask(proxy.port(), "b.test"),
    Error,
    "UnrecognisedName",
  );
  await assertRejects(() => ask(proxy.port(), "127.0.0.1"), Error);
  assertEquals(await ended(2), [
    { code: "tls_name_unknown", name: "b.test" },
    { code: "tls_name_unknown", name: undefined },
  ]);
  assertEquals(a.accepted, 0);
});

Deno.test("sni: whoever does not speak TLS is turned away at once, and told why in TLS or HTTP", async () => {
  await using a = await serveName("a", ["a.test"]);
  const { parts, ended } = bySni({ "a.test": "a" }, { a: a.url }, {
    cluster: "a",
  });
  await using proxy = await startProxyWith(parts);
  const decodeError = "\x15\x03\x01\x00\x02\x02\x32";
  const notHttp = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n" +
    "Connection: close\r\nContent-Length: 39\r\n\r\n" +
    "This port speaks TLS: ask for https://\n";
  const hello = clientHello({ names: ["a.test"] });
  const cases: readonly (readonly [string, Uint8Array, string, string])[] = [
    [
      "HTTP",
      bytesOf("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
      notHttp,
      "not_tls",
    ],
    ["SSH", bytesOf("SSH-2.0-OpenSSH_9.2\r\n"), "", "not_tls"],
    ["garbage", new Uint8Array(100).fill(0xfe), "", "not_tls"],
    [
      "1 MiB",
      join(record(22, Uint8Array.of(1, 16, 0, 0)), 1 << 20),
      decodeError,
      "bad_client_hello",
    ],
    [
      "another message",
      inRecords(Uint8Array.of(2, 0, 0, 0)),
      decodeError,
      "bad_client_hello",
    ],
    [
      "broken",
      inRecords(clientHello({ tail: Uint8Array.of(9) })),
      decodeError,
      "bad_client_hello",
    ],
  ];
  for (const [what, bytes, answer] of cases) {
    using client = await RawClient.connect(proxy.port());
    await client.send(bytes);
    await client.end();
    // Behind a flood of unread bytes the kernel may take the alert back.
    if (bytes.length < 1 << 20) assertEquals(client.received, answer, what);
  }
  // Half of one, then the end; and nothing at all.
  using half = await RawClient.connect(proxy.port());
  await half.send(inRecords(hello).subarray(0, 40));
  await half.halfClose();
  await half.end();
  assertEquals(half.received, decodeError);
  using nothing = await RawClient.connect(proxy.port());
  await nothing.halfClose();
  await nothing.end();
  assertEquals(
    (await ended(cases.length + 2)).map(({ code }) => code),
    [...cases.map(([, , , code]) => code), "bad_client_hello", "client_closed"],
  );
  assertEquals(a.accepted, 0);
});

/** Bytes with so many zeros behind them. */
function join(bytes: Uint8Array, zeros: number): Uint8Array {
  const all = new Uint8Array(bytes.length + zeros);
  all.set(bytes);
  return all;
}

Deno.test("sni: a PROXY header goes before the ClientHello, from clients and to backends", async () => {
  const header = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 443\r\n";
  const got = Promise.withResolvers<string>();
  await using backend = serveTcpBackend(async (conn) => {
    got.resolve(textOf(await readExactly(conn, header.length)));
    await readAll(conn);
  });
  const { parts, ended } = bySni({ "a.test": "a" }, { a: backend.url }, {
    proxyProtocol: "require",
    trusted: ["127.0.0.1"],
  });
  await using proxy = await startProxyWith({
    ...parts,
    cluster: { ...parts.cluster, proxyProtocol: "v1" },
  });
  using client = await RawClient.connect(proxy.port());
  await client.send(header);
  await client.send(inRecords(clientHello({ names: ["a.test"] })));
  assertEquals(await inTime("the header", got.promise), header);
  await client.halfClose();
  await client.end();
  assertEquals(await ended(), [{ code: undefined, name: "a.test" }]);
});

Deno.test("sni: a ClientHello that does not come in time ends the session", async () => {
  const clock = new FakeClock();
  const { parts, ended } = bySni(
    { "a.test": "a" },
    { a: "tcp://127.0.0.1:9" },
    { timeouts: { handshake: "5s" } },
  );
  await using proxy = await startPlane(parts, clock);
  using client = await RawClient.connect(proxy.port);
  await client.send(inRecords(clientHello()).subarray(0, 40));
  await proxy.received(40);
  // A sweep at a time: each moves the deadlines' clock by 200 ms at most.
  for (let i = 0; i < 26; i++) clock.advance(200);
  assertEquals(client.ended, false);
  for (let i = 0; i < 4; i++) clock.advance(200);
  await client.end();
  assertEquals((await ended())[0]!.code, "tls_handshake_timeout");
});

Deno.test("sni: a cluster that is dialled with TLS elsewhere gets the client's own TLS only", async () => {
  await using a = await serveName("a", ["a.test"]);
  const { parts } = bySni({ "a.test": "a" }, { a: a.url });
  await using proxy = await startProxyWith({
    ...parts,
    cluster: {
      name: "a",
      backends: [{ url: a.url.replace("tcp:", "https:") }],
      tls: { ca },
    },
    listeners: [{ name: "http", address: "127.0.0.1:0" }],
    products: [{ name: "all", default: true, rules: [{ cluster: "a" }] }],
  });
  assertEquals(await ask(proxy.port(), "a.test", "own"), "a:own");
});

Deno.test("sni: a reload sends new connections by new names, live ones stay", async () => {
  const hosts = ["a.test"];
  await using a = await serveName("a", hosts);
  await using b = await serveName("b", hosts);
  const urls = { a: a.url, b: b.url };
  const { parts } = bySni({ "a.test": "a" }, urls);
  await using proxy = await startProxyWith(parts);
  const live = await connectTls(proxy.port(), "a.test");
  assertEquals(textOf(await readExactly(live, 2)), "a:");
  await proxy.reload(configWith(bySni({ "*.test": "b" }, urls).parts));
  assertEquals(await ask(proxy.port(), "a.test"), "b:");
  await writeAll(live, bytesOf("still"));
  await live.closeWrite();
  assertEquals(textOf(await inTime("the rest", readAll(live))), "still");
  live.close();
});

const missing = opensslMissing();

Deno.test({
  name:
    "sni: openssl s_client reaches the backend of each name, in TLS 1.2 and 1.3",
  ignore: missing,
  async fn() {
    // s_client stays until the server ends.
    const serve = async (text: string, host: string) =>
      serveTcpBackend(async (conn) => {
        await writeAll(conn, bytesOf(text));
        await conn.closeWrite();
      }, { identity: await authority.issue({ names: [host] }) });
    await using a = await serve("from-a", "a.test");
    await using b = await serve("from-b", "b.test");
    const { parts } = bySni(
      { "a.test": "a", "b.test": "b" },
      { a: a.url, b: b.url },
    );
    await using proxy = await startProxyWith(parts);
    const client = (name: string, version: string) =>
      openssl([
        "s_client",
        "-connect",
        `127.0.0.1:${proxy.port()}`,
        "-servername",
        name,
        "-CAfile",
        ca,
        "-verify_return_error",
        "-quiet",
        version,
      ]);
    for (const version of ["-tls1_2", "-tls1_3"]) {
      assert((await client("a.test", version)).stdout.includes("from-a"));
      assert((await client("b.test", version)).stdout.includes("from-b"));
      const refused = await client("c.test", version);
      assert(refused.code !== 0);
      assert(/unrecognized name/.test(refused.stderr), refused.stderr);
    }
  },
});

const curl = await curlVersion();
if (curl === undefined) console.warn("curl is not here: its test is skipped");

Deno.test({
  name: "sni: curl gets two sites from one port",
  ignore: curl === undefined,
  async fn() {
    const site = async (name: string) =>
      serveRaw([`HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsite ${name}`], {
        identity: await authority.issue({ names: [`${name}.test`] }),
      });
    await using a = await site("a");
    await using b = await site("b");
    const { parts } = bySni(
      { "a.test": "a", "b.test": "b" },
      { a: a.url, b: b.url },
    );
    await using proxy = await startProxyWith(parts);
    const port = proxy.port();
    for (const name of ["a", "b"]) {
      const { stdout, stderr, code } = await new Deno.Command("curl", {
        args: [
          "-sS",
          "--max-time",
          "10",
          "--cacert",
          ca,
          "--resolve",
          `${name}.test:${port}:127.0.0.1`,
          `https://${name}.test:${port}/`,
        ],
      }).output();
      assertEquals(code, 0, textOf(stderr));
      assertEquals(textOf(stdout), `site ${name}`);
    }
  },
});

async function curlVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("curl", { args: ["--version"] })
      .output();
    return textOf(stdout);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}
