/**
 * The store on disk with real files.
 *
 * @module
 */
import { join } from "node:path";
import type { DiskStore } from "../../../core/cache_disk/disk_store.ts";
import { shardOf, SHARDS } from "../../../core/cache/shard.ts";
import { systemClock } from "../../../core/net/clock.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import {
  ALL_SHARDS,
  keptLog,
  openStore,
  openUnread,
} from "../../support/disk_stores.ts";
import { eventually } from "../../support/eventually.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import {
  bodyOf,
  isWhole,
  putBody,
  readAll,
  sameBytes,
  seededHead,
  seedOf,
} from "../../support/stored_bodies.ts";

async function inFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function test(name: string, run: (folder: string) => Promise<void>): void {
  Deno.test(name, () => inFolder(run));
}

async function seedsOf(store: DiskStore, key: string): Promise<number[]> {
  return (await store.find(key)).map(seedOf);
}

const PIECE = 256 << 10;

test("what is stored is found by the next process, whatever its size", async (folder) => {
  const sizes = [0, 1, 1000, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 1_000_000];
  const store = await openStore(folder);
  for (const [i, size] of sizes.entries()) {
    const entry = await putBody(store, `http://a/${i}`, i, size);
    assertEquals(entry?.size, size);
    assert(await isWhole(entry!));
  }
  const check = async (store: DiskStore) => {
    assertEquals(store.stats().entries, sizes.length);
    for (const [i, size] of sizes.entries()) {
      const [entry, ...more] = await store.find(`http://a/${i}`);
      assertEquals([entry?.size, more.length], [size, 0]);
      assertEquals(entry?.head, seededHead(i, size));
      assert(await isWhole(entry!), `${size} bytes`);
    }
    assertEquals(await store.find("http://a/none"), []);
    assertEquals(await store.find("http://a/1\tx"), []);
  };
  await check(store);
  await store.close();
  const next = await openStore(folder);
  await check(next);
  await next.close();
});

test("ranges are read without what lies around them", async (folder) => {
  const store = await openStore(folder);
  const whole = bodyOf(5, 1_000_000);
  await putBody(store, "k", 5, whole.length);
  const [entry] = await store.find("k");
  for (
    const [start, end] of [
      [0, 1],
      [PIECE - 1, PIECE + 1],
      [PIECE, 2 * PIECE],
      [300_000, 900_001],
      [999_999, 1_000_000],
      [7, 7],
    ] as const
  ) {
    const part = await readAll(entry!.open(start, end));
    assert(sameBytes(part, whole.subarray(start, end)), `${start}-${end}`);
  }
  const given = entry!.open(0, 1_000_000);
  await given.next();
  given.cancel();
  assertEquals(await given.next(), false);
  await store.close();
});

test("what was taken is read while more comes, and after an abort", async (folder) => {
  const store = await openStore(folder);
  const whole = bodyOf(1, 900_000);
  const writer = store.begin("k", seededHead(1, whole.length), undefined)!;
  const readers = [];
  for (let at = 0; at < whole.length; at += 90_000) {
    assert(await writer.append(whole.subarray(at, at + 90_000)));
    assertEquals(writer.written, at + 90_000);
    readers.push(writer.read(0, writer.written));
  }
  const early = readers[1]!;
  assert(sameBytes(await readAll(early), whole.subarray(0, 180_000)));
  assertEquals(await store.find("k"), []);
  writer.abort();
  writer.abort();
  for (const [i, reader] of readers.entries()) {
    if (reader === early) continue;
    const bytes = await readAll(reader);
    assert(sameBytes(bytes, whole.subarray(0, (i + 1) * 90_000)), `${i}`);
  }
  assertEquals(await writer.commit(seededHead(1, 1), []), undefined);
  await store.close();
  assertEquals(await bodyFiles(folder), 0);
});

async function bodyFiles(folder: string): Promise<number> {
  let count = 0;
  for (const shard of ALL_SHARDS) {
    const name = shard.toString(16).padStart(2, "0");
    for await (const { name: file } of Deno.readDir(join(folder, name))) {
      if (file.endsWith(".body")) count++;
    }
  }
  return count;
}

