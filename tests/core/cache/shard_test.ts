import { assert, assertEquals } from "@std/assert";
import { ownerOf, shardOf, SHARDS } from "../../../core/cache/shard.ts";

Deno.test("cache/shard: all keys of a URL are in one part", () => {
  const url = "http://shop.example.com/a?b=c";
  assertEquals(shardOf(`${url}\tcookie=1`), shardOf(url));
  assertEquals(shardOf(`${url}\tcookie=2`), shardOf(url));
});

Deno.test("cache/shard: URLs spread evenly over parts, parts over workers", () => {
  const parts = new Array<number>(SHARDS).fill(0);
  const workers = new Array<number>(3).fill(0);
  for (let i = 0; i < 64_000; i++) {
    const shard = shardOf(`http://a.example/${i}`);
    parts[shard]!++;
    workers[ownerOf(shard, 3)]!++;
  }
  // 1,000 each on average; five standard deviations are 160.
  for (const count of parts) assert(Math.abs(count - 1000) < 160);
  for (const count of workers) assert(Math.abs(count - 21_333) < 1200);
});
