/**
 * 1 GiB through each mode, and 1,000 connections: what arrives, what memory and
 * which descriptors they cost. Run with `deno task long`; Linux only,
 * as it reads `/proc`.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { assert, assertEquals } from "../support/assert.ts";
import { patternBytes, readAll } from "../support/byte_streams.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { startHeadrace } from "../support/headrace_process.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { echo, serveTcpBackend } from "../support/tcp_backend.ts";

const GIB = 1 << 30;
const PIECE = 1 << 20;

/** Resident memory may grow by so many bytes (issue 2). */
const MAX_GROWTH = 64 << 20;

/** The pieces of 1 GiB: each differs from the others. */
function* gib(): Generator<Uint8Array<ArrayBuffer>> {
  const piece = patternBytes(PIECE);
  for (let i = 0; i < GIB / PIECE; i++) {
    new DataView(piece.buffer).setUint32(0, i);
    yield piece;
  }
}

let known: string | undefined;

/** The hash of 1 GiB as it is sent. */
function expectedHash(): string {
  if (known === undefined) {
    const hash = createHash("sha256");
    for (const piece of gib()) hash.update(piece);
    known = hash.digest("hex");
  }
  return known;
}

/** 1 GiB as a body; each piece is a copy, as a stream's reader may keep it. */
function gibStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
  const pieces = gib();
  return new ReadableStream({
    pull(controller) {
      const { value, done } = pieces.next();
      if (done) controller.close();
      else controller.enqueue(value.slice());
    },
  }, { highWaterMark: 0 });
}

async function hashOf(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of body ?? []) hash.update(piece);
  return hash.digest("hex");
}

/** A proxy in a process of its own before one backend. */
async function startBefore(
  url: string,
  protocol: "http" | "tcp",
  plugins: readonly object[] = [],
) {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const [port = 0, admin = 0] = freePorts(2);
  const path = `${folder}/proxy.yaml`;
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      listeners: [{
        name: "main",
        address: `127.0.0.1:${port}`,
        protocol,
        ...(protocol === "tcp" && { cluster: "main" }),
      }],
      clusters: [{ name: "main", backends: [{ url }] }],
      plugins,
      admin: { address: `127.0.0.1:${admin}` },
      workers: 1,
    }),
  );
  const process = startHeadrace(["--config", path]);
  await process.wrote("Headrace serves");
  return {
    port,
    pid: process.pid,
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      process.kill("SIGTERM");
      assertEquals(await process.code, 0, process.stderr);
      await process[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Resident bytes of a process. */
function resident(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

function descriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** By how many bytes resident memory grows at most while `work` runs. */
async function growthDuring(
  pid: number,
  work: () => Promise<void>,
): Promise<number> {
  const before = resident(pid);
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, resident(pid));
  }, 50);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, resident(pid)) - before;
}

