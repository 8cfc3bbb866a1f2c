/**
 * Workers that end or hang in each phase of what others do with them.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { CacheStore } from "../../../core/cache/store.ts";
import { MemoryStore } from "../../../core/cache/memory_store.ts";
import { ProxyError } from "../../../core/errors.ts";
import {
  answering,
  bytesOf,
  messages,
  pattern,
  ProxyOfWorkers,
  request,
  SentBody,
  textOf,
} from "./proxy_of_workers.ts";

/** Lets the time pass after which an owner is taken for hung. */
async function hangs({ clock }: ProxyOfWorkers): Promise<void> {
  for (let i = 0; i < 8; i++) {
    clock.advance(250);
    await messages(1);
  }
}

Deno.test("without its owner a key is a miss that is not stored, at once", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const backend = answering("x");
  await textOf((await request(proxy.worker(0), key, backend)).body);
  await textOf((await request(proxy.worker(0), key, backend)).body);
  await messages();
  assertEquals(proxy.worker(0).shared.stats().copies, 1);
  proxy.kill(1);
  // Nobody could tell any more that it holds.
  assertEquals(proxy.worker(0).shared.stats().copies, 0);
  assertEquals(proxy.worker(0).cache.store.find(key), []);
  for (const number of [0, 2, 0]) {
    const { from, body } = await request(proxy.worker(number), key, backend);
    assertEquals([from, await textOf(body)], ["passed", "x"]);
  }
  proxy.open(1);
  await messages();
  const from = [];
  for (const number of [0, 2, 1]) {
    const answer = await request(proxy.worker(number), key, backend);
    await textOf(answer.body);
    await messages();
    from.push(answer.from);
  }
  assertEquals(from, ["own", "store", "store"]);
});

Deno.test("an owner that ends while it is asked: the request goes on", async () => {
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  const backend = answering("x");
  proxy.stop(0, 1);
  const asked = request(proxy.worker(0), key, backend);
  await messages();
  proxy.kill(1);
  assertEquals((await asked).from, "passed");
  assertEquals(backend.times, 1);
  assertEquals(await proxy.worker(0).cache.beginRefresh(key, "v"), false);
});

Deno.test("an owner that ends while others wait by it: they ask for themselves", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const gate = Promise.withResolvers<void>();
  const first = request(proxy.worker(0), key, {
    ask: async () => {
      await gate.promise;
      return answering("first").ask();
    },
  });
  await messages();
  const waiting = request(proxy.worker(2), key, answering("second"));
  await messages();
  proxy.kill(1);
  assertEquals(await textOf((await waiting).body), "second");
  gate.resolve();
  const { from, body } = await first;
  assertEquals([from, await textOf(body)], ["passed", "first"]);
});

Deno.test("an owner that ends while the leader sends: the leader's client gets all of it", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const sent = new SentBody();
  const size = 1_200_000;
  const first = await request(proxy.worker(0), key, {
    ask: () => ({ body: sent, size }),
  });
  const all = pattern(size);
  sent.send(all.subarray(0, 600_000));
  await messages();
  const other = await request(proxy.worker(2), key, answering("not asked"));
  assertEquals(other.from, "fill");
  await messages();
  proxy.kill(1);
  sent.send(all.subarray(600_000));
  sent.finish();
  assertEquals(await bytesOf(first.body), all);
  // Who read it by the owner is cut: never a part for the whole.
  const error = await assertRejects(() => bytesOf(other.body), ProxyError);
  assertEquals(error.code, "cache_failed");
});

Deno.test("an owner that ends while a stored body is read: the reader is cut", async () => {
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  const large = pattern(1_900_000);
  const backend = answering(large);
  await bytesOf((await request(proxy.worker(1), key, backend)).body);
  const { body, from } = await request(proxy.worker(0), key, backend);
  assertEquals(from, "store");
  if (!body.advance()) await body.next();
  await messages();
  proxy.kill(1);
  const error = await assertRejects(() => bytesOf(body), ProxyError);
  assertEquals(error.code, "cache_failed");
});

