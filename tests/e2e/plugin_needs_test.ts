/**
 * Plugins that read facts of TLS by variables or conditions: their listener runs
 * where these are told; and the lengths that they say of their bodies.
 *
 * @module
 */
import { assertEquals, assertRejects } from "../support/assert.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { connectTls } from "../support/tls_client.ts";
import { HELLO, tlsSite } from "../support/tls_site.ts";

const NEEDS: readonly (readonly [string, object, string])[] = [
  ["nothing", { set: { "X-TLS": "%{tls_alpn}" } }, "listenTls"],
  ["a variable", { set: { "X-TLS": "%{tls_version} %{tls_sni}" } }, "node:tls"],
];

for (const [what, response, runtime] of NEEDS) {
  Deno.test(`a listener whose plugin needs ${what} runs on ${runtime}`, async () => {
    await using s = await tlsSite();
    await using proxy = await startProxyWith({
      listener: { tls: { certificates: s.single } },
      products: HELLO,
      plugins: [{
        use: "builtin:headers",
        products: ["p"],
        options: { response },
      }],
    });
    const { listeners } = await proxy.report();
    assertEquals(listeners[0]?.tls?.runtime, runtime);
    using client = await connectTls(proxy.port(), {
      ca: s.ca.cert,
      name: "exact.w.test",
    });
    const { headers } = await client.get("/", "exact.w.test");
    assertEquals(
      headers.get("x-tls"),
      runtime === "node:tls" ? "TLSv1.3 exact.w.test" : null,
    );
  });
}

Deno.test("a listener whose plugin asks a condition for TLS runs on node:tls", async () => {
  await using s = await tlsSite();
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: s.single } },
    products: HELLO,
    plugins: [{
      use: "builtin:tag",
      options: {
        rules: [{ when: 'ses_tls_sni_in("a.test")', tags: { a: "b" } }],
      },
    }],
  });
  const { listeners } = await proxy.report();
  assertEquals(listeners[0]?.tls?.runtime, "node:tls");
});

/** A proxy whose plugin answers with a file of 200 000 bytes from 100 000 on. */
function serveFile(path: string, length?: number) {
  return startProxyWith({
    products: HELLO,
    plugins: [
      handlersPlugin("file", ({ verdict }) => ({
        async foundProduct() {
          const body = await Deno.open(path);
          await body.seek(100_000, Deno.SeekMode.Start);
          return verdict.respond({
            status: 200,
            body,
            ...length !== undefined && { length },
          });
        },
      })),
    ],
  });
}

const FILE_ROWS: readonly (readonly [number | undefined, number, boolean])[] = [
  [undefined, 100_000, true],
  [100_000, 100_000, true],
  [7, 7, true],
  [0, 0, true],
  [100_001, 100_000, false],
];

for (const [length, sent, whole] of FILE_ROWS) {
  Deno.test(`a file of which ${length ?? "no"} bytes are announced`, async () => {
    const path = await Deno.makeTempFile();
    try {
      const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
      await Deno.writeFile(path, bytes);
      await using proxy = await serveFile(path, length);
      using client = await HttpClient.connect(proxy.port());
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      if (!whole) {
        await assertRejects(() => client.response());
        return;
      }
      const { headers, body } = await client.response();
      assertEquals(
        headers.get("content-length"),
        length === undefined ? null : String(length),
      );
      assertEquals(body, bytes.subarray(100_000, 100_000 + sent));
      // HEAD is told the same and closes the file too.
      await client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
      const head = await client.response({ head: true });
      assertEquals(
        head.headers.get("content-length"),
        length === undefined ? null : String(length),
      );
    } finally {
      await Deno.remove(path);
    }
  });
}

Deno.test("a file is closed where its client leaves", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.truncate(path, 50 << 20);
    await using proxy = await serveFile(path, 40 << 20);
    using client = await HttpClient.connect(proxy.port());
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.conn.read(new Uint8Array(1_000));
    client.close();
    await proxy.supervisor.drain();
  } finally {
    await Deno.remove(path);
  }
});
