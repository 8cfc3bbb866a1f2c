/**
 * TLS on listeners: certificates by name, real clients, handshakes that fail.
 *
 * @module
 */
import { handlersPlugin } from "../support/inline_plugin.ts";
import { connect } from "node:tls";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import { serveEach } from "../support/scripted_backend.ts";
import { splittingRelay } from "../support/splitting_relay.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { connectTls, hasProgram, run } from "../support/tls_client.ts";
import { HELLO, RUNTIMES, tlsSite } from "../support/tls_site.ts";

for (const { name, plugins } of RUNTIMES) {
  Deno.test(`${name}: a request over TLS, kept alive, with https as its scheme`, async () => {
    await using s = await tlsSite();
    const schemes: string[] = [];
    await using proxy = await startProxyWith({
      listener: { tls: { certificates: s.single } },
      products: HELLO,
      plugins: [
        ...plugins,
        handlersPlugin("notes", {
          foundProduct: (request) => {
            schemes.push(request.scheme);
          },
        }),
      ],
    });
    const { listeners } = await proxy.report();
    assertEquals(listeners[0]?.tls?.runtime, name);
    using client = await connectTls(proxy.port(), { ca: s.ca.cert });
    for (let i = 0; i < 3; i++) {
      const response = await client.get("/");
      assertEquals([response.status, response.text], [200, "hello\n"]);
    }
    assertEquals(schemes, ["https", "https", "https"]);
  });

  Deno.test(`${name}: a hello that comes in pieces is served like a whole one`, async () => {
    await using s = await tlsSite();
    await using proxy = await startProxyWith({
      listener: { tls: { certificates: s.single } },
      products: HELLO,
      plugins,
    });
    for (const at of [1, 3, 5, 6, 50, 200]) {
      await using relay = splittingRelay(proxy.port(), at);
      using client = await connectTls(relay.port, {
        ca: s.ca.cert,
        name: "exact.w.test",
      });
      assertEquals([at, (await client.get()).status], [at, 200]);
    }
  });

  Deno.test(`${name}: a body of 5 MB goes both ways as it is`, async () => {
    await using s = await tlsSite();
    await using backend = serveEach(async (connection, request) => {
      const length = Number(request.headers.get("content-length"));
      await connection.respond(200, await connection.body(length));
    });
    await using proxy = await startProxyWith({
      listener: { tls: { certificates: s.single } },
      backends: [backend.url],
      plugins,
    });
    const body = Array.from(
      { length: 5_000_000 },
      (_, i) => String.fromCharCode(97 + i % 26),
    ).join("");
    using client = await connectTls(proxy.port(), { ca: s.ca.cert });
    const sent = client.send(
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const response = await client.response();
    await sent;
    assert(response.text === body);
  });

  Deno.test(`${name}: the end is said in TLS, whoever begins it`, async () => {
    await using s = await tlsSite();
    const errors: (string | undefined)[] = [];
    await using proxy = await startProxyWith({
      listener: { tls: { certificates: s.single } },
      products: HELLO,
      plugins: [
        ...plugins,
        handlersPlugin("notes", {
          finish: (session) => {
            errors.push(session.error?.code);
          },
        }),
      ],
    });
    const port = proxy.port();
    {
      // Deno's client throws UnexpectedEof where close_notify is missing.
      using client = await connectTls(port, { ca: s.ca.cert });
      await client.send(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      );
      await client.response();
      await client.end();
    }
    {
      using client = await connectTls(port, { ca: s.ca.cert });
      await client.get();
      await (client.conn as Deno.TlsConn).closeWrite();
      await client.end();
    }
    // Without a word, as many clients do.
    await abruptly(port, s.ca.cert);
    await eventually("three ends", () => errors.length === 3);
    assertEquals(errors, [undefined, undefined, undefined]);
  });
}

/** A client that asks once and leaves without ending TLS. */
async function abruptly(port: number, ca: string): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", ca });
  await new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("secureConnect", resolve);
  });
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await new Promise((resolve) => socket.once("data", resolve));
  socket.destroy();
}

Deno.test("the certificate is the exact name's, else the wildcard's, else the first", async () => {
  await using s = await tlsSite();
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: s.certificates } },
    products: HELLO,
  });
  // A client that is sure of its name takes a certificate that covers it only.
  const ask = async (name?: string) => {
    using client = await connectTls(proxy.port(), {
      ca: s.ca.cert,
      ...(name !== undefined && { name }),
    });
    return (await client.get()).status;
  };
  for (const name of ["exact.w.test", "other.w.test", "default.test"]) {
    assertEquals([name, await ask(name)], [name, 200]);
  }
  assertEquals(await ask(), 200);
  // A wildcard stands for one label (RFC 9525 section 6.3).
  for (const name of ["a.b.w.test", "w.test", "stranger.test"]) {
    await assertRejects(() => ask(name), Error, "not valid for name");
  }
});

Deno.test({
  name: "curl and openssl against three names on one port",
  ignore: !hasProgram("curl") || !hasProgram("openssl"),
  fn: async () => {
    await using s = await tlsSite();
    await using proxy = await startProxyWith({
      listener: { tls: { certificates: s.certificates } },
      products: HELLO,
    });
    const port = proxy.port();
    const subjectOf = async (...args: string[]) => {
      const { out } = await run("openssl", [
        "s_client",
        "-connect",
        `127.0.0.1:${port}`,
        ...args,
      ]);
      return /subject=CN = (\w+)/.exec(out)?.[1];
    };
    assertEquals(await subjectOf("-servername", "exact.w.test"), "exact");
    assertEquals(await subjectOf("-servername", "EXACT.W.TEST"), "exact");
    assertEquals(await subjectOf("-servername", "x.w.test"), "wild");
    assertEquals(await subjectOf("-servername", "x.y.w.test"), "default");
    assertEquals(await subjectOf("-servername", "nobody.test"), "default");
    assertEquals(await subjectOf("-noservername"), "default");
    assertEquals(
      await subjectOf("-servername", "x.w.test", "-tls1_2"),
      "wild",
    );
    for (const host of ["exact.w.test", "x.w.test", "default.test"]) {
      const { code, out } = await run("curl", [
        "-sS",
        "--http1.1",
        "--cacert",
        `${s.folder}/ca.crt`,
        "--resolve",
        `${host}:${port}:127.0.0.1`,
        `https://${host}:${port}/`,
      ]);
      assertEquals([code, out], [0, "hello\n"]);
    }
  },
});