Deno.test("a leader that ends: those who wait go on, those who read are cut, nothing is stored", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const never = new Promise<never>(() => {});
  request(proxy.worker(0), key, { ask: () => never });
  await messages();
  const waiting = [
    request(proxy.worker(1), key, answering("second")),
    request(proxy.worker(2), key, answering("second")),
  ];
  await messages();
  assertEquals(proxy.worker(1).cache.stats().waiting, 2);
  proxy.kill(0);
  for (const one of waiting) {
    assertEquals(await textOf((await one).body), "second");
  }

  const other = proxy.keyOf(1, 1);
  const sent = new SentBody();
  await request(proxy.worker(2), other, {
    ask: () => ({ body: sent, size: 900 }),
  });
  sent.send(pattern(500));
  await messages();
  const reader = await request(proxy.worker(1), other, answering("not asked"));
  assertEquals(reader.from, "fill");
  proxy.kill(2);
  const error = await assertRejects(() => bytesOf(reader.body), ProxyError);
  assertEquals(error.code, "response_truncated");
  assertEquals(await proxy.worker(1).cache.store.find(other), []);
  const { fetches, fills, waiting: left } = proxy.worker(1).cache.stats();
  assertEquals([fetches, fills, left], [0, 0, 0]);
});

Deno.test("a backend that breaks off in the leader breaks off for all, and is not stored", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const sent = new SentBody();
  const first = await request(proxy.worker(0), key, {
    ask: () => ({ body: sent, size: undefined }),
  });
  sent.send(pattern(500));
  await messages();
  const others = await Promise.all(
    [1, 2].map((number) => request(proxy.worker(number), key, answering("no"))),
  );
  sent.break();
  await messages();
  for (const { from, body } of [first, ...others]) {
    await assertRejects(() => bytesOf(body), ProxyError, undefined, from);
  }
  assertEquals(await proxy.worker(2).cache.store.find(key), []);
});

Deno.test("a client that leaves while it waits, or with the lead in its hands, holds up nobody", async () => {
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  const elsewhere = proxy.worker(0).cache.elsewhere(key)!;
  const ask = () =>
    elsewhere.claim({
      key,
      variant: key,
      joins: true,
      leads: true,
      minUses: 1,
      entries: [],
      seen: 0,
    });
  const lead = await ask();
  const wait = await ask();
  assertEquals([lead.kind, wait.kind], ["lead", "wait"]);
  if (lead.kind !== "lead" || wait.kind !== "wait") throw new Error();
  wait.leave();
  const other = await ask();
  lead.fetch.giveUp("again");
  if (other.kind !== "wait") throw new Error(other.kind);
  assertEquals(await other.result, { kind: "again" });
  const next = await ask();
  assertEquals(next.kind, "lead");
});

Deno.test("an owner that hangs is waited for a short time only, once", async () => {
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  const backend = answering("x");
  await textOf((await request(proxy.worker(0), key, backend)).body);
  await textOf((await request(proxy.worker(0), key, backend)).body);
  await messages();
  proxy.stop(0, 1);
  // A copy still holds: what changed it would show in the owner's memory.
  assertEquals((await request(proxy.worker(0), key, backend)).from, "store");
  const other = proxy.keyOf(1, 1);
  const asked = request(proxy.worker(0), other, backend);
  await messages();
  assertEquals(backend.times, 1);
  await hangs(proxy);
  assertEquals((await asked).from, "passed");
  // The next one does not wait.
  assertEquals((await request(proxy.worker(0), other, backend)).from, "passed");
  proxy.go(0, 1);
  await messages();
  // It asks again, and what the hung one granted was given back.
  const { from } = await request(proxy.worker(0), other, backend);
  assertEquals(from, "own");
  await messages();
  assertEquals(proxy.worker(1).cache.stats().fetches, 0);
});

