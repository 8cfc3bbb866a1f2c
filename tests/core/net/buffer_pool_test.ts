import { BufferPool, Buffers } from "../../../core/net/buffer_pool.ts";
import { assert, assertEquals } from "../../support/assert.ts";

Deno.test("BufferPool.take: gives back what was given, without a new allocation", () => {
  const pool = new BufferPool(64, { keep: 2 });
  const first = pool.take();
  assertEquals(first.length, 64);
  pool.give(first);
  assert(pool.take() === first);
});

Deno.test("BufferPool: counts what is out and what waits", () => {
  const pool = new BufferPool(64, { keep: 2 });
  const out = [pool.take(), pool.take(), pool.take()];
  assertEquals([pool.inUse, pool.free], [3, 0]);
  for (const buffer of out) pool.give(buffer);
  assertEquals([pool.inUse, pool.free], [0, 2]);
});

Deno.test("BufferPool.exhausted: true at the limit, false below it", () => {
  const pool = new BufferPool(64, { keep: 2, limit: 1 });
  assertEquals(pool.exhausted, false);
  const buffer = pool.take();
  assertEquals(pool.exhausted, true);
  pool.give(buffer);
  assertEquals(pool.exhausted, false);
});

Deno.test("Buffers.give: each size goes back to its own pool", () => {
  const buffers = new Buffers();
  for (const pool of [buffers.small, buffers.medium, buffers.large]) {
    const buffer = pool.take();
    assertEquals(pool.inUse, 1);
    buffers.give(buffer);
    assertEquals([pool.inUse, pool.free], [0, 1]);
  }
});

Deno.test("Buffers.larger: small to medium, medium to large, large stays", () => {
  const buffers = new Buffers();
  assert(buffers.larger(new Uint8Array(buffers.small.size)) === buffers.medium);
  assert(buffers.larger(new Uint8Array(buffers.medium.size)) === buffers.large);
  assert(buffers.larger(new Uint8Array(buffers.large.size)) === buffers.large);
});

Deno.test("Buffers.larger: medium ones serve once the large ones are all out", () => {
  const buffers = new Buffers();
  while (!buffers.large.exhausted) buffers.large.take();
  assert(
    buffers.larger(new Uint8Array(buffers.medium.size)) === buffers.medium,
  );
  assertEquals(buffers.large.inUse, 64);
});

Deno.test("Buffers.limitBulk: as many large ones as fit, at once and from then on", () => {
  const buffers = new Buffers();
  const { large } = buffers;
  const out = [large.take(), large.take(), large.take()];
  for (const buffer of out) buffers.give(buffer);
  assertEquals(large.free, 3);
  buffers.limitBulk(2.9 * large.size);
  assertEquals([large.free, large.exhausted], [2, false]);
  const [first, second] = [large.take(), large.take()];
  assertEquals([large.inUse, large.free, large.exhausted], [2, 0, true]);
  buffers.limitBulk(large.size);
  assert(large.exhausted);
  buffers.give(first);
  assert(large.exhausted);
  buffers.give(second);
  assertEquals([large.inUse, large.free, large.exhausted], [0, 1, false]);
});

Deno.test("Buffers.pools: each by its name", () => {
  const buffers = new Buffers();
  const { tiny, small, medium, large } = buffers;
  assertEquals(buffers.pools, [
    ["tiny", tiny],
    ["small", small],
    ["medium", medium],
    ["large", large],
  ]);
});