test("alternates: the youngest first, replaced ones are gone, no key fills the store", async (folder) => {
  const store = await openStore(folder);
  await putBody(store, "k", 1, 5, { scope: "a", receivedAt: 1 });
  const old = await putBody(store, "k", 2, 5, { scope: "b", receivedAt: 2 });
  await putBody(store, "k\tother", 9, 5);
  assertEquals(await seedsOf(store, "k"), [2, 1]);
  await putBody(store, "k", 3, 300_000, { scope: "b", receivedAt: 3 }, [old!]);
  assertEquals(await seedsOf(store, "k"), [3, 1]);
  await store.close();
  const next = await openStore(folder);
  assertEquals(await seedsOf(next, "k"), [3, 1]);
  assertEquals(await seedsOf(next, "k\tother"), [9]);
  for (let i = 10; i < 90; i++) {
    await putBody(next, "k", i, 1, { receivedAt: i });
  }
  assertEquals((await seedsOf(next, "k")).length, 64);
  assertEquals((await seedsOf(next, "k"))[0], 89);
  await next.close();
});

test("an update brings a new head, for the next process too", async (folder) => {
  const store = await openStore(folder);
  for (const size of [10, 600_000]) {
    const key = `http://a/${size}`;
    const entry = await putBody(store, key, 1, size, { tags: ["old"] });
    const reader = entry!.open(0, size);
    const head = { ...entry!.head, reason: "New", tags: ["new"] };
    const updated = await store.update(entry!, head);
    assertEquals(updated.head.reason, "New");
    // Twice, of the old one: it is the same entry.
    await store.update(entry!, { ...head, reason: "Newer" });
    const [found] = await store.find(key);
    assertEquals(found?.head.reason, "Newer");
    assert(await isWhole(found!));
    assert(sameBytes(await readAll(reader), bodyOf(1, size)));
    assertEquals(await store.purge({ kind: "tag", tag: "old" }), 0);
  }
  await store.close();
  const next = await openStore(folder);
  const [found, more] = await next.find("http://a/600000");
  assertEquals([found?.head.reason, more], ["Newer", undefined]);
  assert(await isWhole(found!));
  assertEquals(await next.purge({ kind: "tag", tag: "new" }), 2);
  assertEquals(await next.update(found!, found!.head), found);
  await next.close();
});

Deno.test("an update of what goes in any moment of it fails without an error", async () => {
  for (let moment = 0; moment < 12; moment++) {
    const store = await openStore(new MemoryDisk());
    const entry = await putBody(store, "http://a/1", 1, 10);
    const updated = store.update(entry!, { ...entry!.head, reason: "New" });
    for (let i = 0; i < moment; i++) await Promise.resolve();
    store.remove(entry!);
    await updated;
    assertEquals(await store.find("http://a/1"), []);
    await store.close();
  }
});

Deno.test("purges hold, also for the next process", async () => {
  const folder = new MemoryDisk();
  const keys = [
    "http://a/x",
    "http://a/x\theader=1",
    "http://a/xy",
    "http://b/",
  ];
  const purges = [
    [{ kind: "url", url: "http://a/x" }, 2],
    [{ kind: "url", url: "http://a/" }, 0],
    [{ kind: "prefix", prefix: "http://a/" }, 3],
    [{ kind: "tag", tag: "a" }, 3],
    [{ kind: "tag", tag: "none" }, 0],
    [{ kind: "all" }, 4],
  ] as const;
  for (const [purge, count] of purges) {
    const store = await openStore(folder);
    for (const [i, key] of keys.entries()) {
      const tags = [key.slice(7, 8), "all"];
      await putBody(store, key, i, i * 100_000, { tags });
    }
    assertEquals(await store.purge(purge), count);
    assertEquals(store.stats().entries, 4 - count);
    await store.close();
    const next = await openStore(folder);
    assertEquals(next.stats().entries, 4 - count, JSON.stringify(purge));
    await next.purge({ kind: "all" });
    assertEquals(next.stats().entries, 0);
    await next.close();
  }
  const names = [...folder.files.keys()];
  assertEquals(names.filter((name) => name.endsWith(".body")), []);
});

