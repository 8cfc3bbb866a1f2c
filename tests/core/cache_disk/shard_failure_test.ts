/**
 * A shard's lengths and flags where a write or a sync failed: what they say is
 * what the folder holds.
 *
 * @module
 */
import type { DiskStore } from "../../../core/cache_disk/disk_store.ts";
import { shardOf } from "../../../core/cache/shard.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { openStore } from "../../support/disk_stores.ts";
import { type DiskOperation, MemoryDisk } from "../../support/memory_disk.ts";
import { bodyOf, seededHead, seedOf } from "../../support/stored_bodies.ts";

/** URLs of shard 0. */
const KEYS = (() => {
  const keys: string[] = [];
  for (let i = 0; keys.length < 20; i++) {
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
