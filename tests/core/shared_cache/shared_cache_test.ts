import { assert, assertEquals } from "@std/assert";
import type { StoredEntry } from "../../../core/cache/store.ts";
import { ProxyError } from "../../../core/errors.ts";
import { headOf } from "../cache/heads.ts";
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

Deno.test("what one worker stores, the others find: small ones as copies, without a word", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const backend = answering("hello");
  const from: string[] = [];
  for (const number of [0, 1, 2, 0, 2]) {
    const answer = await request(proxy.worker(number), key, backend);
    assertEquals(await textOf(answer.body), "hello");
    from.push(answer.from);
    await messages();
  }
  assertEquals(backend.times, 1);
  assertEquals(from, ["own", "store", "store", "store", "store"]);
  const counts = [0, 1, 2].map((number) => {
    const { own, copy, owner, none, copies } = proxy.worker(number).shared
      .stats();
    return { own, copy, owner, none, copies };
  });
  assertEquals(counts, [
    { own: 0, copy: 0, owner: 2, none: 0, copies: 1 },
    { own: 1, copy: 0, owner: 0, none: 0, copies: 0 },
    { own: 0, copy: 1, owner: 1, none: 0, copies: 1 },
  ]);
  assertEquals(proxy.worker(0).cache.stats().entries, 0);
  assertEquals(proxy.worker(1).cache.stats().entries, 1);
  // A copy is found at once.
  assert(!(proxy.worker(0).cache.store.find(key) instanceof Promise));
});

Deno.test("one fetch for all clients of all workers, wherever the first one is", async () => {
  for (const leader of [0, 1]) {
    using proxy = await ProxyOfWorkers.start(3);
    const key = proxy.keyOf(1);
    const gate = Promise.withResolvers<void>();
    let times = 0;
    const ask = async () => {
      times++;
      await gate.promise;
      return { body: SentBody.of(new TextEncoder().encode("one")), size: 3 };
    };
    const first = request(proxy.worker(leader), key, { ask });
    await messages();
    const others = Array.from(
      { length: 60 },
      (_, i) => request(proxy.worker(i % 3), key, { ask }),
    );
    await messages();
    assertEquals(proxy.worker(1).cache.stats().waiting, 60);
    gate.resolve();
    const answers = await Promise.all([first, ...others]);
    const texts = await Promise.all(answers.map(({ body }) => textOf(body)));
    assertEquals(new Set(texts), new Set(["one"]));
    assertEquals(times, 1, `leader ${leader}`);
    const { fetches, waiting, fills, entries } = proxy.worker(1).cache.stats();
    assertEquals([fetches, waiting, fills, entries], [0, 0, 0, 1]);
  }
});

Deno.test("two that ask at once: one leads, the other one waits", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(2);
  const backend = answering("once");
  const answers = await Promise.all([
    request(proxy.worker(0), key, backend),
    request(proxy.worker(1), key, backend),
  ]);
  for (const { body } of answers) assertEquals(await textOf(body), "once");
  assertEquals(backend.times, 1);
});

Deno.test("a body is read in all workers while it comes, whoever fetches it", async () => {
  for (const [leader, owner] of [[0, 1], [1, 1], [0, 2]] as const) {
    using proxy = await ProxyOfWorkers.start(3);
    const key = proxy.keyOf(owner);
    const body = new SentBody();
    const ask = () => ({ body, size: undefined });
    const first = await request(proxy.worker(leader), key, { ask });
    body.send(pattern(1000));
    await messages();
    const others = await Promise.all(
      [0, 1, 2].map((number) => request(proxy.worker(number), key, { ask })),
    );
    for (const { from, body } of [first, ...others]) {
      assert(from === "own" || from === "fill", from);
      if (!body.advance()) await body.next();
      assertEquals(body.bytes.subarray(body.start, body.end), pattern(1000));
      assert(!body.last);
    }
    body.send(pattern(500, 2));
    body.finish();
    for (const { body } of [first, ...others]) {
      assertEquals(await bytesOf(body), pattern(500, 2));
    }
    await messages();
    assertEquals(proxy.worker(owner).cache.stats().entries, 1);
  }
});

Deno.test("large bodies come from their owner in pieces, as fast as they are read", async () => {
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  const large = pattern(1_500_000);
  const backend = answering(large);
  const own = await request(proxy.worker(1), key, backend);
  assertEquals((await bytesOf(own.body)).length, large.length);
  const { body, from } = await request(proxy.worker(0), key, backend);
  assertEquals(from, "store");
  const read: Uint8Array[] = [];
  while (!body.last) {
    if (!body.advance()) await body.next();
    read.push(body.bytes.slice(body.start, body.end));
  }
  assertEquals(
    await new Blob(read as Uint8Array<ArrayBuffer>[]).bytes(),
    large,
  );
  // A part of it.
  const [entry] = await proxy.worker(0).cache.store.find(key);
  assertEquals(
    await bytesOf(entry!.open(70_000, 900_000)),
    large.slice(70_000, 900_000),
  );
  assertEquals(proxy.worker(0).shared.stats().copies, 0);
  assertEquals(backend.times, 1);
});

