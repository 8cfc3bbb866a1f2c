/**
 * Owners whose stores fail, where stores are not to: nobody waits for them for
 * ever, and the log tells.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MemoryStore } from "../../../core/cache/memory_store.ts";
import type { CacheStore } from "../../../core/cache/store.ts";
import { ProxyError } from "../../../core/errors.ts";
import {
  answering,
  messages,
  ProxyOfWorkers,
  request,
  SentBody,
  textOf,
} from "./proxy_of_workers.ts";

/** A store that fails where a test wants it to. */
class FailingStore implements CacheStore {
  readonly #store = new MemoryStore({ capacity: 16 << 20 });
  /** What fails, at once or later. */
  fails: keyof CacheStore | undefined;
  later = true;

  // deno-lint-ignore no-explicit-any -- a rejection is of every type.
  #do<T>(what: keyof CacheStore, work: () => T): T | any {
    if (this.fails !== what) return work();
    if (!this.later) throw new Error("The disk is gone");
    return Promise.reject(new Error("The disk is gone"));
  }

  find(key: string) {
    return this.#do("find", () => this.#store.find(key));
  }
  used(entry: Parameters<CacheStore["used"]>[0]) {
    return this.#do("used", () => this.#store.used(entry));
  }
  begin(...args: Parameters<CacheStore["begin"]>) {
    return this.#do("begin", () => this.#store.begin(...args));
  }
  update(...args: Parameters<CacheStore["update"]>) {
    return this.#do("update", () => this.#store.update(...args));
  }
  remove(entry: Parameters<CacheStore["remove"]>[0]) {
    return this.#do("remove", () => this.#store.remove(entry));
  }
  purge(purge: Parameters<CacheStore["purge"]>[0]) {
    return this.#do("purge", () => this.#store.purge(purge));
  }
  stats() {
    return this.#store.stats();
  }
  close() {}
}

/** Two workers, the second of which owns `key` in a store that may fail. */
async function failing() {
  const store = new FailingStore();
  const proxy = await ProxyOfWorkers.start(2, {
    store: (worker) =>
      worker === 1 ? store : new MemoryStore({ capacity: 1 << 20 }),
    copies: 0,
  });
  return { proxy, store, key: proxy.keyOf(1) };
}

/** What failed, as the log has it. */
function failuresOf({ logged }: ProxyOfWorkers): string[] {
  return logged.map((line) => JSON.parse(line)).filter(({ level }) =>
    level === "error"
  ).map(({ ask }) => ask);
}

for (const later of [true, false]) {
  const when = later ? "later" : "at once";

  Deno.test(`an owner that can't look fails ${when}: nothing is found, each fetches it himself`, async () => {
    const { proxy, store, key } = await failing();
    using _proxy = proxy;
    await textOf((await request(proxy.worker(1), key, answering("old"))).body);
    store.fails = "find";
    store.later = later;
    assertEquals(await proxy.worker(0).cache.store.find(key), []);
    const { from, body } = await request(
      proxy.worker(0),
      key,
      answering("new"),
    );
    assertEquals([from, await textOf(body)], ["own", "new"]);
    await messages();
    assertEquals(failuresOf(proxy).slice(0, 2), ["find", "find"]);
    assertEquals(proxy.worker(1).cache.stats().fetches, 0);
  });

  Deno.test(`a purge that fails ${when} at its owner: who asked for it is told, all others have done it`, async () => {
    const { proxy, store, key } = await failing();
    using _proxy = proxy;
    const own = proxy.keyOf(0);
    for (const one of [own, key]) {
      await textOf((await request(proxy.worker(0), one, answering("x"))).body);
    }
    await messages();
    store.fails = "purge";
    store.later = later;
    const error = await assertRejects(
      async () => await proxy.worker(0).cache.invalidate({ kind: "all" }),
      ProxyError,
      "The disk is gone",
    );
    assertEquals(error.code, "cache_failed");
    assertEquals(await proxy.worker(0).cache.store.find(own), []);
    assertEquals(failuresOf(proxy), ["purge"]);
    // Nobody waits for it any more.
    assertEquals((await proxy.worker(0).cache.store.find(key)).length, 1);
    // The owner itself is told, too.
    await assertRejects(
      async () => await proxy.worker(1).cache.invalidate({ kind: "all" }),
      ProxyError,
      "The disk is gone",
    );
  });

  Deno.test(`a response that can't be stored, which shows ${when}: its clients get it, those who wait ask for themselves`, async () => {
    const { proxy, store, key } = await failing();
    using _proxy = proxy;
    store.fails = "begin";
    store.later = false;
    const sent = SentBody.of(new Uint8Array(900_000));
    const gate = Promise.withResolvers<void>();
    const first = request(proxy.worker(0), key, {
      ask: async () => {
        await gate.promise;
        if (later) store.fails = "find";
        store.later = later;
        return { body: sent, size: 900_000 };
      },
    });
    await messages();
    const waiting = request(proxy.worker(0), key, answering("mine"));
    await messages();
    assertEquals(proxy.worker(1).cache.stats().waiting, 1);
    gate.resolve();
    assertEquals((await textOf((await first).body)).length, 900_000);
    await messages();
    store.fails = undefined;
    assertEquals(await textOf((await waiting).body), "mine");
    assert(failuresOf(proxy).includes("fill"));
  });
}

