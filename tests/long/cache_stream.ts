/**
 * An object far larger than the cache's memory: through it while it is stored,
 * beside it for one who comes later, and from the disk. What that costs in
 * memory. Linux only, as it reads `/proc`.
 *
 * `HEADRACE_CACHE_GB` sets its size.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { assert, assertEquals } from "../support/assert.ts";
import { writeAll } from "../support/byte_streams.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { startHeadrace } from "../support/headrace_process.ts";
import { bodyOf } from "../support/stored_bodies.ts";

const GB = Number(Deno.env.get("HEADRACE_CACHE_GB") ?? "5");
const PIECE = 1 << 20;
const PIECES = Math.ceil(GB * 1e9 / PIECE);
const SIZE = PIECES * PIECE;

/** Resident memory may grow by so many bytes beyond what it is before: the cache's memory is 64 MiB. */
const MAX_GROWTH = 128 << 20;

/** Sends the object to whoever asks: its pieces differ by their first bytes. */
function serveObject() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let requests = 0;
  const serve = async (conn: Deno.Conn) => {
    const buffer = new Uint8Array(4096);
    if (await conn.read(buffer) === null) return conn.close();
    requests++;
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n` +
      `Cache-Control: max-age=86400\r\nETag: "one"\r\n\r\n`;
    await writeAll(conn, new TextEncoder().encode(head));
    const piece = bodyOf(1, PIECE).slice();
    for (let i = 0; i < PIECES; i++) {
      new DataView(piece.buffer).setUint32(0, i);
      await writeAll(conn, piece);
    }
    // The proxy closes.
    await conn.read(buffer).catch(() => null);
    conn.close();
  };
  const done = (async () => {
    for await (const conn of listener) {
      serve(conn).catch(() => conn.close());
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    get requests() {
      return requests;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await done;
    },
  };
}

/** The checksum of its bytes from `start` to before `end`, which lie on pieces. */
function checksum(start: number, end: number): number {
  const piece = bodyOf(1, PIECE).slice();
  let sum = 0;
  for (let i = start / PIECE; i < end / PIECE; i++) {
    new DataView(piece.buffer).setUint32(0, i);
    sum = crc32(piece, sum);
  }
  return sum;
}

interface Download {
  readonly cache: string;
  readonly bytes: number;
  readonly sum: number;
  readonly seconds: number;
}

/** Gets it and keeps nothing of it; rests a moment after so many bytes each, where that is said. */
async function download(
  port: number,
  { range = "", restEvery = Infinity }: {
    readonly range?: string;
    readonly restEvery?: number;
  } = {},
): Promise<Download> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const began = performance.now();
  await writeAll(
    conn,
    new TextEncoder().encode(
      `GET /object HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${range}\r\n`,
    ),
  );
  const buffer = new Uint8Array(PIECE);
  let head = "";
  let bytes = 0;
  let sum = 0;
  let rest = restEvery;
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) break;
    let from = 0;
    if (!head.includes("\r\n\r\n")) {
      const text = new TextDecoder("latin1").decode(buffer.subarray(0, count));
      const end = (head + text).indexOf("\r\n\r\n");
      from = end < 0 ? count : end + 4 - head.length;
      head += text.slice(0, from);
    }
    sum = crc32(buffer.subarray(from, count), sum);
    bytes += count - from;
    if (bytes < rest) continue;
    rest += restEvery;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const cache = /cache-status: (.*)\r\n/i.exec(head)?.[1] ?? "";
  return { cache, bytes, sum, seconds: (performance.now() - began) / 1000 };
}

Deno.test(`${GB} GB stream through 64 MiB and a disk without growth`, async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const [port, admin] = freePorts(2) as [number, number];
  try {
    await using backend = serveObject();
    const config = `${folder}/proxy.yaml`;
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        listeners: [{ name: "web", address: `127.0.0.1:${port}` }],
        clusters: [{
          name: "main",
          backends: [{ url: `http://127.0.0.1:${backend.port}` }],
        }],
        cache: {
          memory: "64MiB",
          disk: { path: "./cache", size: Math.ceil(SIZE * 2.2) },
        },
        admin: { address: `127.0.0.1:${admin}` },
        workers: 1,
      }),
    );
    await using headrace = startHeadrace(["--config", config]);
    await headrace.wrote("disk is in use");
    const before = await memoryOf(headrace.pid);
    let most = before;
    let watching = true;
    const watch = (async () => {
      while (watching) {
        most = Math.max(most, await memoryOf(headrace.pid));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    const whole = checksum(0, SIZE);
    const show = (name: string, { cache, bytes, seconds }: Download) => {
      const rate = `${Math.round(bytes / seconds / 1e6)} MB/s`;
      const growth = `${Math.round((most - before) / 2 ** 20)} MiB`;
      console.log({ name, cache, bytes, rate, growth });
    };

    const first = download(port);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // Reads from the disk what the first one has long had.
    const second = download(port, { restEvery: 64 << 20 });
    for (const [name, one] of [["cold", first], ["joined", second]] as const) {
      const got = await one;
      show(name, got);
      assertEquals([got.bytes, got.sum], [SIZE, whole]);
    }
    await eventually("the entry", async () => {
      const response = await fetch(`http://127.0.0.1:${admin}/api/cache`);
      return (await response.json()).disk.entries === 1;
    });
    const hit = await download(port);
    show("hit", hit);
    assertEquals([hit.bytes, hit.sum], [SIZE, whole]);
    assert(hit.cache.includes("hit"));
    const [from, to] = [SIZE - 300 * PIECE, SIZE - 100 * PIECE];
    const range = `Range: bytes=${from}-${to - 1}\r\n`;
    const part = await download(port, { range });
    show("range", part);
    assertEquals([part.bytes, part.sum], [to - from, checksum(from, to)]);
    assertEquals(backend.requests, 1);
    watching = false;
    await watch;
    assert(most - before <= MAX_GROWTH, `${most - before} bytes`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function memoryOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}
