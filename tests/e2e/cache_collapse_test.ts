/**
 * One fetch for all who wait, bodies that are read while they come, and what
 * becomes of both where somebody leaves or fails.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import {
  type CachedProxy,
  cachedProxy,
  fresh,
} from "../support/cached_proxy.ts";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { ResettableConn } from "../support/resettable_conn.ts";

/** Resolves when so many wait for others' fetches. */
async function waitingFor({ proxy }: CachedProxy, count: number) {
  await eventually(
    `${count} to wait`,
    async () => (await proxy.report()).cache?.waiting === count,
  );
}

Deno.test("one fetch answers all who ask meanwhile", async () => {
  const gate = Promise.withResolvers<void>();
  await using cached = await cachedProxy(async () => {
    await gate.promise;
    return fresh("the one");
  });
  const waiting = Array.from({ length: 200 }, () => cached.get("/"));
  await waitingFor(cached, 199);
  gate.resolve();
  const got = await Promise.all(waiting);
  assertEquals(new Set(got.map(({ text }) => text)), new Set(["the one"]));
  assertEquals(cached.asked.length, 1);
  const collapsed = got.filter(({ cache }) => cache.includes("; collapsed"));
  assertEquals(collapsed.length, 199);
});

Deno.test("a fetch that turns out not to be cacheable releases all at once", async () => {
  const gate = Promise.withResolvers<void>();
  const rest = Promise.withResolvers<void>();
  await using cached = await cachedProxy(async (_, times) => {
    if (times === 1) await gate.promise;
    // All of the others have to be here together.
    else if (times < 50) await rest.promise;
    else rest.resolve();
    return new Response(`${times}`);
  });
  const waiting = Array.from({ length: 50 }, () => cached.get("/"));
  await waitingFor(cached, 49);
  gate.resolve();
  const got = await Promise.all(waiting);
  assertEquals(new Set(got.map(({ text }) => text)).size, 50);
});

Deno.test("variants are not waited for in a row", async () => {
  const gates = new Map([
    ["a", Promise.withResolvers<void>()],
    ["b", Promise.withResolvers<void>()],
  ]);
  await using cached = await cachedProxy(async ({ headers }) => {
    const v = headers.get("x-v")!;
    await gates.get(v)?.promise;
    return fresh(v, { vary: "x-v" });
  });
  const get = (v: string) => cached.get("/", { headers: { "x-v": v } });
  // From here on it is known what tells them apart.
  await get("known");
  const waiting = [get("a"), get("a"), get("b"), get("b")];
  await eventually("one for each", () => cached.asked.length === 3);
  await waitingFor(cached, 2);
  gates.get("b")!.resolve();
  gates.get("a")!.resolve();
  const got = await Promise.all(waiting);
  assertEquals(got.map(({ text }) => text), ["a", "a", "b", "b"]);
  assertEquals(cached.asked.length, 3);
});

Deno.test("where the one who fetches leaves, the next one does", async () => {
  const gate = Promise.withResolvers<void>();
  await using cached = await cachedProxy(async (_, times) => {
    if (times === 1) await gate.promise;
    return fresh(`${times}`);
  });
  const conn = await ResettableConn.connect(cached.proxy.port());
  const first = new HttpClient(conn);
  const host = `127.0.0.1:${cached.proxy.port()}`;
  await first.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await eventually("the first", () => cached.asked.length === 1);
  const second = cached.get("/");
  const third = cached.get("/");
  await waitingFor(cached, 2);
  await conn.reset();
  const texts = [(await second).text, (await third).text];
  gate.resolve();
  assertEquals(texts, ["2", "2"]);
  assertEquals(cached.asked.length, 2);
});

Deno.test("those who wait share a backend's failure", async () => {
  const gate = Promise.withResolvers<void>();
  await using cached = await cachedProxy(async (_, times) => {
    if (times === 1) await gate.promise;
    return new Response(
      new ReadableStream({ start: (c) => c.error(new Error("broken")) }),
    );
  }, { cluster: { timeouts: { response: "1s" }, retries: { max: 0 } } });
  const waiting = Array.from({ length: 20 }, () => cached.get("/"));
  const got = await Promise.all(waiting);
  gate.resolve();
  assertEquals(new Set(got.map(({ status }) => status)), new Set([504]));
  assertEquals(cached.asked.length, 1);
});

