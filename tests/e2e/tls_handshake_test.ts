/**
 * Handshakes: what handlers get to know, and how those that fail end.
 *
 * @module
 */
import type { Failure, TlsFacts } from "../../core/plugin.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { RawClient } from "../support/raw_client.ts";
import {
  clientHello,
  inRecords,
  realClientHello,
} from "../support/client_hello_bytes.ts";
import { connectTls } from "../support/tls_client.ts";
import { HELLO, READS_TLS, RUNTIMES, tlsSite } from "../support/tls_site.ts";
import { Tracer } from "../support/tracer.ts";

/** A proxy that notes why sessions end. */
async function noting(
  certificates: readonly object[],
  { listener, plugins }: {
    readonly listener?: object;
    readonly plugins: readonly object[];
  },
) {
  const errors: (Failure | undefined)[] = [];
  const proxy = await startProxyWith({
    listener: { tls: { certificates }, ...listener },
    products: HELLO,
    plugins: [
      ...plugins,
      handlersPlugin("notes", {
        finish: (session) => {
          errors.push(session.error);
        },
      }),
    ],
  });
  return {
    proxy,
    errors,
    async next(): Promise<Failure | undefined> {
      await eventually("a session's end", () => errors.length > 0);
      return errors.shift();
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** A ClientHello of 1 MiB: more than its extensions' length can say, but no server should read so far. */
function hugeHello(): Uint8Array {
  const padding = Array.from(
    { length: 17 },
    () => [21, new Uint8Array(62_000)] as const,
  );
  const message = clientHello({ names: ["a.test"], extensions: padding });
  return inRecords(message, new Array(70).fill(16_384));
}

Deno.test("handshake fires after accept and tells SNI, ALPN, version and cipher", async () => {
  await using s = await tlsSite();
  const seen: (TlsFacts | undefined)[] = [];
  const tracer = new Tracer();
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: s.certificates } },
    products: HELLO,
    plugins: [
      tracer.plugin,
      handlersPlugin("looks", {
        accept: (session) => {
          seen.push(session.tls);
        },
        handshake: (session) => {
          seen.push(session.tls);
        },
      }),
    ],
  });
  {
    using client = await connectTls(proxy.port(), {
      ca: s.ca.cert,
      name: "exact.w.test",
      alpn: ["h2", "http/1.1"],
    });
    await client.get();
  }
  await tracer.seen("finish");
  assertEquals(tracer.take().slice(0, 3), [
    "accept",
    "handshake",
    "transactionStart",
  ]);
  assertEquals(seen, [undefined, {
    serverName: "exact.w.test",
    // h2 is not there yet: it is not offered.
    alpn: "http/1.1",
    version: "TLSv1.3",
    cipher: "TLS_AES_256_GCM_SHA384",
    clientCertificate: undefined,
  }]);
});

Deno.test("a handler at handshake closes the connection before a request is read", async () => {
  await using s = await tlsSite();
  const tracer = new Tracer();
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: s.certificates } },
    products: HELLO,
    plugins: [
      tracer.plugin,
      handlersPlugin("refuses", ({ verdict }) => ({
        handshake: () => verdict.close,
      })),
    ],
  });
  using client = await connectTls(proxy.port(), { ca: s.ca.cert });
  assert(await client.ended());
  await tracer.seen("finish");
  assertEquals(tracer.take(), ["accept", "handshake", "finish"]);
});

for (const { name, plugins } of RUNTIMES) {
  Deno.test(`${name}: ALPN that the client asks for in vain ends the handshake`, async () => {
    await using s = await tlsSite();
    await using t = await noting(s.single, { plugins });
    await assertRejects(
      () => connectTls(t.proxy.port(), { ca: s.ca.cert, alpn: ["h2"] }),
      Error,
      // RFC 7301 section 3.2.
      "NoApplicationProtocol",
    );
    assertEquals((await t.next())?.code, "tls_handshake_failed");
  });

  Deno.test(`${name}: garbage, HTTP and half a hello end with their reason, counted`, async () => {
    await using s = await tlsSite();
    await using t = await noting(s.single, { plugins });
    const hello = await realClientHello("exact.w.test");
    const attempts = {
      garbage: crypto.getRandomValues(new Uint8Array(1_000)).fill(0xff, 0, 1),
      http: "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      half: hello.subarray(0, hello.length >> 1),
      nothing: "",
    };
    for (const [what, bytes] of Object.entries(attempts)) {
      const client = await RawClient.connect(t.proxy.port());
      await client.send(bytes);
      await client.halfClose();
      await client.end();
      const error = await t.next();
      const cut = what === "half" || what === "nothing";
      assertEquals([what, error?.code, error?.side], [
        what,
        cut ? "tls_handshake_failed" : "not_tls",
        "client",
      ]);
      const reason = cut ? "left within" : "no TLS";
      assert(error!.message.includes(reason), `${what}: ${error!.message}`);
      if (what === "http" && name === "node:tls") {
        const [answer] = client.parse();
        assertEquals(answer?.status, 400);
        assert(answer!.body.includes("https://"));
      } else {
        assert(!client.received.includes("HTTP/1.1"), client.received);
      }
      await client.closed();
    }
    const { metrics } = await t.proxy.report();
    for (const result of ["tls_handshake_failed", "not_tls"]) {
      const labels = { listener: "web", result };
      const name = "headrace_tls_handshakes_total";
      assertEquals(metricValue(metrics, name, labels), 2);
    }
  });

  Deno.test(`${name}: a hello of 1 MiB is refused before it is all there`, async () => {
    await using s = await tlsSite();
    await using t = await noting(s.single, { plugins });
    const client = await RawClient.connect(t.proxy.port());
    await client.send(hugeHello());
    await client.end();
    assertEquals((await t.next())?.code, "tls_handshake_failed");
    await client.closed();
  });

  Deno.test(`${name}: a hello in single bytes is read like a whole one`, async () => {
    await using s = await tlsSite();
    await using t = await noting(s.single, { plugins });
    const client = await RawClient.connect(t.proxy.port());
    for (const byte of await realClientHello("exact.w.test")) {
      await client.send(Uint8Array.of(byte));
    }
    // A ServerHello or an alert on the key share: either way it was read.
    await client.until("an answer", () => client.received.length > 0);
    await client.closed();
    assertEquals((await t.next())?.code, "tls_handshake_failed");
  });

  Deno.test(`${name}: a handshake that does not go on ends after timeouts.handshake`, async () => {
    await using s = await tlsSite();
    await using t = await noting(s.certificates, {
      plugins,
      listener: { timeouts: { handshake: "100ms" } },
    });
    const hello = await realClientHello("exact.w.test");
    for (const bytes of [hello.subarray(0, 0), hello.subarray(0, 50)]) {
      const client = await RawClient.connect(t.proxy.port());
      await client.send(bytes);
      const error = await t.next();
      assertEquals(error?.code, "tls_handshake_timeout");
      // Deno's own listener lets such a connection go only when its client does.
      if (name === "node:tls") await client.end();
      assertEquals(error?.message, "No TLS handshake within 100 ms");
      await client.closed();
    }
  });
}