Deno.test("who does not read gets no more than a window, and who leaves nothing more", async () => {
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  const sent = new SentBody();
  const ask = () => ({ body: sent, size: 10 << 20 });
  // What outgrows the store goes at its readers' pace.
  const first = await request(proxy.worker(0), key, { ask });
  for (let i = 0; i < 100; i++) sent.send(pattern(100_000, i));
  sent.finish();
  await messages(8);
  assert(sent.taken < 5 << 20, `${sent.taken}`);
  first.body.cancel();
  await messages(8);
  assertEquals(sent.cancelled, true);
  assertEquals(proxy.worker(1).cache.stats().fills, 0);
});

Deno.test("a slow client of the leader delays nobody, and gets all", async () => {
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  const size = 1_900_000;
  const all = pattern(size);
  const sent = new SentBody();
  const slow = await request(proxy.worker(0), key, {
    ask: () => ({ body: sent, size }),
  });
  const fast = await request(proxy.worker(1), key, {
    ask: () => {
      throw new Error("asked twice");
    },
  });
  for (let at = 0; at < size; at += 50_000) {
    sent.send(all.subarray(at, at + 50_000));
  }
  sent.finish();
  assertEquals(await bytesOf(fast.body), all);
  await messages();
  // Far behind what the leader keeps.
  assertEquals(await bytesOf(slow.body), all);
});

Deno.test("no copy is served once a purge was answered", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  let version = 0;
  const ask = () => answering(`v${++version}`, { tags: ["t"] }).ask();
  const get = async (number: number) =>
    await textOf((await request(proxy.worker(number), key, { ask })).body);
  const purges = [
    { kind: "url", url: key },
    { kind: "prefix", prefix: "http://a/" },
    { kind: "tag", tag: "t" },
    { kind: "all" },
  ] as const;
  for (const purge of purges) {
    for (const from of [0, 1, 2]) {
      const before = await get(0);
      assertEquals(await get(1), before);
      assertEquals(await get(2), before);
      await messages();
      assertEquals(await get(2), before);
      assertEquals(await proxy.worker(from).cache.invalidate(purge), 1);
      // At once, with no message in between.
      assertEquals(
        await Promise.all([get(2), get(0), get(1)]),
        [`v${version}`, `v${version}`, `v${version}`],
      );
      assert(`v${version}` !== before);
    }
  }
});

Deno.test("a purge while it is fetched or comes in: it is not stored, whoever leads", async () => {
  for (const leader of [0, 1]) {
    for (const phase of ["before its head", "while it comes"] as const) {
      using proxy = await ProxyOfWorkers.start(2);
      const key = proxy.keyOf(1);
      const gate = Promise.withResolvers<void>();
      const body = new SentBody();
      if (phase === "while it comes") gate.resolve();
      const first = request(proxy.worker(leader), key, {
        ask: async () => {
          await gate.promise;
          return { body, size: 3 };
        },
      });
      await messages();
      await proxy.worker(0).cache.invalidate({ kind: "url", url: key });
      gate.resolve();
      body.send(new TextEncoder().encode("old"));
      const backend = answering("new");
      const next = await request(proxy.worker(0), key, backend);
      assertEquals(await textOf(next.body), "new");
      body.finish();
      assertEquals(await textOf((await first).body), "old");
      await messages();
      for (const number of [0, 1]) {
        const { body } = await request(
          proxy.worker(number),
          key,
          answering("newer"),
        );
        assert(["new", "newer"].includes(await textOf(body)));
      }
    }
  }
});

Deno.test("an update reaches all copies, and keeps the body", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const backend = answering("body");
  for (const number of [0, 1, 2]) {
    await textOf((await request(proxy.worker(number), key, backend)).body);
    await messages();
  }
  const { store } = proxy.worker(0).cache;
  const [entry] = await store.find(key);
  const head = { ...entry!.head, receivedAt: 5 };
  const updated = await store.update(entry!, head);
  assertEquals(updated.head, head);
  assertEquals(await textOf(updated.open(0, 4)), "body");
  for (const number of [0, 1, 2]) {
    const entries = await proxy.worker(number).cache.store.find(key);
    assertEquals(entries.map(({ head }) => head.receivedAt), [5]);
  }
  // What is gone is as it was.
  const again = await store.update(entry!, { ...head, receivedAt: 6 });
  assert(again === entry);
  await store.remove(updated);
  for (const number of [0, 1, 2]) {
    assertEquals(await proxy.worker(number).cache.store.find(key), []);
  }
});