/** A body whose pieces a test lets go one by one. */
function gatedBody(pieces: number, size: number) {
  const gates = Array.from(
    { length: pieces },
    () => Promise.withResolvers<void>(),
  );
  let next = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const i = next++;
      if (i === pieces) return controller.close();
      await gates[i]!.promise;
      controller.enqueue(new Uint8Array(size).fill(i + 1));
    },
  }, { highWaterMark: 0 });
  return { body, open: (i: number) => gates[i]!.resolve() };
}

Deno.test("a body is read by others while it comes", async () => {
  const { body, open } = gatedBody(3, 1000);
  await using cached = await cachedProxy(() => fresh(body));
  open(0);
  const first = await fetch(cached.proxy.url("/"));
  const late = await fetch(cached.proxy.url("/"));
  const reader = late.body!.getReader();
  assertEquals((await reader.read()).value?.[0], 1);
  open(1);
  assertEquals((await reader.read()).value?.[0], 2);
  open(2);
  assertEquals((await reader.read()).value?.[0], 3);
  assertEquals((await reader.read()).done, true);
  assertEquals((await first.bytes()).length, 3000);
  assertEquals(
    (await (await fetch(cached.proxy.url("/"))).bytes()).length,
    3000,
  );
  assertEquals(cached.asked.length, 1);
});

Deno.test("what a client leaves behind is read to its end", async () => {
  const { body, open } = gatedBody(2, 1000);
  await using cached = await cachedProxy(() => fresh(body));
  open(0);
  const client = await HttpClient.connect(cached.proxy.port());
  const host = `127.0.0.1:${cached.proxy.port()}`;
  await client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await eventually("it to begin", async () => {
    return (await cached.proxy.report()).cache?.fills === 1;
  });
  client.close();
  open(1);
  await eventually("it to be stored", async () => {
    return (await cached.proxy.report()).cache?.entries === 1;
  });
  assertEquals((await cached.get("/")).text.length, 2000);
  assertEquals(cached.asked.length, 1);
});

Deno.test("a body that breaks off is not stored, and its client can tell", async () => {
  await using cached = await cachedProxy((_, times) => {
    if (times > 1) return fresh("whole");
    let pulled = 0;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (pulled++ > 0) controller.error(new Error("broken"));
        else controller.enqueue(new Uint8Array(100));
      },
    });
    return fresh(body);
  });
  const response = await fetch(cached.proxy.url("/"));
  const failed = await response.bytes().then(() => false, () => true);
  assertEquals(failed, true);
  assertEquals((await cached.get("/")).text, "whole");
});

Deno.test("a purge while it comes: who reads it goes on, the next one asks anew", async () => {
  const { body, open } = gatedBody(2, 1000);
  await using cached = await cachedProxy(
    (_, times) => times === 1 ? fresh(body) : fresh("new"),
    { cache: { purgeFrom: ["127.0.0.1"] } },
  );
  open(0);
  const first = await fetch(cached.proxy.url("/"));
  await cached.get("/", { method: "PURGE" });
  assertEquals((await cached.get("/")).text, "new");
  open(1);
  assertEquals((await first.bytes()).length, 2000);
  assertEquals((await cached.get("/")).text, "new");
});

Deno.test("what outgrows the cache flows through it, as slowly as its slowest reader", async () => {
  const size = 64 << 10;
  const pieces = 400;
  let sent = 0;
  await using cached = await cachedProxy(() => {
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (sent === pieces) return controller.close();
        controller.enqueue(new Uint8Array(size).fill(sent++ & 255));
      },
    }, { highWaterMark: 0 });
    return fresh(body);
  }, { cache: { memory: "4MiB" } });
  const response = await fetch(cached.proxy.url("/"));
  const reader = response.body!.getReader();
  let length = 0;
  let wrong = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    for (let i = 0; i < value.length; i += 4096) {
      if (value[i] !== (Math.floor((length + i) / size) & 255)) wrong++;
    }
    length += value.length;
    if (length < 4 * size) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const ahead = sent * size - length;
      // Sockets' buffers, the window, and what an entry may have.
      assert(ahead < 20 << 20, `${ahead} bytes ahead`);
    }
  }
  assertEquals([length, wrong], [pieces * size, 0]);
  const { cache } = await cached.proxy.report();
  assertEquals([cache?.entries, cache?.fills, cache?.bytes], [0, 0, 0]);
});
