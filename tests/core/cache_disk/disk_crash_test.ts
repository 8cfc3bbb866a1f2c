/**
 * What a killed process, a full or a failing disk and flipped bits leave of the
 * store on disk: never wrong bytes, never what was purged.
 *
 * @module
 */
import fc from "fast-check";
import type { DiskStore } from "../../../core/cache_disk/disk_store.ts";
import type { Purge } from "../../../core/cache/store.ts";
import { isPurged } from "../../../core/cache/store.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { keptLog, openStore } from "../../support/disk_stores.ts";
import { FakeClock } from "../../support/clock.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { runsOf } from "../../support/property.ts";
import { isWhole, putBody, seedOf } from "../../support/stored_bodies.ts";
import { shardOf } from "../../../core/cache/shard.ts";

/** URLs of shards 0 and 1. */
const KEYS = (() => {
  const keys: string[] = [];
  for (let i = 0; keys.length < 8; i++) {
    const key = `http://a/${i}`;
    if (shardOf(key) < 2) keys.push(key, `${key}\tx`);
  }
  return keys;
})();

const SHARDS = { shards: [0, 1], capacity: 3 << 20 };

/** Everything that can be found, by its seed. Fails where a byte is wrong. */
async function allSeeds(
  store: DiskStore,
  keys: readonly string[] = KEYS,
): Promise<Set<number>> {
  const seeds = new Set<number>();
  for (const key of keys) {
    for (const entry of await store.find(key)) {
      assert(await isWhole(entry), `${key} ${seedOf(entry)}`);
      assert(!seeds.has(seedOf(entry)), `${seedOf(entry)} twice`);
      seeds.add(seedOf(entry));
    }
  }
  return seeds;
}

/** A response that was stored, and when it had to be gone or was certain. */
interface Known {
  readonly key: string;
  readonly tags: readonly string[];
  /** Changes of the disk before which it can't be there, and from which on it must not be. */
  readonly from: number;
  until: number;
}

const purges: fc.Arbitrary<Purge> = fc.oneof(
  fc.constantFrom(...KEYS).map((key): Purge => ({
    kind: "url",
    url: key.split("\t")[0]!,
  })),
  fc.constantFrom("http://a/", KEYS[0]!.slice(0, -1)).map((prefix): Purge => ({
    kind: "prefix",
    prefix,
  })),
  fc.nat(2).map((tag): Purge => ({ kind: "tag", tag: `t${tag}` })),
  fc.constant<Purge>({ kind: "all" }),
);

const operations = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      key: fc.constantFrom(...KEYS),
      size: fc.oneof(
        fc.nat(3000),
        fc.integer({ min: 262_000, max: 263_000 }),
        fc.integer({ min: 500_000, max: 600_000 }),
      ),
      tags: fc.subarray(["t0", "t1"]),
      replaces: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("update" as const, "remove" as const, "use" as const),
      key: fc.constantFrom(...KEYS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("purge" as const), purge: purges }),
  },
);

Deno.test("a crash at any write leaves nothing wrong and brings nothing purged back", async () => {
  const model = fc.asyncProperty(
    fc.array(operations, { minLength: 1, maxLength: 25 }),
    fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 6, maxLength: 6 }),
    async (list, crashes) => {
      const disk = new MemoryDisk();
      const store = await openStore(disk, SHARDS);
      const known = new Map<number, Known>();
      let seed = 0;
      const now = () => disk.log.length;
      const gone = (means: (one: Known) => boolean) => {
        for (const one of known.values()) {
          if (one.until === Infinity && means(one)) one.until = now();
        }
      };
      for (const one of list) {
        if (one.do === "purge") {
          await store.purge(one.purge);
          gone(({ key, tags }) => isPurged(one.purge, key, tags));
          continue;
        }
        const found = await store.find(one.key);
        const [first] = found;
        if (one.do === "put") {
          seed++;
          const { key, tags } = one;
          known.set(seed, { key, tags, from: now(), until: Infinity });
          const replaced = one.replaces ? found : [];
          await putBody(store, key, seed, one.size, { tags }, replaced);
        } else if (first === undefined) continue;
        else if (one.do === "use") {
          store.used(first);
          store.used(first);
        } else if (one.do === "remove") {
          await store.remove(first);
          const removed = known.get(seedOf(first))!;
          removed.until = now();
        } else await store.update(first, { ...first.head, reason: "New" });
      }
      const check = async (disk: MemoryDisk, changes: number) => {
        const next = await openStore(disk, SHARDS);
        for (const seed of await allSeeds(next)) {
          const { from, until } = known.get(seed)!;
          assert(from <= changes && changes < until, `${seed} came back`);
        }
        // It goes on as if nothing had happened.
        const put = await putBody(next, KEYS[0]!, 999, 1000);
        assert(put !== undefined && await isWhole(put));
        await next.close();
        return disk;
      };
      await store.close();
      for (const [at, bytes] of crashes) {
        const changes = at % (disk.log.length + 1);
        const next = disk.log[changes];
        const part = next?.kind === "append" ? bytes % next.bytes.length : 0;
        await check(MemoryDisk.after(disk.log, changes, part), changes);
      }
      assertEquals(disk.open, 0);
    },
  );
  await fc.assert(model, runsOf("crashes", 60));
});

