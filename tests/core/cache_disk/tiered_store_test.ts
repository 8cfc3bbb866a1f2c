/**
 * Memory in front of a disk.
 *
 * @module
 */
import fc from "fast-check";
import { MemoryStore } from "../../../core/cache/memory_store.ts";
import { isPurged, type StoredEntry } from "../../../core/cache/store.ts";
import { TieredStore } from "../../../core/cache_disk/tiered_store.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { openStore } from "../../support/disk_stores.ts";
import { eventually } from "../../support/eventually.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { runsOf } from "../../support/property.ts";
import {
  bodyOf,
  isWhole,
  putBody,
  readAll,
  sameBytes,
  seededHead,
  seedOf,
} from "../../support/stored_bodies.ts";

const ONE = { shards: Array.from({ length: 64 }, (_, i) => i) };

async function tiered(
  disk: MemoryDisk,
  memory = 1 << 20,
  delay = 0,
): Promise<TieredStore> {
  const far = await openStore(disk, { ...ONE, delay });
  return new TieredStore(new MemoryStore({ capacity: memory }), far);
}

async function onDisk(store: TieredStore, entries: number): Promise<void> {
  await eventually(
    `${entries} entries on disk`,
    () => store.stats().disk?.entries === entries,
  );
}

async function seeds(store: TieredStore, key: string): Promise<number[]> {
  return (await store.find(key)).map(seedOf);
}

Deno.test("what memory has is answered at once, what it forgot comes from the disk", async () => {
  const disk = new MemoryDisk();
  const store = await tiered(disk);
  for (let i = 0; i < 100; i++) await putBody(store, `k${i}`, i, 20_000);
  await onDisk(store, 100);
  assert(store.stats().entries < 60);
  const near = store.find("k99");
  assert(!(near instanceof Promise));
  assertEquals(near.map(seedOf), [99]);
  assert(store.find("none") instanceof Array);
  const far = store.find("k0");
  assert(far instanceof Promise);
  const [entry, more] = await far;
  assertEquals([seedOf(entry!), more], [0, undefined]);
  assert(await isWhole(entry!));
  // What is of use comes back to memory.
  store.used(entry!);
  const risen = store.find("k0");
  assert(!(risen instanceof Promise));
  assertEquals(risen.map(seedOf), [0]);
  store.used(risen[0]!);
  await store.close();
  const next = await tiered(disk);
  assertEquals(await seeds(next, "k0"), [0]);
  await next.close();
});

Deno.test("what is too large for memory is on disk only, declared or not", async () => {
  const store = await tiered(new MemoryDisk());
  await putBody(store, "declared", 1, 600_000);
  const head = seededHead(2, 600_000);
  const writer = store.begin("grown", head, undefined)!;
  const body = bodyOf(2, 600_000);
  const early = [];
  for (let at = 0; at < body.length; at += 50_000) {
    assertEquals(await writer.append(body.subarray(at, at + 50_000)), true);
    assertEquals(writer.written, at + 50_000);
    early.push(writer.read(0, writer.written));
  }
  await writer.commit(head, []);
  for (const [i, reader] of early.entries()) {
    const bytes = await readAll(reader);
    assert(sameBytes(bytes, body.subarray(0, (i + 1) * 50_000)));
  }
  assertEquals(store.stats().entries, 0);
  assertEquals(store.stats().bytes, 0);
  for (const key of ["declared", "grown"]) {
    const [entry] = await store.find(key);
    assert(await isWhole(entry!));
    store.used(entry!);
    assert(store.find(key) instanceof Promise);
    await store.remove(entry!);
    assertEquals(store.find(key), []);
  }
  await store.close();
});

Deno.test("alternates in memory and on disk are found together", async () => {
  const store = await tiered(new MemoryDisk());
  await putBody(store, "k", 1, 1000, { scope: "a", receivedAt: 1 });
  await onDisk(store, 1);
  for (let i = 0; i < 80; i++) await putBody(store, `f${i}`, i, 20_000);
  await putBody(store, "k", 2, 1000, { scope: "b", receivedAt: 2 });
  await onDisk(store, 82);
  assert(store.find("k") instanceof Promise);
  assertEquals(await seeds(store, "k"), [2, 1]);
  const [young, old] = await store.find("k");
  store.used(old!);
  assert(!(store.find("k") instanceof Promise));
  assertEquals((await seeds(store, "k")).sort(), [1, 2]);
  // `old` was found on disk and is in memory by now: both go.
  await putBody(store, "k", 3, 1000, { receivedAt: 3 }, [old!, young!]);
  assertEquals(await seeds(store, "k"), [3]);
  await store.close();
});

Deno.test("what was found on disk does not rise while a purge of it is on its way there", async () => {
  const key = "http://a/1";
  for (
    const purge of [
      { kind: "prefix", prefix: "http://a" },
      { kind: "tag", tag: "t" },
      { kind: "all" },
      { kind: "url", url: key },
    ] as const
  ) {
    const disk = new MemoryDisk();
    const first = await tiered(disk);
    await putBody(first, key, 1, 3, { tags: ["t"] });
    await putBody(first, "http://b/1", 2, 3);
    await first.close();
    const store = await tiered(disk);
    const [[entry], [other]] = [
      await store.find(key),
      await store.find("http://b/1"),
    ];
    const purged = store.purge(purge);
    store.used(entry!);
    if (purge.kind !== "all") {
      store.used(other!);
      assertEquals(store.stats().entries, 1);
    }
    assert(await purged >= 1);
    assertEquals(await store.find(key), [], purge.kind);
    await store.close();
  }
});

