/**
 * A shard's lengths and flags where a write or a sync failed: what they say is
 * what the folder holds.
 *
 * @module
 */
import type { DiskStore } from "../../../core/cache_disk/disk_store.ts";
import { NotedPurges } from "../../../core/cache_disk/noted_purges.ts";
import type { Purge } from "../../../core/cache/store.ts";
import { shardOf } from "../../../core/cache/shard.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { openStore } from "../../support/disk_stores.ts";
import { type DiskOperation, MemoryDisk } from "../../support/memory_disk.ts";
import { bodyOf, seededHead, seedOf } from "../../support/stored_bodies.ts";

/** URLs of shard 0. */
const KEYS = (() => {
  const keys: string[] = [];
  for (let i = 0; keys.length < 40; i++) {
    const key = `http://a/${i}`;
    if (shardOf(key) === 0) keys.push(key);
  }
  return keys;
})();

const SHARD = { shards: [0], capacity: 3 << 20 };

const [ONE, OTHER] = KEYS as [string, string];

/** Has a body written: its record waits once this returns. Whether it is stored. */
async function put(
  store: DiskStore,
  key: string,
  seed: number,
  length = 10,
): Promise<boolean> {
  const head = seededHead(seed, length);
  const writer = store.begin(key, head, length);
  if (writer === undefined) return false;
  assertEquals(writer.append(bodyOf(seed, length)), true);
  return await writer.commit(head, []) !== undefined;
}

/** Has an operation fail, everywhere or with one file. */
function failing(operation: DiskOperation, path?: string) {
  return (one: DiskOperation, at: string) =>
    one === operation && (path === undefined || at === path)
      ? new Error(`no ${operation}`)
      : undefined;
}

Deno.test("what a failed sync refused is not in the journal", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const store = await openStore(disk, { ...SHARD, clock, delay: 1_000 });
  const refused = put(store, ONE, 1);
  disk.fails = failing("sync");
  // It takes the record along, and forgets nothing.
  await store.purge({ kind: "url", url: OTHER });
  assertEquals(await refused, false);
  disk.fails = () => undefined;
  assertEquals(await store.purge({ kind: "url", url: ONE }), 0);
  await clock.advance(10_001);
  const later = put(store, OTHER, 2);
  await clock.advance(1_001);
  assert(await later);
  await store.close();
  const next = await openStore(disk, SHARD);
  assertEquals(await next.find(ONE), []);
  assertEquals((await next.find(OTHER)).map(seedOf), [2]);
  await next.close();
});

Deno.test("what went before a purge outlives a loss of power with it", async () => {
  const purges: Purge[] = [
    { kind: "url", url: ONE },
    { kind: "prefix", prefix: ONE },
    { kind: "all" },
  ];
  for (const purge of purges) {
    const disk = new MemoryDisk();
    const store = await openStore(disk, SHARD);
    assert(await put(store, ONE, 1));
    const [entry] = await store.find(ONE);
    await store.remove(entry!);
    let syncs = 0;
    disk.fails = (operation) => {
      if (operation === "sync") syncs++;
      return undefined;
    };
    assertEquals(await store.purge(purge), 0);
    assertEquals(syncs, 1);
    // Nothing went since.
    assertEquals(store.purge({ kind: "url", url: OTHER }), 0);
    await store.close();
  }
});

Deno.test("a purge whose sync fails after its lines are written forgets all", async () => {
  const disk = new MemoryDisk();
  const store = await openStore(disk, SHARD);
  assert(await put(store, ONE, 1));
  assert(await put(store, OTHER, 2));
  const [entry] = await store.find(ONE);
  await store.remove(entry!);
  disk.fails = failing("sync");
  await store.purge({ kind: "url", url: ONE });
  assertEquals(await store.find(OTHER), []);
  assertEquals(disk.files.has("00/journal"), false);
  disk.fails = () => undefined;
  await store.close();
});

Deno.test("a shard that is thrown away while noted purges are done is opened anew", async () => {
  for (const removable of [true, false]) {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const first = await openStore(disk, SHARD);
    assert(await put(first, ONE, 1));
    await first.close();
    const note = `${JSON.stringify({ kind: "url", url: ONE })}\n`;
    disk.files.set("00/purges", { bytes: new TextEncoder().encode(note) });
    const written = failing("append", "00/journal");
    const removed = failing("remove", "00/journal");
    disk.fails = (operation, path) =>
      written(operation, path) ??
        (removable ? undefined : removed(operation, path));
    const store = await openStore(disk, { ...SHARD, clock });
    assertEquals(store.diskStats().ready, 0);
    // Who has the folder next does not find it either.
    const other = new MemoryDisk();
    for (const [path, { bytes }] of disk.files) {
      other.files.set(path, { bytes });
    }
    const next = await openStore(other, SHARD);
    assertEquals(await next.find(ONE), []);
    await next.close();
    disk.fails = () => undefined;
    for (let i = 0; i < 12; i++) await clock.advance(1_001);
    await store.attach();
    assertEquals(store.diskStats().ready, 1);
    assertEquals(disk.files.has("00/purges"), false);
    assert(await put(store, OTHER, 2));
    assertEquals(await store.find(ONE), []);
    await store.close();
    assertEquals(disk.open, 0);
  }
});

Deno.test("a journal that is thrown away is not written anew", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const store = await openStore(disk, { ...SHARD, clock });
  // As many lines as have it written anew once nothing is in.
  for (let i = 0; i < 2_100; i++) {
    assert(await put(store, KEYS[i % KEYS.length]!, i));
  }
  const written = failing("append", "00/journal");
  const removed = failing("remove", "00/journal");
  disk.fails = (operation, path) =>
    written(operation, path) ?? removed(operation, path);
  await store.purge({ kind: "url", url: ONE });
  assertEquals(store.diskStats().bytes, 0);
  assert(!disk.log.some(({ path }) => path === "00/journal.new"));
  disk.fails = () => undefined;
  for (let i = 0; i < 12; i++) await clock.advance(1_001);
  await store.attach();
  assert(await put(store, ONE, 1));
  await store.close();
  assertEquals(disk.open, 0);
});

Deno.test("purges that could not be noted are noted with the next ones", async () => {
  const disk = new MemoryDisk();
  const noted = new NotedPurges(disk, "00/purges");
  disk.fails = failing("append");
  const purge = { kind: "url", url: ONE } as const;
  for (let i = 0; i < 1_100; i++) await assertRejects(() => noted.note(purge));
  disk.fails = () => undefined;
  await noted.note(purge);
  assertEquals(await noted.read(), [purge]);
});

Deno.test("purges are noted again once somebody did them all", async () => {
  const disk = new MemoryDisk();
  const noted = new NotedPurges(disk, "00/purges");
  const purge = { kind: "url", url: ONE } as const;
  // Many at once pass the bound together.
  for (let i = 0; i < 110; i++) {
    await Promise.all(Array.from({ length: 17 }, () => noted.note(purge)));
  }
  assertEquals((await noted.read())!.at(-1), { kind: "all" });
  await disk.remove("00/purges");
  await noted.note(purge);
  assertEquals(await noted.read(), [purge]);
});