/** How a shard stood at some time: the bytes of its journal, and what was found by it. */
interface Moment {
  readonly length: number;
  readonly seeds: readonly number[];
}

const FOLDERS = ["00", "01"];

/** A small disk with something of everything, and how its shards came to be. */
async function smallDisk(): Promise<
  { disk: MemoryDisk; moments: Map<string, Moment[]> }
> {
  const disk = new MemoryDisk();
  const moments = new Map(FOLDERS.map((folder) => [folder, [] as Moment[]]));
  const store = await openStore(disk, SHARDS);
  const [first, part, second, large] = KEYS as [string, string, string, string];
  const note = async () => {
    for (const [i, folder] of FOLDERS.entries()) {
      const keys = KEYS.filter((key) => shardOf(key) === i);
      const seeds = [...await allSeeds(store, keys)].sort();
      const { length } = disk.files.get(`${folder}/journal`)!.bytes;
      moments.get(folder)!.push({ length, seeds });
    }
  };
  await note();
  await putBody(store, first, 1, 20, { tags: ["t"] });
  await note();
  await putBody(store, first, 2, 30);
  await note();
  await putBody(store, second, 3, 40);
  await note();
  await putBody(store, part, 4, 263_000);
  await note();
  const found = await store.find(second);
  await store.update(found[0]!, { ...found[0]!.head, reason: "New" });
  await note();
  await putBody(store, large, 5, 50);
  await note();
  await store.purge({ kind: "url", url: second });
  await note();
  await store.close();
  return { disk, moments };
}

function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk();
  for (const [path, { bytes }] of disk.files) {
    copy.files.set(path, { bytes: bytes.slice() });
  }
  return copy;
}

/** Seeds 3 and 5 were purged. */
const LEFT = [1, 2, 4];

Deno.test("a journal that ends anywhere loses what came last, and no more", async () => {
  const { disk, moments } = await smallDisk();
  for (const [i, folder] of FOLDERS.entries()) {
    const path = `${folder}/journal`;
    const whole = disk.files.get(path)!.bytes;
    const keys = KEYS.filter((key) => shardOf(key) === i);
    for (let length = 0; length <= whole.length; length++) {
      const cut = copyOf(disk);
      cut.files.set(path, { bytes: whole.slice(0, length) });
      const log = keptLog();
      const store = await openStore(cut, { ...SHARDS, log });
      const seeds = [...await allSeeds(store, keys)].sort();
      const moment = moments.get(folder)!.findLast((moment) =>
        moment.length <= Math.max(length, 16)
      )!;
      assertEquals(seeds, moment.seeds, `${folder} ${length}`);
      assertEquals(log.lines.filter((line) => line.startsWith("warn")), []);
      await store.close();
    }
  }
  assertEquals(moments.get("00")!.at(-1)!.seeds.length > 0, true);
});