Deno.test("updates, removals and purges are for both", async () => {
  for (const delay of [0, 30]) {
    const disk = new MemoryDisk();
    const store = await tiered(disk, 1 << 20, delay);
    const settled = async (entries: number) => {
      // With a delay it is all on its way to the disk.
      if (delay === 0) await onDisk(store, entries);
    };
    for (let i = 0; i < 5; i++) {
      await putBody(store, `http://a/${i}`, i, 1000, { tags: [`t${i}`] });
    }
    await settled(5);
    const [entry] = await store.find("http://a/0");
    const head = { ...entry!.head, reason: "New" };
    const updated = await store.update(entry!, head);
    assertEquals(updated.head.reason, "New");
    const [one] = await store.find("http://a/1");
    await store.remove(one!);
    assertEquals(await store.find("http://a/1"), []);
    assertEquals(await store.purge({ kind: "tag", tag: "t2" }), 1);
    assertEquals(await store.purge({ kind: "url", url: "http://a/3" }), 1);
    await store.close();
    const next = await tiered(disk);
    const left: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) {
      const [entry] = await next.find(`http://a/${i}`);
      left.push(entry?.head.reason);
    }
    assertEquals(left, ["New", undefined, undefined, undefined, "OK"]);
    assertEquals(await next.purge({ kind: "prefix", prefix: "http" }), 2);
    await next.close();
  }
});

Deno.test("too much for the disk to take stays in memory alone", async () => {
  const disk = new MemoryDisk();
  const far = await openStore(disk);
  const near = new MemoryStore({ capacity: 4 << 20 });
  const store = new TieredStore(near, far, 1 << 20);
  const gate = Promise.withResolvers<void>();
  const append = disk.append.bind(disk);
  disk.append = async (path) => {
    await gate.promise;
    return await append(path);
  };
  const body = bodyOf(1, 100_000);
  for (let i = 0; i < 20; i++) {
    const head = seededHead(1, body.length);
    const writer = store.begin(`k${i}`, head, body.length)!;
    assertEquals(writer.append(body), true);
    writer.commit(head, []);
  }
  assertEquals(store.stats().disk!.skipped, 10);
  assertEquals(store.stats().entries, 20);
  gate.resolve();
  await store.close();
});

Deno.test("any sequence: what is found is whole, newest, and none that went", async () => {
  const operation = fc.record({
    do: fc.constantFrom(
      "put",
      "put",
      "put",
      "use",
      "update",
      "remove",
      "purge",
    ),
    key: fc.nat(6),
    size: fc.oneof(fc.nat(4000), fc.integer({ min: 1, max: 80_000 })),
    wait: fc.boolean(),
  });
  const model = fc.asyncProperty(
    fc.array(operation, { maxLength: 60 }),
    async (list) => {
      const disk = new MemoryDisk();
      const store = await tiered(disk, 100_000, 1);
      const latest = new Map<string, { seed: number; reason: string }>();
      let seed = 0;
      for (const one of list) {
        const key = `http://a/${one.key}`;
        const found: readonly StoredEntry[] = await store.find(key);
        assert(found.length <= 1, `${found.length} of ${key}`);
        const [entry] = found;
        const known = latest.get(key);
        if (entry !== undefined) {
          assertEquals(seedOf(entry), known?.seed);
          assertEquals(entry.head.reason, known?.reason);
          assert(await isWhole(entry));
        }
        if (one.do === "put") {
          seed++;
          await putBody(store, key, seed, one.size, {}, found);
          latest.set(key, { seed, reason: "OK" });
        } else if (one.do === "purge") {
          const url = key;
          await store.purge({ kind: "url", url });
          for (const key of [...latest.keys()]) {
            if (isPurged({ kind: "url", url }, key, [])) latest.delete(key);
          }
        } else if (entry === undefined) continue;
        else if (one.do === "use") store.used(entry);
        else if (one.do === "remove") {
          await store.remove(entry);
          latest.delete(key);
        } else {
          const reason = `${seed}`;
          const head = { ...entry.head, reason };
          const updated = await store.update(entry, head);
          if (updated.head === head) latest.set(key, { ...known!, reason });
        }
        if (one.wait) await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await store.close();
      const next = await tiered(disk);
      for (const [key, { seed, reason }] of latest) {
        const [entry, more] = await next.find(key);
        assertEquals(more, undefined);
        // What went to disk late may be lacking, nothing else may be there.
        if (entry === undefined) continue;
        assertEquals([seedOf(entry), entry.head.reason], [seed, reason]);
      }
      assertEquals(
        next.stats().disk!.entries <= latest.size,
        true,
      );
      await next.close();
      assertEquals(disk.open, 0);
    },
  );
  await fc.assert(model, runsOf("tiers", 40));
});
