import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ChunkList, PIECE } from "../../../core/cache/chunk_list.ts";
import { MemoryStore } from "../../../core/cache/memory_store.ts";
import type { StoredEntry, StoredHead } from "../../../core/cache/store.ts";
import type { BodyReader } from "../../../core/message/body.ts";
import { headOf } from "./heads.ts";

async function readAll(body: BodyReader): Promise<Uint8Array> {
  const parts: number[] = [];
  while (!body.last) {
    if (!body.advance() && !await body.next()) continue;
    parts.push(...body.bytes.subarray(body.start, body.end));
  }
  return new Uint8Array(parts);
}

function bytesOf(length: number, seed = 7): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);
}

function put(
  store: MemoryStore,
  key: string,
  body: Uint8Array | number = 3,
  parts: Partial<StoredHead> = {},
  replaced: readonly StoredEntry[] = [],
): StoredEntry | undefined {
  const bytes = typeof body === "number" ? bytesOf(body) : body;
  const head = headOf([["x", "1"]], { length: bytes.length, ...parts });
  const writer = store.begin(key, head, bytes.length);
  if (writer === undefined || !writer.append(bytes)) return undefined;
  return writer.commit(head, replaced) as StoredEntry | undefined;
}

Deno.test("what is stored is found, the youngest first, and read at any range", async () => {
  const store = new MemoryStore({ capacity: 1 << 20 });
  const body = bytesOf(10_000);
  put(store, "http://a/", 3);
  put(store, "http://a/", body, { scope: "other" });
  const [young, old] = store.find("http://a/");
  assertEquals(young?.head.scope, "other");
  assertEquals(old?.size, 3);
  assertEquals(await readAll(young!.open(0, young!.size)), body);
  assertEquals(await readAll(young!.open(4090, 5000)), body.slice(4090, 5000));
  assertEquals(await readAll(young!.open(5, 5)), new Uint8Array(0));
  assertEquals(store.find("http://b/"), []);
  assertEquals(store.stats().entries, 2);
});

Deno.test("nothing is found before it is committed, nor after a failure", () => {
  const store = new MemoryStore({ capacity: 80_000, maxEntry: 10_000 });
  const head = headOf([]);
  const writer = store.begin("k", head, undefined)!;
  assertEquals(writer.append(bytesOf(5000)), true);
  assertEquals(store.find("k"), []);
  assertEquals(writer.append(bytesOf(6000)), false);
  assertEquals(writer.append(bytesOf(1)), false);
  assertEquals(writer.written, 5000);
  assertEquals(writer.commit(head, []), undefined);
  assertEquals(store.find("k"), []);
  assertEquals(store.stats().bytes, 0);
  assertEquals(store.begin("k", head, 10_000), undefined);
});

Deno.test("what is on its way in is bounded, too", () => {
  const store = new MemoryStore({ capacity: 100_000, maxEntry: 40_000 });
  const head = headOf([]);
  const one = store.begin("1", head, undefined)!;
  const other = store.begin("2", head, undefined)!;
  assertEquals(one.append(bytesOf(30_000)), true);
  assertEquals(other.append(bytesOf(30_000)), false);
  one.abort();
  one.abort();
  assertEquals(store.stats().bytes, 0);
});

Deno.test("an update replaces the head and leaves the body", async () => {
  const store = new MemoryStore({ capacity: 1 << 20 });
  const entry = put(store, "k", 5, { tags: ["old"] })!;
  const reader = entry.open(0, 5);
  const updated = store.update(
    entry,
    { ...entry.head, reason: "New", tags: ["new"] },
  );
  assertEquals(entry.head.reason, "OK");
  assertEquals(store.find("k")[0]?.head.reason, "New");
  assertEquals(await readAll(reader), bytesOf(5));
  assertEquals(store.purge({ kind: "tag", tag: "old" }), 0);
  store.remove(entry);
  assertEquals(store.find("k"), []);
  assertEquals(store.update(updated, entry.head), updated);
  assertEquals(store.find("k"), []);
  assertEquals(store.stats(), {
    entries: 0,
    bytes: 0,
    capacity: 1 << 20,
    evicted: 0,
  });
});