Deno.test("an owner that hangs while others wait, and while a leader sends", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const sent = new SentBody();
  const size = 1_900_000;
  const all = pattern(size);
  const never = new Promise<never>(() => {});
  const stuck = proxy.keyOf(1, 1);
  request(proxy.worker(2), stuck, { ask: () => never });
  const first = await request(proxy.worker(0), key, {
    ask: () => ({ body: sent, size }),
  });
  await messages();
  const waiting = request(proxy.worker(0), stuck, answering("mine"));
  await messages();
  proxy.stop(0, 1);
  sent.send(all.subarray(0, 900_000));
  sent.send(all.subarray(900_000));
  sent.finish();
  const whole = bytesOf(first.body);
  await messages();
  await hangs(proxy);
  assertEquals(await textOf((await waiting).body), "mine");
  assertEquals(await whole, all);
  proxy.go(0, 1);
  await messages();
  // What it got of it is not taken for the whole.
  assertEquals(await proxy.worker(1).cache.store.find(key), []);
  proxy.kill(2);
});

Deno.test("a purge that an owner can't hear holds all the same, and it hears of it first", async () => {
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  const old = answering("old");
  for (const number of [1, 0, 0]) {
    await textOf((await request(proxy.worker(number), key, old)).body);
    await messages();
  }
  proxy.stop(0, 1);
  const purge = proxy.worker(0).cache.invalidate({ kind: "url", url: key });
  await messages();
  await hangs(proxy);
  assertEquals(await purge, 0);
  // The holder of a copy does not serve it, the owner does not before it has done what it was asked.
  const backend = answering("new");
  const atHolder = await request(proxy.worker(0), key, backend);
  assertEquals(await textOf(atHolder.body), "new");
  const found = proxy.worker(1).cache.store.find(key);
  assert(found instanceof Promise);
  proxy.go(0, 1);
  assertEquals(await found, []);
});

Deno.test("a purger that ends before its purge arrives holds up the owner for a second at most", async () => {
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  await textOf((await request(proxy.worker(1), key, answering("x"))).body);
  proxy.stop(0, 1);
  proxy.worker(0).cache.invalidate({ kind: "all" });
  const found = proxy.worker(1).cache.store.find(key);
  assert(found instanceof Promise);
  proxy.kill(0);
  proxy.clock.advance(1_000);
  assertEquals((await found).length, 1);
  assert(!(proxy.worker(1).cache.store.find(key) instanceof Promise));
});

Deno.test("a purge that came while an owner was gone is done by the one in its place, before it answers", async () => {
  const disk: CacheStore = new MemoryStore({ capacity: 1 << 20 });
  using proxy = await ProxyOfWorkers.start(2, {
    // What is on disk outlives its worker.
    store: (worker) =>
      worker === 1 ? disk : new MemoryStore({ capacity: 1 << 20 }),
  });
  const key = proxy.keyOf(1);
  await textOf((await request(proxy.worker(0), key, answering("old"))).body);
  await messages();
  proxy.kill(1);
  assertEquals((await disk.find(key)).length, 1);
  await proxy.worker(0).cache.invalidate({ kind: "url", url: key });
  proxy.open(1);
  await messages();
  assertEquals(await disk.find(key), []);
  const { body } = await request(proxy.worker(0), key, answering("new"));
  assertEquals(await textOf(body), "new");
});