Deno.test("what is purged on its way in does not arrive", async () => {
  const disk = new MemoryDisk();
  const store = await openStore(disk, { delay: 50 });
  const put = (key: string) => {
    const head = seededHead(1, 3);
    const writer = store.begin(key, head, 3)!;
    assertEquals(writer.append(bodyOf(1, 3)), true);
    return writer.commit(head, []);
  };
  const coming = put("http://a/1");
  assertEquals(await store.purge({ kind: "prefix", prefix: "http://a" }), 1);
  assertEquals(await coming, undefined);
  // A long one whose last piece is on its way.
  const long = store.begin("http://a/3", seededHead(3, 600_000), 600_000)!;
  assert(await long.append(bodyOf(3, 600_000)));
  const ending = long.commit(seededHead(3, 600_000, { tags: ["t"] }), []);
  await store.purge({ kind: "tag", tag: "t" });
  assertEquals(await ending, undefined);
  // Who has not read all of it yet goes on.
  const rest = await readAll(long.read(300_000, Infinity));
  assert(sameBytes(rest, bodyOf(3, 600_000).subarray(300_000)));
  long.abort();
  const other = put("http://a/2");
  // It is being written.
  const flushed = store.settled("http://a/2");
  assertEquals(await store.purge({ kind: "url", url: "http://a/2" }), 1);
  await flushed;
  assertEquals(await other, undefined);
  assertEquals(await store.find("http://a/2"), []);
  await store.close();
  const next = await openStore(disk);
  assertEquals(next.stats().entries, 0);
  await next.close();
  const names = [...disk.files.keys()];
  assertEquals(names.filter((name) => name.endsWith(".body")), []);
});

Deno.test("the bound holds, what is of use stays, a scan passes", async () => {
  const capacity = 6 << 20;
  const disk = new MemoryDisk();
  const store = await openStore(disk, { capacity });
  for (let i = 0; i < 20; i++) await putBody(store, `http://hot/${i}`, i, 9000);
  const use = async () => {
    for (let i = 0; i < 20; i++) {
      const [entry] = await store.find(`http://hot/${i}`);
      if (entry !== undefined) store.used(entry);
    }
  };
  let most = 0;
  for (let i = 0; i < 3000; i++) {
    if (i % 40 === 0) await use();
    await putBody(store, `http://scan/${i}`, i, 9000);
    most = Math.max(most, store.stats().bytes);
  }
  for (let i = 0; i < 4; i++) await putBody(store, `http://big/${i}`, i, 2e6);
  await eventually("room", () => store.stats().bytes <= capacity);
  assert(most < capacity * 1.1, `${most} bytes`);
  assert(store.stats().evicted > 2000);
  let kept = 0;
  for (let i = 0; i < 20; i++) {
    const [entry] = await store.find(`http://hot/${i}`);
    if (entry === undefined) continue;
    kept++;
    assert(await isWhole(entry));
  }
  assert(kept >= 18, `${kept} of 20 hot ones`);
  const { bytes } = store.stats();
  await store.close();
  let onDisk = 0;
  for (const file of disk.files.values()) onDisk += file.bytes.length;
  assertEquals(onDisk, bytes);
  assertEquals(disk.open, 0);
});

test("what is too large is not taken", async (folder) => {
  const store = await openStore(folder, { capacity: 4 << 20 });
  const head = seededHead(1, 1);
  assertEquals(store.begin("k", head, 3 << 20), undefined);
  const writer = store.begin("k", head, undefined)!;
  const piece = new Uint8Array(500_000);
  for (let i = 0; i < 4; i++) assert(await writer.append(piece));
  assertEquals(await writer.append(piece), false);
  assertEquals(await writer.append(piece), false);
  assertEquals(writer.written, 2_000_000);
  assertEquals((await readAll(writer.read(0, 2_000_000))).length, 2_000_000);
  assertEquals(await writer.commit(head, []), undefined);
  assertEquals(store.stats().bytes < 10_000, true);
  await store.close();
  assertEquals(await bodyFiles(folder), 0);
});