Deno.test("a commit replaces what it is told to", () => {
  const store = new MemoryStore({ capacity: 1 << 20 });
  const old = put(store, "k", 5)!;
  put(store, "k", 6, {}, [old, old]);
  assertEquals(store.find("k").map(({ size }) => size), [6]);
});

Deno.test("purges take URL, prefix, tag and all", () => {
  const store = new MemoryStore({ capacity: 1 << 20 });
  const fill = () => {
    for (
      const key of [
        "http://a/x",
        "http://a/x\theader=1",
        "http://a/xy",
        "http://b/",
      ]
    ) {
      put(store, key, 3, { tags: [key.slice(7, 8), "all"] });
    }
  };
  const keys = (purge: Parameters<MemoryStore["purge"]>[0]) => {
    fill();
    const count = store.purge(purge);
    const left = store.stats().entries;
    store.purge({ kind: "all" });
    assertEquals(store.stats().entries, 0);
    return [count, left];
  };
  assertEquals(keys({ kind: "url", url: "http://a/x" }), [2, 2]);
  assertEquals(keys({ kind: "url", url: "http://a/" }), [0, 4]);
  assertEquals(keys({ kind: "prefix", prefix: "http://a/" }), [3, 1]);
  assertEquals(keys({ kind: "tag", tag: "a" }), [3, 1]);
  assertEquals(keys({ kind: "tag", tag: "none" }), [0, 4]);
  assertEquals(keys({ kind: "all" }), [4, 0]);
});

Deno.test("one key can't fill the store", () => {
  const store = new MemoryStore({ capacity: 1 << 24 });
  for (let i = 0; i < 200; i++) put(store, "k", 3, { scope: String(i) });
  assertEquals(store.find("k").length, 64);
  assertEquals(store.find("k")[0]?.head.scope, "199");
});

Deno.test("the bound holds through any sequence, and nothing is lost or mixed up", () => {
  const operation = fc.oneof(
    fc.record({
      do: fc.constant("put" as const),
      key: fc.nat(20),
      size: fc.nat(6000),
    }),
    fc.record({ do: fc.constant("use" as const), key: fc.nat(20) }),
    fc.record({ do: fc.constant("remove" as const), key: fc.nat(20) }),
    fc.record({ do: fc.constant("purge" as const), key: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const store = new MemoryStore({ capacity: 30_000, maxEntry: 8000 });
      const sizes = new Map<string, number>();
      for (const one of operations) {
        const key = `http://a/${one.key}`;
        const [found] = store.find(key);
        if (one.do === "put") {
          const done = put(store, key, one.size, {}, found ? [found] : []);
          if (done !== undefined) sizes.set(key, one.size);
        } else if (one.do === "use") {
          if (found !== undefined) store.used(found);
        } else if (one.do === "remove") {
          if (found !== undefined) store.remove(found);
        } else store.purge({ kind: "url", url: key });
        const { bytes, entries } = store.stats();
        assert(bytes <= 30_000, `${bytes} bytes`);
        let seen = 0;
        for (let i = 0; i <= 20; i++) {
          for (const entry of store.find(`http://a/${i}`)) {
            seen++;
            assertEquals(entry.size, sizes.get(entry.key));
          }
        }
        assertEquals(seen, entries);
      }
    }),
  );
});

Deno.test("a chunk list gives back what it took, however it was cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(PIECE * 2), { maxLength: 6 }),
      fc.boolean(),
      fc.nat(),
      fc.nat(),
      async (sizes, known, a, b) => {
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const whole = bytesOf(total);
        const list = new ChunkList(known ? total : undefined);
        let at = 0;
        for (const size of sizes) {
          list.append(whole.subarray(at, at + size));
          at += size;
        }
        list.trim();
        assertEquals(list.length, total);
        assertEquals(list.allocated, total);
        const start = a % (total + 1);
        const end = start + b % (total - start + 1);
        const read = await readAll(list.read(start, end));
        assert(read.length === end - start);
        assert(read.every((byte, i) => byte === whole[start + i]));
      },
    ),
    { numRuns: 30 },
  );
});