Deno.test("a flipped bit anywhere is never served", async () => {
  const { disk } = await smallDisk();
  let missed = 0;
  let flips = 0;
  for (const [path, { bytes }] of disk.files) {
    // Every byte of what is small and of what lies around pieces; some of the rest.
    const step = bytes.length > 10_000 ? 997 : 1;
    for (let at = 0; at < bytes.length; at += step) {
      const bad = copyOf(disk);
      bad.files.get(path)!.bytes[at]! ^= 1 << at % 8;
      const store = await openStore(bad, SHARDS);
      const seeds = new Set<number>();
      for (const key of KEYS) {
        for (const entry of await store.find(key)) {
          // A body in a file breaks off where it is wrong.
          const whole = await isWhole(entry).catch(({ code }) => {
            assertEquals(code, "cache_failed");
            return undefined;
          });
          assert(whole !== false, `${path} at ${at}`);
          if (whole) seeds.add(seedOf(entry));
        }
      }
      assert([...seeds].every((seed) => LEFT.includes(seed)), `${path} ${at}`);
      if (seeds.size < LEFT.length) missed++;
      flips++;
      await store.close();
    }
  }
  // Each of them hits something that counts, but for what was purged or written anew.
  assert(missed > flips / 2, `${missed} of ${flips}`);
});

Deno.test("zeros behind the journal are nothing, other bytes give the shard up", async () => {
  for (const fill of [0, 7]) {
    const disk = copyOf((await smallDisk()).disk);
    const folder = `0${shardOf(KEYS[0]!)}`;
    const file = disk.files.get(`${folder}/journal`)!;
    const longer = new Uint8Array(file.bytes.length + 100).fill(fill);
    longer.set(file.bytes);
    file.bytes = longer;
    const log = keptLog();
    const store = await openStore(disk, { ...SHARDS, log });
    const warned = log.lines.filter((line) => line.startsWith("warn"));
    assertEquals(warned.length, fill === 0 ? 0 : 1);
    await putBody(store, KEYS[0]!, 7, 10);
    await store.close();
    const next = await openStore(disk, SHARDS);
    assert((await allSeeds(next)).has(7));
    await next.close();
  }
});

Deno.test("a full disk stores nothing, purges still hold, and it goes on by itself", async () => {
  const clock = new FakeClock();
  const disk = new MemoryDisk();
  const log = keptLog();
  const store = await openStore(disk, { ...SHARDS, log, clock });
  const [a, , b, , c] = KEYS as [string, string, string, string, string];
  for (const [i, key] of [a, b, c].entries()) await putBody(store, key, i, 10);
  const full = () => new Error("No space left on device");
  disk.fails = (operation) =>
    operation === "append" || operation === "make" ? full() : undefined;
  assertEquals(await putBody(store, a, 9, 10), undefined);
  // For a while nobody tries.
  assertEquals(await putBody(store, a, 9, 10), undefined);
  assertEquals(store.diskStats().errors, 1);
  assertEquals((await store.find(b)).map(seedOf), [1]);
  // Where the journal can't say what went, all of its shard goes.
  await store.purge({ kind: "url", url: b });
  assertEquals(await store.find(b), []);
  await store.close();
  const after = await openStore(copyOf(disk), SHARDS);
  assertEquals(await after.find(b), []);
  await after.close();

  disk.fails = () => undefined;
  const next = await openStore(disk, { ...SHARDS, clock });
  disk.fails = (operation) => operation === "append" ? { after: 5 } : undefined;
  for (const key of [a, b]) {
    assertEquals(await putBody(next, key, 3, 10), undefined);
    assertEquals(await putBody(next, key, 3, 400_000), undefined);
    await clock.advance(10_001);
  }
  disk.fails = () => undefined;
  await clock.advance(10_001);
  assert(await putBody(next, a, 4, 10) !== undefined);
  assert(await putBody(next, b, 5, 400_000) !== undefined);
  assertEquals((await allSeeds(next)).has(4), true);
  await next.close();
  const last = await openStore(copyOf(disk), SHARDS);
  const seeds = await allSeeds(last);
  assert(seeds.has(4) && seeds.has(5) && !seeds.has(3));
  await last.close();
  assert(log.lines.some((line) => line.includes("No space left")));
});