Deno.test("strictSni: names that no certificate covers, and none at all, are refused with their reason", async () => {
  await using s = await tlsSite();
  await using t = await noting(s.certificates, {
    plugins: [],
    listener: {
      tls: { certificates: s.certificates, strictSni: true },
    },
  });
  const port = t.proxy.port();
  for (const name of ["exact.w.test", "x.w.test", "default.test"]) {
    using client = await connectTls(port, { ca: s.ca.cert, name });
    assertEquals((await client.get()).status, 200);
    client.close();
    assertEquals(await t.next(), undefined);
  }
  const stranger = connectTls(port, { ca: s.ca.cert, name: "stranger.test" });
  // The alert of RFC 6066 section 3.
  await assertRejects(() => stranger, Error, "UnrecognisedName");
  const error = await t.next();
  assertEquals([error?.code, error?.message], [
    "tls_name_unknown",
    'No certificate covers the name "stranger.test"',
  ]);
  await assertRejects(async () => {
    using nameless = await connectTls(port, { ca: s.ca.cert });
    await nameless.get();
  });
  assertEquals((await t.next())?.code, "tls_name_unknown");
});

Deno.test("verifyHost: 421 where the certificate that SNI chose does not cover the Host", async () => {
  await using s = await tlsSite();
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: s.certificates, verifyHost: true } },
    products: HELLO,
  });
  using wild = await connectTls(proxy.port(), {
    ca: s.ca.cert,
    name: "x.w.test",
  });
  const statuses: number[] = [];
  for (
    const host of [
      "x.w.test",
      "Y.W.test:8443",
      "default.test",
      "w.test",
      "a.b.w.test",
      "127.0.0.1",
    ]
  ) statuses.push((await wild.get("/", host)).status);
  assertEquals(statuses, [200, 200, 421, 421, 421, 421]);
  // Without a name the default certificate's names count, addresses too.
  using nameless = await connectTls(proxy.port(), { ca: s.ca.cert });
  assertEquals((await nameless.get("/", "127.0.0.1")).status, 200);
  assertEquals((await nameless.get("/", "default.test")).status, 200);
  assertEquals((await nameless.get("/", "x.w.test")).status, 421);
});

Deno.test("TLS on an HTTP port is a 400 whose reason says TLS", async () => {
  const errors: (Failure | undefined)[] = [];
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [handlersPlugin("notes", {
      requestFinish: () => {},
      finish: (session) => {
        errors.push(session.error);
      },
      transactionClose: (transaction) => {
        errors.push(transaction.error);
      },
    })],
  });
  const client = await RawClient.connect(proxy.port());
  await client.send(await realClientHello("a.test"));
  const response = await client.response();
  assertEquals(response.status, 400);
  await client.closed();
  await eventually("its error", () => errors.length > 0);
  assertEquals(errors[0]?.code, "bad_request");
  assert(errors[0]!.message.includes("TLS"), errors[0]!.message);
});

Deno.test("a rule on TLS facts sees them, whatever runtime would do without it", async () => {
  await using s = await tlsSite();
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: s.certificates } },
    products: [{
      name: "p",
      default: true,
      rules: [
        {
          when: 'ses_tls_sni_in("exact.w.test")',
          respond: { status: 200, body: "exact" },
        },
        { respond: { status: 200, body: "other" } },
      ],
    }],
  });
  const ask = async (name: string) => {
    using client = await connectTls(proxy.port(), { ca: s.ca.cert, name });
    return (await client.get()).text;
  };
  assertEquals(await ask("exact.w.test"), "exact");
  assertEquals(await ask("x.w.test"), "other");
});

Deno.test("sessions of a listener without TLS have no facts and fire no handshake", async () => {
  const tracer = new Tracer();
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [tracer.plugin, READS_TLS],
  });
  const client = await RawClient.connect(proxy.port());
  await client.closed();
  await tracer.seen("finish");
  assertEquals(tracer.take(), ["accept", "finish"]);
});
