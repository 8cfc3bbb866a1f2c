/**
 * Random traffic through the cache, with purges, reloads, ranges and clients
 * that leave: every body must be the one that its fields tell of.
 *
 *     HEADRACE_CACHE_SECONDS=3600 HEADRACE_CACHE_RATE=15 HEADRACE_CACHE_DISK=64MiB \
 *       deno test -A --frozen tests/long/cache_traffic.ts
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { HttpClient } from "../support/http_client.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { startProxy } from "../support/proxy.ts";
import { configWith } from "../support/proxy_with.ts";

/** How long it goes on, in seconds. */
const SECONDS = Number(Deno.env.get("HEADRACE_CACHE_SECONDS") ?? "30");
/** Requests of each client a second; as many as it can unless it is given. */
const RATE = Number(Deno.env.get("HEADRACE_CACHE_RATE") ?? "Infinity");
const WORKERS = Number(Deno.env.get("HEADRACE_CACHE_WORKERS") ?? "2");
/** Bytes on disk beside those in memory, as the config says them; left out = none. */
const DISK = Deno.env.get("HEADRACE_CACHE_DISK");
const PATHS = 60;
const CLIENTS = 16;

/** Seconds between two lines of what came so far, where it takes long. */
const TOLD = 60;

/** Bytes that tell of their path, version and place. */
function bodyOf(path: string, version: number): Uint8Array<ArrayBuffer> {
  const seed = Number(path.slice(1)) * 7919 + version * 104_729;
  const length = seed % 5 === 0 ? 300_000 + seed % 90_000 : seed % 9000;
  const body = new Uint8Array(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    body[i] = state >>> 24;
  }
  return body;
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

Deno.test(`no body is wrong in ${SECONDS} s of random traffic`, async () => {
  let version = 1;
  await using backend = serveHttpBackend((request) => {
    const { pathname } = new URL(request.url);
    const own = version;
    const headers: Record<string, string> = {
      etag: `"${own}"`,
      "x-version": `${own}`,
      "cache-control": Number(pathname.slice(1)) % 7 === 0
        ? "no-store"
        : "max-age=1, stale-while-revalidate=1",
    };
    if (request.method !== "GET") return new Response(null, { headers });
    if (request.headers.get("if-none-match") === headers["etag"]) {
      return new Response(null, { status: 304, headers });
    }
    const body = bodyOf(pathname, own);
    const range = /^bytes=(\d+)-(\d*)$/.exec(
      request.headers.get("range") ?? "",
    );
    const condition = request.headers.get("if-range");
    const start = Number(range?.[1]);
    if (
      range !== null && start < body.length &&
      (condition === null || condition === headers["etag"])
    ) {
      const last = Math.min(
        Number(range[2] || body.length - 1),
        body.length - 1,
      );
      headers["content-range"] = `bytes ${start}-${last}/${body.length}`;
      const part = body.slice(start, last + 1);
      return new Response(part, { status: 206, headers });
    }
    // Some come in chunks, and slowly.
    if (Number(pathname.slice(1)) % 3 !== 0) {
      return new Response(body, { headers });
    }
    let at = 0;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        if (at >= body.length) return controller.close();
        await delay(1);
        controller.enqueue(body.slice(at, at += 20_000));
      },
    });
    return new Response(stream, { headers });
  });
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const configs = ["1s", "2s"].map((negative) =>
    configWith({
      backends: [backend.url],
      workers: WORKERS,
      cache: {
        memory: "4MiB",
        purgeFrom: ["127.0.0.1"],
        rules: [{ when: "default_t()", negative }],
        ...(DISK !== undefined && {
          disk: { path: `${folder}/cache`, size: DISK },
        }),
      },
    })
  );
  const proxy = stack.use(await startProxy(configs[0]!));
  const end = performance.now() + SECONDS * 1000;
  let answers = 0;
  const wrong: string[] = [];
  const random = (below: number) => Math.floor(Math.random() * below);

  const ask = async () => {
    let client = await HttpClient.connect(proxy.port());
    while (performance.now() < end) {
      if (RATE < Infinity) await delay(random(2_000 / RATE));
      const path = `/${Math.min(random(PATHS), random(PATHS))}`;
      const kind = random(100);
      const method = kind === 0 ? "PURGE" : kind === 1 ? "POST" : "GET";
      const range = kind > 80
        ? `Range: bytes=${random(3000)}-${
          random(2) === 0 ? "" : 3000 + random(9000)
        }\r\n`
        : "";
      await client.send(
        `${method} ${path} HTTP/1.1\r\nHost: a\r\n${range}${
          method === "POST" ? "Content-Length: 0\r\n" : ""
        }\r\n`,
      );
      if (kind === 2) {
        client.close();
        client = await HttpClient.connect(proxy.port());
        continue;
      }
      const { status, headers, body } = await client.response();
      answers++;
      if (method !== "GET" || status === 416) continue;
      const own = Number(headers.get("x-version"));
      const whole = bodyOf(path, own);
      const said = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(
        headers.get("content-range") ?? "",
      );
      const expected = status === 206
        ? whole.subarray(Number(said?.[1]), Number(said?.[2]) + 1)
        : whole;
      const right = (status === 200 || status === 206) &&
        body.length === expected.length &&
        body.every((byte, i) => byte === expected[i]);
      if (!right) {
        wrong.push(
          `${path} ${status} v${own} ${range} ${headers.get("cache-status")}`,
        );
      }
    }
    client.close();
  };
  const disturb = async () => {
    while (performance.now() < end) {
      await delay(150);
      version++;
      if (version % 10 === 0) await proxy.reload(configs[version / 10 % 2]!);
    }
  };
  const tell = async () => {
    const { cache } = await proxy.report();
    console.log({
      answers,
      wrong: wrong.length,
      asked: backend.requests,
      cache,
    });
  };
  const telling = setInterval(tell, TOLD * 1_000);
  await Promise.all([disturb(), ...Array.from({ length: CLIENTS }, ask)]);
  clearInterval(telling);
  await tell();
  assertEquals(wrong, []);
});