test("a folder is one store's at a time; the next waits and takes it over", async (folder) => {
  const log = keptLog();
  const first = await openStore(folder);
  await putBody(first, "http://a/1", 1, 10);
  await putBody(first, "http://a/2", 2, 10);
  const second = await openStore(folder, { log, retry: 20 });
  assertEquals(second.diskStats().ready, 0);
  assertEquals(second.begin("k", seededHead(1, 1), 1), undefined);
  assertEquals(await second.find("http://a/1"), []);
  assertEquals(await second.purge({ kind: "url", url: "http://a/2" }), 0);
  await first.close();
  await eventually("the folder", () => second.diskStats().ready === 64);
  assertEquals(await seedsOf(second, "http://a/1"), [1]);
  // It was forgotten before it was read.
  assertEquals(await seedsOf(second, "http://a/2"), []);
  assertEquals(log.lines.length, 2);
  await second.close();
});

test("a purge before all is read holds, and so does one of who never gets the folder", async (folder) => {
  const first = await openStore(folder);
  for (let i = 0; i < 40; i++) {
    await putBody(first, `http://a/${i}`, i, 10, { tags: [`t${i}`] });
  }
  const waiting = await openStore(folder);
  await waiting.purge({ kind: "url", url: "http://a/1" });
  await waiting.purge({ kind: "tag", tag: "t2" });
  await waiting.close();
  assertEquals((await first.find("http://a/2")).length, 1);
  await first.close();

  const next = openUnread(folder);
  const reading = next.attach();
  assertEquals(await next.purge({ kind: "url", url: "http://a/3" }), 1);
  const tagged = next.purge({ kind: "tag", tag: "t4" });
  await reading;
  assertEquals(await tagged, 1);
  assertEquals(next.stats().entries, 36);
  for (let i = 0; i < 5; i++) {
    const url = `http://a/${i}`;
    assertEquals((await next.find(url)).length, i === 0 ? 1 : 0, url);
  }
  await next.close();
  assertEquals(await purgeNotes(folder), 0);
});

test("what another store can't be told of is purged by whoever gets its shards next", async (folder) => {
  const evens = ALL_SHARDS.filter((shard) => shard % 2 === 0);
  const odds = ALL_SHARDS.filter((shard) => shard % 2 === 1);
  const asks = await openStore(folder, { shards: odds });
  // Of what has no folder nothing is stored.
  const log = keptLog();
  const alone = await openStore(join(folder, "none"), { shards: [], log });
  await alone.purgeOthers({ kind: "all" }, evens);
  assertEquals(log.lines, []);
  await alone.close();

  const gone = await openStore(folder, { shards: evens });
  const urls = Array.from({ length: 40 }, (_, i) => `http://a/${i}`)
    .filter((url) => shardOf(url) % 2 === 0);
  for (const [i, url] of urls.entries()) {
    await putBody(gone, url, i, 10, { tags: [`t${i}`] });
  }
  await gone.close();
  await asks.purgeOthers({ kind: "url", url: urls[1]! }, evens);
  assertEquals(await purgeNotes(folder), 1);
  await asks.purgeOthers({ kind: "tag", tag: "t2" }, evens);
  assertEquals(await purgeNotes(folder), 32);
  await asks.close();
  await asks.purgeOthers({ kind: "all" }, evens);

  const next = await openStore(folder);
  assertEquals(await purgeNotes(folder), 0);
  for (const [i, url] of urls.entries()) {
    assertEquals(await seedsOf(next, url), i === 1 || i === 2 ? [] : [i], url);
  }
  await next.close();
});

test("a purge for others that can't be noted is told of, and the others are", async (folder) => {
  const log = keptLog();
  const store = openUnread(folder, { shards: [0], log });
  await Deno.mkdir(join(folder, "01/purges"), { recursive: true });
  await Deno.mkdir(join(folder, "02"));
  await store.purgeOthers({ kind: "all" }, [1, 2]);
  assertEquals(log.lines.length, 1);
  assert(/note a purge/.test(log.lines[0]!), log.lines[0]);
  assertEquals((await Deno.stat(join(folder, "02/purges"))).isFile, true);
  await store.close();
});

