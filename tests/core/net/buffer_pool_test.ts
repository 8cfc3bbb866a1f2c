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

Deno.test("Buffers.bytes: adds up what is out and what waits", () => {
  const buffers = new Buffers();
  const small = buffers.small.take();
  buffers.medium.take();
  buffers.give(small);
  assertEquals(buffers.bytes, buffers.small.size + buffers.medium.size);
});
