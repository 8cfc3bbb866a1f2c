/**
 * Nothing over TLS waits for an acknowledgement: Nagle's algorithm would hold
 * back the last bytes of messages for some 40 ms.
 */
import { assert, assertEquals } from "../support/assert.ts";
import { HttpClient } from "../support/http_client.ts";
import { median } from "../support/median.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";
import { serveEach } from "../support/scripted_backend.ts";
import { connectTls, run } from "../support/tls_client.ts";
import { RUNTIMES, type TlsSite, tlsSite } from "../support/tls_site.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** One that waits takes 40 ms or more; on a busy machine others take some. */
const STALLED = 20;

/** More than a record of TLS and a segment of the loopback each; and many of both. */
const SIZES = [16 << 10, 300 << 10];

function answering(s: TlsSite, parts: object = {}) {
  return {
    listener: { tls: { certificates: s.single }, ...parts },
    products: [{
      name: "p",
      default: true,
      rules: SIZES.map((size) => ({
        when: `req_path_in("/${size}", false)`,
        respond: { status: 200, body: "x".repeat(size) },
      })),
    }],
  };
}

/** Milliseconds that a request takes, at the median of requests one after another. */
async function medianOf(
  client: HttpClient,
  ask: (client: HttpClient) => Promise<number>,
  count = 25,
): Promise<number> {
  const waits: number[] = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    assertEquals(await ask(client), 200);
    waits.push(performance.now() - began);
  }
  return median(waits);
}

function getting(size: number) {
  return async (client: HttpClient) => {
    const { status, body } = await client.get(`/${size}`);
    assertEquals(body.length, size);
    return status;
  };
}

for (const { name, plugins } of RUNTIMES) {
  Deno.test(`${name}: no answer waits for an acknowledgement`, async () => {
    await using s = await tlsSite();
    await using proxy = await startProxyWith({ ...answering(s), plugins });
    const { listeners } = await proxy.report();
    assertEquals(listeners[0]?.tls?.runtime, name);
    for (const size of SIZES) {
      using client = await connectTls(proxy.port(), { ca: s.ca.cert });
      const wait = await medianOf(client, getting(size));
      assert(wait < STALLED, `${size} bytes: ${wait} ms`);
    }
  });
}

Deno.test("listenTls: each of several workers sets socket.noDelay", async () => {
  await using s = await tlsSite();
  await using proxy = await startProxyWith({ ...answering(s), workers: 2 });
  const size = SIZES[0]!;
  // The kernel spreads them: all of eight meet one worker once in 128 times.
  for (let i = 0; i < 8; i++) {
    using client = await connectTls(proxy.port(), { ca: s.ca.cert });
    const wait = await medianOf(client, getting(size), 9);
    assert(wait < STALLED, `connection ${i}: ${wait} ms`);
  }
});

Deno.test("listenTls: a reload that changes socket.noDelay counts for connections from then on", async () => {
  await using s = await tlsSite();
  const config = (noDelay: boolean) => answering(s, { socket: { noDelay } });
  await using proxy = await startProxyWith(config(false));
  const ask = getting(SIZES[0]!);
  for (const noDelay of [false, true, false]) {
    await proxy.reload(configWith(config(noDelay)));
    using client = await connectTls(proxy.port(), { ca: s.ca.cert });
    const wait = await medianOf(client, ask, 15);
    assertEquals(wait < STALLED, noDelay, `noDelay ${noDelay}: ${wait} ms`);
  }
});

Deno.test("https backend: no upload waits for an acknowledgement", async () => {
  await using s = await tlsSite();
  const identity = await s.ca.issue({ names: [], ips: ["127.0.0.1"] });
  await using backend = serveEach(async (connection, request) => {
    await connection.body(Number(request.headers.get("content-length")));
    await connection.respond(200);
  }, { identity });
  await using proxy = await startProxyWith({
    backends: [backend.url.replace("http:", "https:")],
    cluster: { tls: { ca: `${s.folder}/ca.crt` } },
  });
  for (const size of SIZES) {
    const upload =
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${
        "x".repeat(size)
      }`;
    const conn = await Deno.connect({ port: proxy.port() });
    // The test's own bytes are not to wait either.
    conn.setNoDelay(true);
    using client = new HttpClient(conn);
    const wait = await medianOf(client, async (client) => {
      await client.send(upload);
      return (await client.response()).status;
    });
    assert(wait < STALLED, `${size} bytes: ${wait} ms`);
  }
});

Deno.test("without FFI node:tls serves where socket.noDelay is wanted, and explain says so", async () => {
  await using s = await tlsSite();
  for (
    const [socket, expected] of [
      [
        {},
        "TLS by node:tls: socket.noDelay and keepAlive, which listenTls can't have here: FFI is not allowed",
      ],
      [{ noDelay: false, keepAlive: false }, "TLS by listenTls: nothing needs"],
    ] as const
  ) {
    const file = `${s.folder}/proxy.yaml`;
    const config = answering(s, { address: "127.0.0.1:8443", socket });
    await Deno.writeTextFile(file, configWith(config));
    const { out, err } = await run(Deno.execPath(), [
      "run",
      "--no-prompt",
      "--no-check",
      "--allow-env",
      "--allow-net",
      "--allow-read",
      "--allow-sys",
      "--allow-write",
      MAIN,
      "explain",
      file,
      "https://default.test:8443/",
    ]);
    assert(out.includes(expected), out + err);
  }
});