function check(what: string, growth: number, started: number): void {
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${what}: ${seconds.toFixed(1)} s, resident memory grew by ${
      (growth / (1 << 20)).toFixed(1)
    } MiB`,
  );
  assert(growth < MAX_GROWTH, `Resident memory grew by ${growth} bytes`);
}

Deno.test("1 GiB through TCP mode, to the backend and back at once", async () => {
  await using backend = serveTcpBackend(echo);
  await using proxy = await startBefore(backend.url, "tcp");
  const expected = expectedHash();
  const started = performance.now();
  const growth = await growthDuring(proxy.pid, async () => {
    using conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: proxy.port,
    });
    const writing = (async () => {
      for (const piece of gib()) {
        for (let at = 0; at < piece.length;) {
          at += await conn.write(piece.subarray(at));
        }
      }
      await conn.closeWrite();
    })();
    const hash = createHash("sha256");
    await readInto(conn, hash);
    await writing;
    assertEquals(hash.digest("hex"), expected);
  });
  check("TCP, both ways", growth, started);
});

for (const framing of ["chunked", "content-length"] as const) {
  const headers: Record<string, string> = framing === "chunked"
    ? {}
    : { "content-length": `${GIB}` };

  Deno.test(`1 GiB through HTTP to the backend (${framing})`, async () => {
    await using backend = serveHttpBackend(async (request) =>
      new Response(await hashOf(request.body))
    );
    await using proxy = await startBefore(backend.url, "http");
    const expected = expectedHash();
    const started = performance.now();
    const growth = await growthDuring(proxy.pid, async () => {
      using client = await HttpClient.connect(proxy.port);
      await client.send(
        `POST / HTTP/1.1\r\nHost: a\r\n${
          framing === "chunked"
            ? "Transfer-Encoding: chunked"
            : `Content-Length: ${GIB}`
        }\r\n\r\n`,
      );
      for (const piece of gib()) {
        if (framing === "chunked") {
          await client.send(`${piece.length.toString(16)}\r\n`);
        }
        await client.send(piece);
        if (framing === "chunked") await client.send("\r\n");
      }
      if (framing === "chunked") await client.send("0\r\n\r\n");
      assertEquals((await client.response()).text, expected);
    });
    check(`HTTP upload, ${framing}`, growth, started);
  });

  Deno.test(`1 GiB through HTTP to the client (${framing})`, async () => {
    await using backend = serveHttpBackend(() =>
      new Response(gibStream(), { headers })
    );
    await using proxy = await startBefore(backend.url, "http");
    const expected = expectedHash();
    const started = performance.now();
    const growth = await growthDuring(proxy.pid, async () => {
      const response = await fetch(proxy.url);
      assertEquals(
        response.headers.get("content-length"),
        headers["content-length"] ?? null,
      );
      assertEquals(await hashOf(response.body), expected);
    });
    check(`HTTP download, ${framing}`, growth, started);
  });
}

/** Three transforms of each body, which together change nothing. */
const THREE = dataPlugin(`
const xor = (key) => () => new TransformStream({
  transform(chunk, controller) {
    const changed = new Uint8Array(chunk.length);
    for (let i = 0; i < chunk.length; i++) changed[i] = chunk[i] ^ key;
    controller.enqueue(changed);
  },
});
export default {
  name: "three",
  setup: () => ({
    handlers: {
      afterLocation: ({ transaction }) => {
        for (const key of [0x5a, 0x33, 0x5a ^ 0x33]) {
          transaction.transformRequest(xor(key));
          transaction.transformResponse(xor(key));
        }
      },
    },
  }),
};`);

/**
 * Runs it twice: pieces that transforms made are garbage, which V8 lets grow up
 * to a bound. From there on memory must stay where it is.
 */
async function checkFlat(
  what: string,
  pid: number,
  work: () => Promise<void>,
): Promise<void> {
  const first = await growthDuring(pid, work);
  const started = performance.now();
  const second = await growthDuring(pid, work);
  console.log(`the first run: ${(first / (1 << 20)).toFixed(1)} MiB`);
  check(`${what}, the second run`, second, started);
}

Deno.test("1 GiB through three transforms to the backend, which stops now and then", async () => {
  await using backend = serveHttpBackend(async (request) =>
    new Response(await hashOf(withPauses(request.body!)))
  );
  await using proxy = await startBefore(backend.url, "http", [{ use: THREE }]);
  const expected = expectedHash();
  await checkFlat("HTTP upload, three transforms", proxy.pid, async () => {
    using client = await HttpClient.connect(proxy.port);
    await client.send(
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${GIB}\r\n\r\n`,
    );
    for (const piece of gib()) await client.send(piece);
    assertEquals((await client.response()).text, expected);
  });
});

Deno.test("1 GiB through three transforms to the client, which stops now and then", async () => {
  await using backend = serveHttpBackend(() => new Response(gibStream()));
  await using proxy = await startBefore(backend.url, "http", [{ use: THREE }]);
  const expected = expectedHash();
  await checkFlat("HTTP download, three transforms", proxy.pid, async () => {
    const response = await fetch(proxy.url);
    assertEquals(await hashOf(withPauses(response.body!)), expected);
  });
});

/** What reads it stands still for a second each quarter: whoever sends must wait, not gather. */
async function* withPauses(
  body: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let count = 0;
  for await (const piece of body) {
    const quarter = Math.floor(count / (GIB / 4));
    count += piece.length;
    if (Math.floor(count / (GIB / 4)) > quarter) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    yield piece;
  }
}

Deno.test("1,000 connections through HTTP leave no descriptor", async () => {
  const backend = serveHttpBackend(() => new Response("ok"));
  await using proxy = await startBefore(backend.url, "http");
  const one = async (i: number) => {
    using client = await HttpClient.connect(proxy.port);
    if (i % 4 === 3) return; // leaves without a word
    if (i % 4 === 2) return await client.send("GET / HTTP/1.1\r\nHo"); // in its head
    for (let n = 0; n <= i % 4; n++) {
      assertEquals((await client.get()).text, "ok");
    }
  };
  await manyTimes(proxy.pid, one, backend);
});

Deno.test("1,000 connections through TCP mode leave no descriptor", async () => {
  const backend = serveTcpBackend(echo);
  await using proxy = await startBefore(backend.url, "tcp");
  await manyTimes(proxy.pid, async (i) => {
    using conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: proxy.port,
    });
    if (i % 4 === 3) return;
    await conn.write(patternBytes(1 + i));
    if (i % 4 === 2) return;
    await conn.closeWrite();
    assertEquals((await readAll(conn)).length, 1 + i);
  }, backend);
});

/** Runs 1,000 of them, 20 at once, ends the backend, and waits for the descriptors of before. */
async function manyTimes(
  pid: number,
  one: (i: number) => Promise<void>,
  backend: AsyncDisposable,
): Promise<void> {
  const before = descriptors(pid);
  for (let i = 0; i < 1_000; i += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, k) => one(i + k)));
  }
  const busy = descriptors(pid);
  // Pooled connections end with their backend.
  await backend[Symbol.asyncDispose]();
  await eventually("the descriptors' return", () => descriptors(pid) <= before);
  console.log(
    `descriptors: ${before} before, ${busy} at the end, ${before} after`,
  );
}

async function readInto(conn: Deno.Conn, hash: Hash): Promise<void> {
  const buffer = new Uint8Array(256 << 10);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return;
    hash.update(buffer.subarray(0, count));
  }
}