Deno.test("a purge that was answered while an owner was gone is done before the next one finds anything", async () => {
  const disk = new MemoryStore({ capacity: 1 << 20 });
  const read = Promise.withResolvers<void>();
  const slow: CacheStore = {
    find: (key) => disk.find(key),
    used: (entry) => disk.used(entry),
    begin: (key, head, size) => disk.begin(key, head, size),
    update: (entry, head) => disk.update(entry, head),
    remove: (entry) => disk.remove(entry),
    // As by prefix in a journal.
    purge: (purge) => read.promise.then(() => disk.purge(purge)),
    stats: () => disk.stats(),
    close: () => disk.close(),
  };
  using proxy = await ProxyOfWorkers.start(2, {
    store: (worker) =>
      worker === 1 ? slow : new MemoryStore({ capacity: 1 << 20 }),
  });
  const key = proxy.keyOf(1);
  await textOf((await request(proxy.worker(0), key, answering("old"))).body);
  await messages();
  proxy.kill(1);
  await proxy.worker(0).cache.invalidate({ kind: "prefix", prefix: key });
  proxy.open(1);
  await messages();
  const found = proxy.worker(1).cache.store.find(key);
  assert(found instanceof Promise);
  read.resolve();
  assertEquals(await found, []);
});

/** What is on disk outlives its worker: here that of the second of two. */
async function startWithDisk() {
  const disk: CacheStore = new MemoryStore({ capacity: 1 << 20 });
  const proxy = await ProxyOfWorkers.start(2, {
    store: (worker) =>
      worker === 1 ? disk : new MemoryStore({ capacity: 1 << 20 }),
  });
  const key = proxy.keyOf(1);
  await textOf((await request(proxy.worker(1), key, answering("old"))).body);
  assertEquals((await disk.find(key)).length, 1);
  return { proxy, disk, key };
}

Deno.test("a purge that came while an owner was gone holds, though who was asked for it ends too before the next one is there", async () => {
  const { proxy, disk, key } = await startWithDisk();
  using _proxy = proxy;
  proxy.kill(1);
  await proxy.worker(0).cache.invalidate({ kind: "url", url: key });
  proxy.kill(0);
  proxy.open(1);
  await messages();
  assertEquals(await disk.find(key), []);
  assertEquals(proxy.worker(1).cache.store.find(key), []);
});

Deno.test("a purge that an owner does not hear before it is replaced, its place-taker does", async () => {
  for (const hungBefore of [false, true]) {
    const { proxy, disk, key } = await startWithDisk();
    using _proxy = proxy;
    proxy.stop(0, 1);
    if (hungBefore) {
      const asked = proxy.worker(0).cache.store.find(key);
      await hangs(proxy);
      await asked;
    }
    const purge = proxy.worker(0).cache.invalidate({ kind: "url", url: key });
    if (!hungBefore) await hangs(proxy);
    assertEquals(await purge, 0);
    proxy.kill(1);
    proxy.open(1);
    await messages();
    assertEquals(await disk.find(key), []);
  }
});

Deno.test("a purge that comes before an owner's cache is in use is done when it is", async () => {
  for (const kind of ["url", "all"] as const) {
    const { proxy, disk, key } = await startWithDisk();
    using _proxy = proxy;
    proxy.kill(1);
    const before = kind === "all";
    const purge = () =>
      proxy.worker(0).cache.invalidate(
        kind === "url" ? { kind, url: key } : { kind },
      );
    if (before) await purge();
    proxy.open(1, { uses: false });
    await messages();
    if (!before) assertEquals(await purge(), 0);
    await messages();
    assertEquals((await disk.find(key)).length, 1);
    proxy.worker(1).shared.use(proxy.worker(1).cache);
    await messages();
    assertEquals(await disk.find(key), []);
    // It finds at once again.
    assertEquals(proxy.worker(1).cache.store.find(key), []);
  }
});

Deno.test("nothing is left of workers that ended: no timer, no claim", async () => {
  const proxy = await ProxyOfWorkers.start(3);
  for (const owner of [0, 1, 2]) {
    for (const number of [0, 1, 2]) {
      const { body } = await request(
        proxy.worker(number),
        proxy.keyOf(owner),
        answering("x"),
      );
      await textOf(body);
    }
  }
  await messages();
  for (const number of [0, 1, 2]) proxy.kill(number);
  proxy[Symbol.dispose]();
  assertEquals(proxy.clock.pending, 0);
});