Deno.test("what takes an entry's place takes its copies' place", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  for (const leader of [0, 1]) {
    const backend = answering("old");
    for (const number of [0, 1, 2, 0]) {
      await textOf((await request(proxy.worker(number), key, backend)).body);
      await messages();
    }
    const { cache } = proxy.worker(leader);
    const replaced = await cache.store.find(key);
    assertEquals(replaced.length, 1);
    const claim = await cache.elsewhere(key)?.claim({
      key,
      variant: key,
      joins: false,
      leads: true,
      minUses: 1,
      entries: replaced,
      seen: 0,
    });
    if (claim !== undefined && claim.kind !== "lead") throw new Error();
    const fill = cache.fill({
      fetch: claim?.fetch ?? cache.begin(key, key),
      head: headOf([["etag", `${leader}`]]),
      size: 3,
      body: SentBody.of(new TextEncoder().encode("new")),
      replaced,
      ended: () => {},
    });
    await fill!.run();
    await messages();
    for (const number of [0, 1, 2]) {
      const entries = await proxy.worker(number).cache.store.find(key);
      assertEquals(entries.length, 1);
      const [entry] = entries;
      assertEquals(await textOf(entry!.open(0, entry!.size)), "new");
    }
    await cache.invalidate({ kind: "all" });
  }
});

Deno.test("who found nothing looks again where something was stored since", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const { cache } = proxy.worker(0);
  const entries = await cache.store.find(key);
  assertEquals(entries, []);
  await textOf((await request(proxy.worker(2), key, answering("x"))).body);
  await messages();
  const ask = (entries: readonly StoredEntry[]) =>
    cache.elsewhere(key)!.claim({
      key,
      variant: key,
      joins: true,
      leads: true,
      minUses: 1,
      entries,
      seen: 0,
    });
  assertEquals(await ask(entries), { kind: "again" });
  // With what is current, or where that does not matter, it leads.
  assertEquals((await ask(await cache.store.find(key))).kind, "lead");
});

Deno.test("who asks after a purge does not get what was asked for before it", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  await textOf((await request(proxy.worker(1), key, answering("old"))).body);
  const { store } = proxy.worker(0).cache;
  proxy.mute(1, 0);
  const before = store.find(key);
  await messages();
  // Its answer is on its way.
  const purge = { kind: "url", url: key } as const;
  assertEquals(await proxy.worker(2).cache.invalidate(purge), 1);
  const after = store.find(key);
  proxy.go(0, 1);
  assertEquals((await before).length, 1);
  assertEquals(await after, []);
  assertEquals(await store.find(key), []);
});

Deno.test("an owner hears of what others use, so that it keeps that", async () => {
  const used: string[] = [];
  using proxy = await ProxyOfWorkers.start(2);
  const key = proxy.keyOf(1);
  const backend = answering("x");
  await textOf((await request(proxy.worker(1), key, backend)).body);
  const { store } = proxy.worker(1);
  const original = store.used.bind(store);
  store.used = (entry) => {
    used.push(entry.key);
    original(entry);
  };
  for (let i = 0; i < 9; i++) {
    await textOf((await request(proxy.worker(0), key, backend)).body);
  }
  await messages();
  proxy.clock.advance(1_000);
  await messages();
  // At the 1st, 2nd, 4th and 8th.
  assertEquals(used.length, 4);
});

Deno.test("what is not cacheable, minUses and refreshes are counted once for all workers", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const backend = answering("x");
  const from = [];
  for (const number of [0, 2, 1, 0]) {
    const { body, from: one } = await request(proxy.worker(number), key, {
      ask: backend.ask,
      minUses: 3,
    });
    await textOf(body);
    await messages();
    from.push(one);
  }
  assertEquals(from, ["passed", "passed", "own", "store"]);

  const variant = `${key}\nweb`;
  const caches = [0, 1, 2].map((number) => proxy.worker(number).cache);
  assertEquals(await caches[0]!.beginRefresh(key, variant), true);
  assertEquals(await caches[1]!.beginRefresh(key, variant), false);
  assertEquals(await caches[2]!.beginRefresh(key, variant), false);
  caches[0]!.endRefresh(key, variant);
  await messages();
  assertEquals(await caches[2]!.beginRefresh(key, variant), true);
  proxy.kill(2);
  assertEquals(await caches[0]!.beginRefresh(key, variant), true);

  const other = proxy.keyOf(1, 1);
  const claim = await caches[0]!.elsewhere(other)!.claim({
    key: other,
    variant: other,
    joins: true,
    leads: true,
    minUses: 1,
    entries: [],
    seen: 0,
  });
  if (claim.kind !== "lead") throw new Error(claim.kind);
  assertEquals(claim.fetch.variant, other);
  caches[0]!.pass(claim.fetch, 0);
  claim.fetch.giveUp("uncacheable");
  await messages();
  assertEquals(caches[1]!.passes(other, proxy.clock.wall()), true);
});

Deno.test("a failure is told to all who wait, in all workers", async () => {
  using proxy = await ProxyOfWorkers.start(3);
  const key = proxy.keyOf(1);
  const gate = Promise.withResolvers<void>();
  let times = 0;
  const ask = async () => {
    times++;
    await gate.promise;
    throw new ProxyError("connect_refused", "nobody there");
  };
  const all = [0, 1, 2, 0, 1, 2].map((number) =>
    request(proxy.worker(number), key, { ask })
  );
  await messages();
  gate.resolve();
  for (const one of await Promise.allSettled(all)) {
    if (one.status === "fulfilled") throw new Error("answered");
    assert(one.reason instanceof ProxyError);
    assertEquals(one.reason.code, "connect_refused");
  }
  assertEquals(times, 1);
});