async function purgeNotes(folder: string): Promise<number> {
  let count = 0;
  for (const shard of ALL_SHARDS) {
    const name = shard.toString(16).padStart(2, "0");
    for await (const { name: file } of Deno.readDir(join(folder, name))) {
      if (file === "purges") count++;
    }
  }
  return count;
}

Deno.test("too many purges of who waits, and one that is torn, mean all", async () => {
  const disk = new MemoryDisk();
  const shards = [0];
  const first = await openStore(disk, { shards });
  const key = await keyIn(first);
  const waiting = await openStore(disk, { shards });
  for (let i = 0; i < 1_100; i++) {
    await waiting.purge({ kind: "prefix", prefix: `http://none/${i}` });
  }
  await waiting.close();
  await first.close();
  const noted = disk.files.get("00/purges")!.bytes.length;
  assert(noted < 60_000);
  const next = await openStore(disk, { shards });
  assertEquals(next.stats().entries, 0);
  await putBody(next, key, 2, 10);
  await next.close();
  disk.files.set("00/purges", { bytes: new TextEncoder().encode('{"kind"') });
  const last = await openStore(disk, { shards });
  assertEquals(last.stats().entries, 0);
  await last.close();
  assertEquals(disk.files.has("00/purges"), false);
});

test("another number of workers finds all", async (folder) => {
  const store = await openStore(folder);
  for (let i = 0; i < 200; i++) await putBody(store, `http://a/${i}`, i, 10);
  await store.close();
  const odd = ALL_SHARDS.filter((shard) => shard % 2 === 1);
  const even = ALL_SHARDS.filter((shard) => shard % 2 === 0);
  const parts = [
    await openStore(folder, { shards: even }),
    await openStore(folder, { shards: odd }),
  ];
  for (let i = 0; i < 200; i++) {
    const key = `http://a/${i}`;
    const part = parts[shardOf(key) % 2]!;
    assertEquals(await seedsOf(part, key), [i]);
    assertEquals(parts.indexOf(part) === 0 ? parts[1]!.find(key) : [], []);
  }
  for (const part of parts) await part.close();
});

test("another format is thrown away with a line", async (folder) => {
  const store = await openStore(folder, { shards: [0] });
  const key = await keyIn(store);
  await store.close();
  const path = join(folder, "00", "journal");
  const bytes = await Deno.readFile(path);
  const { crc32 } = await import("node:zlib");
  bytes[7] = 99;
  new DataView(bytes.buffer).setUint32(8, crc32(bytes.subarray(0, 8)));
  await Deno.writeFile(path, bytes);
  await Deno.writeTextFile(join(folder, "00", "mine.txt"), "not the cache's");
  const log = keptLog();
  const next = await openStore(folder, { shards: [0], log });
  assertEquals(next.stats().entries, 0);
  assertEquals(log.lines[0]?.includes("its format is not"), true);
  assert(await putBody(next, key, 2, 10) !== undefined);
  await next.close();
  const names = [];
  for await (const { name } of Deno.readDir(join(folder, "00"))) {
    names.push(name.replace(/^\d+/, "N"));
  }
  assertEquals(names.sort(), ["N.small", "journal", "lock", "mine.txt"]);
});

/** A key of shard 0, stored. */
async function keyIn(store: DiskStore): Promise<string> {
  for (let i = 0;; i++) {
    const key = `http://a/${i}`;
    if (shardOf(key) !== 0) continue;
    await putBody(store, key, 1, 10);
    return key;
  }
}

Deno.test("what is read while its segment goes is a miss and no failure", async () => {
  const disk = new MemoryDisk();
  const store = await openStore(disk, { shards: [0], capacity: 300_000 });
  const key = await keyIn(store);
  const finds: Promise<unknown>[] = [];
  const remove = disk.remove.bind(disk);
  disk.remove = async (path) => {
    await remove(path);
    // The file is gone, and the store has not heard of it.
    finds.push(Promise.resolve(store.find(key)));
    await new Promise((resolve) => setTimeout(resolve, 1));
  };
  for (let i = 0; i < 30; i++) await putBody(store, key, i, 20_000);
  await eventually("room", () => store.stats().bytes <= 300_000);
  await Promise.all(finds);
  assert(finds.length > 0);
  assertEquals(store.diskStats().errors, 0);
  await store.close();
});