Deno.test("a purge that came while an owner was gone, and that the next one fails at, the one behind it does", async () => {
  const { proxy, store, key } = await failing();
  using _proxy = proxy;
  await textOf((await request(proxy.worker(1), key, answering("x"))).body);
  proxy.kill(1);
  await proxy.worker(0).cache.invalidate({ kind: "url", url: key });
  store.fails = "purge";
  proxy.open(1);
  await messages();
  assertEquals((await store.find(key)).length, 1);
  assertEquals(failuresOf(proxy).length, 1);
  store.fails = undefined;
  proxy.kill(1);
  proxy.open(1);
  await messages();
  assertEquals(await store.find(key), []);
});

Deno.test("an owner that fails as it is to tell those who wait: they ask for themselves", async () => {
  const { proxy, store, key } = await failing();
  using _proxy = proxy;
  const lead = proxy.worker(1).cache.begin(key, `${key}\nweb`);
  const waiting = request(proxy.worker(0), key, answering("mine"));
  await messages();
  assertEquals(lead.waiting, 1);
  // A body that can't be read though it should be at hand.
  await textOf(
    (await request(proxy.worker(1), key, {
      ...answering("x"),
      variant: "another",
    })).body,
  );
  const [entry] = await proxy.worker(1).cache.store.find(key);
  lead.settle({
    kind: "entry",
    entry: {
      key,
      head: entry!.head,
      size: 1,
      open() {
        throw new TypeError("No such body");
      },
    },
  });
  store.fails = "find";
  assertEquals(await textOf((await waiting).body), "mine");
  assert(failuresOf(proxy).includes("claim"));
});

Deno.test("an owner that can't change or forget an entry: it stays as it was; one that can't read it cuts its reader", async () => {
  const { proxy, store, key } = await failing();
  using _proxy = proxy;
  await textOf((await request(proxy.worker(1), key, answering("x"))).body);
  const { cache } = proxy.worker(0);
  const [entry] = await cache.store.find(key);
  const head = { ...entry!.head, status: 203 };
  store.fails = "update";
  assertEquals((await cache.store.update(entry!, head)).head.status, 200);
  store.fails = "remove";
  await cache.store.remove(entry!);
  store.fails = undefined;
  assertEquals((await cache.store.find(key)).length, 1);

  const large = proxy.keyOf(1, 1);
  const sent = answering(new Uint8Array(100_000));
  await textOf((await request(proxy.worker(1), large, sent)).body);
  const [found] = await cache.store.find(large);
  store.fails = "used";
  store.later = false;
  cache.store.used(found!);
  proxy.clock.advance(1_000);
  await messages();
  // Its pin is gone by then: it is looked for by name.
  proxy.clock.advance(5_000);
  proxy.clock.advance(5_000);
  store.fails = "find";
  store.later = true;
  const reader = found!.open(0, found!.size);
  const error = await assertRejects(() => textOf(reader), ProxyError);
  assertEquals(error.code, "cache_failed");
  assertEquals(failuresOf(proxy), ["update", "remove", "used", "open"]);
});
