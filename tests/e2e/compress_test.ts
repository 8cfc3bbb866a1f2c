/**
 * The compress plugin before real clients and decoders.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import { assert, assertEquals } from "../support/assert.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { type ClientResponse, HttpClient } from "../support/http_client.ts";
import { startProxyWith } from "../support/proxy_with.ts";

const TEXT = "Headrace compresses text. ".repeat(400);

const DECODERS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  gzip: (bytes) => zlib.gunzipSync(bytes),
  br: (bytes) => zlib.brotliDecompressSync(bytes),
  zstd: (bytes) => zlib.zstdDecompressSync(Buffer.from(bytes)),
};

async function ask(
  port: number,
  fields: Record<string, string>,
  method = "GET",
): Promise<ClientResponse> {
  using client = await HttpClient.connect(port);
  const lines = Object.entries(fields).map(([n, v]) => `${n}: ${v}\r\n`);
  await client.send(`${method} / HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n`);
  return await client.response({ head: method === "HEAD" });
}

const PLUGIN = { use: "builtin:compress" };

Deno.test("compress: each coding decodes to what the backend sent, by the client's wish", async () => {
  await using backend = serveHttpBackend(() =>
    new Response(TEXT, {
      headers: { "content-type": "text/plain", etag: '"v1"' },
    })
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [PLUGIN],
  });
  const wishes: [string, string | null][] = [
    ["gzip", "gzip"],
    ["x-gzip", "gzip"],
    ["br", "br"],
    ["zstd", "zstd"],
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip;q=1, br;q=0.5", "gzip"],
    ["zstd;q=0, br;q=0, gzip;q=0.1", "gzip"],
    ["*", "zstd"],
    ["*;q=0, gzip", "gzip"],
    ["identity, gzip;q=0.5", null],
    ["deflate", null],
    ["gzip;q=0", null],
    ["gzip;q=nonsense", null],
    ["", null],
  ];
  for (const [wish, coding] of wishes) {
    const { headers, body } = await ask(proxy.port(), {
      "accept-encoding": wish,
    });
    assertEquals(headers.get("content-encoding"), coding, wish);
    assertEquals(headers.get("vary"), "Accept-Encoding");
    assertEquals(headers.get("etag"), coding === null ? '"v1"' : 'W/"v1"');
    const plain = coding === null ? body : DECODERS[coding]!(body);
    assertEquals(new TextDecoder().decode(plain), TEXT, wish);
    if (coding !== null) assert(body.length < TEXT.length / 10);
  }
});

Deno.test("compress: a 304 has the ETag and the Vary of what the client has", async () => {
  for (const cache of [undefined, {}]) {
    await using backend = serveHttpBackend(({ headers }) =>
      headers.has("if-none-match")
        ? new Response(null, { status: 304, headers: { etag: '"v1"' } })
        : new Response(TEXT, {
          headers: {
            "content-type": "text/plain",
            "cache-control": "max-age=60",
            etag: '"v1"',
          },
        })
    );
    await using proxy = await startProxyWith({
      backends: [backend.url],
      plugins: [PLUGIN],
      ...cache && { cache },
    });
    for (
      const [wish, tag] of [["gzip", 'W/"v1"'], ["identity", '"v1"']] as const
    ) {
      const first = await ask(proxy.port(), { "accept-encoding": wish });
      assertEquals([first.status, first.headers.get("etag")], [200, tag]);
      const again = await ask(proxy.port(), {
        "accept-encoding": wish,
        "if-none-match": `"other", ${tag}`,
      });
      assertEquals([again.status, again.headers.get("etag")], [304, tag]);
      if (wish === "gzip") {
        assertEquals(again.headers.get("vary"), "Accept-Encoding");
      }
    }
  }
});

Deno.test("compress: leaves alone what does not gain, is coded, is a part, or must not change", async () => {
  await using backend = serveHttpBackend((request) => {
    const { headers } = request;
    const status = Number(headers.get("x-status") ?? 200);
    return new Response(status === 304 ? null : headers.get("x-body") ?? TEXT, {
      status,
      headers: {
        "content-type": headers.get("x-type") ?? "text/html; charset=utf-8",
        ...(headers.has("x-coding") &&
          { "content-encoding": headers.get("x-coding")! }),
        ...(headers.has("x-cc") && { "cache-control": headers.get("x-cc")! }),
      },
    });
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [PLUGIN],
  });
  const cases: Record<string, string>[] = [
    { "x-type": "image/png" },
    { "x-body": "short" },
    { "x-status": "206" },
    { "x-coding": "deflate" },
    { "x-cc": "no-transform" },
    { "cache-control": "no-transform" },
  ];
  for (const fields of cases) {
    const { headers, text } = await ask(proxy.port(), {
      "accept-encoding": "gzip",
      ...fields,
    });
    assertEquals(
      headers.get("content-encoding"),
      fields["x-coding"] ?? null,
      JSON.stringify(fields),
    );
    assertEquals(text, fields["x-body"] ?? TEXT);
  }
});

Deno.test("compress: HEAD tells what GET would, without a body", async () => {
  await using backend = serveHttpBackend((request) =>
    new Response(request.method === "HEAD" ? null : TEXT, {
      headers: { "content-type": "text/plain", "content-length": "10400" },
    })
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [PLUGIN],
  });
  const { headers } = await ask(proxy.port(), {
    "accept-encoding": "gzip",
  }, "HEAD");
  assertEquals(
    ["content-encoding", "vary", "content-length"].map((n) => headers.get(n)),
    ["gzip", "Accept-Encoding", null],
  );
});

Deno.test("compress: behind https a response to who has credentials is left alone, unless it is public", async () => {
  await using backend = serveHttpBackend((request) =>
    new Response(TEXT, {
      headers: {
        "content-type": "text/plain",
        ...(request.headers.has("x-public") &&
          { "cache-control": "public, max-age=1" }),
      },
    })
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: { trusted: ["127.0.0.0/8"] },
    plugins: [PLUGIN],
  });
  const cases: [Record<string, string>, string | null][] = [
    [{ cookie: "a=1" }, "gzip"],
    [{ "x-forwarded-proto": "https" }, "gzip"],
    [{ "x-forwarded-proto": "https", cookie: "a=1" }, null],
    [{ "x-forwarded-proto": "https", authorization: "Basic eA==" }, null],
    [{ "x-forwarded-proto": "https", cookie: "a=1", "x-public": "1" }, "gzip"],
  ];
  for (const [fields, coding] of cases) {
    const { headers } = await ask(proxy.port(), {
      "accept-encoding": "gzip",
      ...fields,
    });
    assertEquals(headers.get("content-encoding"), coding);
  }
});

Deno.test("compress: server-sent events arrive one by one", async () => {
  const next = Promise.withResolvers<void>();
  await using backend = serveHttpBackend(() => {
    const encoder = new TextEncoder();
    return new Response(
      new ReadableStream({
        async start(controller) {
          controller.enqueue(encoder.encode("data: 1\n\n"));
          await next.promise;
          controller.enqueue(encoder.encode("data: 2\n\n"));
          controller.close();
        },
      }),
      { headers: { "content-type": "text/event-stream" } },
    );
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [PLUGIN],
  });
  for (const coding of ["gzip", "br"]) {
    // fetch decodes what it gets as it gets it.
    const response = await fetch(proxy.url(), {
      headers: { "accept-encoding": coding },
    });
    const reader = response.body!.pipeThrough(new TextDecoderStream())
      .getReader();
    let text = "";
    while (!text.includes("data: 1")) text += (await reader.read()).value;
    next.resolve();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
    }
    assertEquals(text, "data: 1\n\ndata: 2\n\n");
  }
});