Deno.test("whatever fails, and whenever: nobody waits for ever, nothing is wrong", async () => {
  const failing = fc.asyncProperty(
    fc.array(operations, { minLength: 3, maxLength: 15 }),
    fc.array(fc.nat(5), { minLength: 40, maxLength: 40 }),
    fc.boolean(),
    async (list, dice, partly) => {
      const clock = new FakeClock();
      const disk = new MemoryDisk();
      const store = await openStore(disk, { ...SHARDS, clock });
      const purged = new Set<number>();
      let turn = 0;
      disk.fails = (operation) => {
        if (dice[turn++ % dice.length] !== 0) return undefined;
        // What can't be removed can't be forgotten: that is another test's.
        if (operation === "remove") return undefined;
        return partly ? { after: turn % 7 } : new Error("broken");
      };
      let seed = 0;
      const known = new Map<number, readonly [string, readonly string[]]>();
      for (const one of list) {
        await clock.advance(10_001);
        if (one.do === "purge") {
          await store.purge(one.purge);
          for (const [seed, [key, tags]] of known) {
            if (isPurged(one.purge, key, tags)) purged.add(seed);
          }
          continue;
        }
        const found = await store.find(one.key);
        const [first] = found;
        for (const entry of found) {
          const whole = await isWhole(entry).catch(() => undefined);
          assert(whole !== false);
        }
        if (one.do === "put") {
          seed++;
          known.set(seed, [one.key, one.tags]);
          const { key, size, tags } = one;
          await putBody(store, key, seed, size, { tags });
        } else if (first === undefined) continue;
        else if (one.do === "remove") await store.remove(first);
        else await store.update(first, { ...first.head, reason: "New" });
      }
      disk.fails = () => undefined;
      await store.close();
      assertEquals(disk.open, 0);
      const next = await openStore(copyOf(disk), SHARDS);
      for (const seed of await allSeeds(next)) assert(!purged.has(seed));
      await next.close();
    },
  );
  await fc.assert(failing, runsOf("failures", 60));
});

Deno.test("a disk that is really full stores what fits and serves it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const mount = async (...args: string[]) =>
    (await new Deno.Command(args[0]!, { args: args.slice(1), stderr: "null" })
      .output().catch(() => ({ success: false }))).success;
  const options = ["-o", "size=1m", "tmpfs", folder];
  if (!await mount("mount", "-t", "tmpfs", ...options)) {
    console.log("skipped: only root may mount a small disk");
    return await Deno.remove(folder);
  }
  try {
    const clock = new FakeClock();
    const store = await openStore(folder, { ...SHARDS, clock });
    const [a, b] = [KEYS[0]!, KEYS[2]!];
    assert(await putBody(store, a, 1, 100_000) !== undefined);
    assertEquals(await putBody(store, b, 2, 1_400_000), undefined);
    clock.advance(10_001);
    // What did not fit left its room.
    assert(await putBody(store, b, 3, 500_000) !== undefined);
    assertEquals(await putBody(store, b, 4, 600_000), undefined);
    assertEquals([...await allSeeds(store)].sort(), [1, 3]);
    assert(store.diskStats().errors >= 1);
    await store.purge({ kind: "url", url: a.split("\t")[0]! });
    await store.close();
    const next = await openStore(folder, SHARDS);
    assert(!(await allSeeds(next)).has(1));
    await next.close();
  } finally {
    await mount("umount", folder);
    await Deno.remove(folder);
  }
});

Deno.test("a journal that can be neither written nor removed is not read again", async () => {
  const clock = new FakeClock();
  const disk = new MemoryDisk();
  const store = await openStore(disk, { ...SHARDS, clock });
  const [key] = KEYS as [string];
  await putBody(store, key, 1, 10);
  disk.fails = (operation) =>
    operation === "read" || operation === "lock" || operation === "list"
      ? undefined
      : new Error("Read-only file system");
  await store.purge({ kind: "url", url: key });
  for (let i = 0; i < 5; i++) await clock.advance(1_001);
  assertEquals(await store.find(key), []);
  disk.fails = () => undefined;
  for (let i = 0; i < 12; i++) await clock.advance(1_001);
  await store.attach();
  assertEquals(await store.find(key), []);
  assert(await putBody(store, key, 2, 10) !== undefined);
  await store.close();
});