Deno.test("the journal is written anew when most of it is of no use", async () => {
  const disk = new MemoryDisk();
  const store = await openStore(disk, { shards: [0] });
  const key = await keyIn(store);
  let most = 0;
  const size = () => disk.files.get("00/journal")!.bytes.length;
  for (let i = 0; i < 3000; i++) {
    const [old] = await store.find(key);
    await putBody(store, key, i, 10, { tags: ["t"] }, [old!]);
    most = Math.max(most, size());
  }
  assert(most < 300_000, `${most} bytes`);
  assert(size() < most);
  await store.close();
  const next = await openStore(disk, { shards: [0] });
  assertEquals(await seedsOf(next, key), [2999]);
  assertEquals(await next.purge({ kind: "tag", tag: "t" }), 1);
  await next.close();
});

test("a missing body is a miss, a body cut meanwhile ends the reader", async (folder) => {
  const log = keptLog();
  const store = await openStore(folder, { shards: [0], log });
  const key = await keyIn(store);
  for (const harm of ["before", "between"] as const) {
    await store.purge({ kind: "all" });
    await putBody(store, key, 1, 900_000);
    const path = join(
      folder,
      "00",
      (await names(folder)).find((name) => name.endsWith(".body"))!,
    );
    const [entry] = await store.find(key);
    if (harm === "before") {
      await Deno.remove(path);
      assertEquals(await store.find(key), []);
    } else {
      await Deno.truncate(path, 500_000);
      await assertRejects(
        () => readAll(entry!.open(0, 900_000)),
        Error,
        "not as it was written",
      );
    }
    assertEquals(store.stats().entries, 0);
  }
  assertEquals(store.diskStats().errors, 2);
  // Told of once.
  assertEquals(log.lines.filter((line) => line.startsWith("error")).length, 1);
  await store.close();
});

async function names(folder: string): Promise<string[]> {
  const found = [];
  for await (const { name } of Deno.readDir(join(folder, "00"))) {
    found.push(name);
  }
  return found;
}

Deno.test("what fills a segment in one batch is found", async () => {
  const disk = new MemoryDisk();
  const options = { shards: [0], capacity: 3 << 20 };
  const store = await openStore(disk, { ...options, delay: 5 });
  const keys = Array.from({ length: 5_000 }, (_, i) => `http://a/${i}`)
    .filter((key) => shardOf(key) === 0)
    .slice(0, 20);
  const entries = await Promise.all(
    keys.map((key, i) => putBody(store, key, i, 10_000)),
  );
  assert(entries.every((entry) => entry !== undefined));
  await store.settled(keys[0]!);
  for (const [i, key] of keys.entries()) {
    assertEquals(await seedsOf(store, key), [i]);
  }
  await store.close();
  const next = await openStore(disk, options);
  assertEquals(next.stats().entries, keys.length);
  await next.close();
});

test("a folder that somebody has removed is made again, and used", async (folder) => {
  const path = join(folder, "cache");
  let ahead = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + ahead };
  const store = await openStore(path, { clock, retry: 1 });
  const [one, other] = ["http://a/1", "http://a/2"];
  assert(shardOf(one) !== shardOf(other));
  assert(await putBody(store, one, 1, 10) !== undefined);
  await Deno.remove(path, { recursive: true });
  await eventually("something is stored again", async () => {
    // Each failure is followed by a pause.
    ahead += 10_000;
    return await putBody(store, other, 2, 10) !== undefined;
  });
  await eventually(
    "all of it is in use",
    () => store.diskStats().ready === SHARDS && store.stats().entries === 1,
  );
  assertEquals(await seedsOf(store, one), []);
  assertEquals(await seedsOf(store, other), [2]);
  await store.close();
  const next = await openStore(path);
  assertEquals(await seedsOf(next, other), [2]);
  await next.close();
});
