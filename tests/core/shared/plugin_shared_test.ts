import { SharedMemory } from "../../../core/shared/shared_memory.ts";
import {
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../support/assert.ts";
import { fakeShared } from "../../../core/testing/shared.ts";

Deno.test("shared – the same name is the same counter, another or another plugin's is another", async () => {
  const memory = new SharedMemory();
  const one = fakeShared("p", undefined, memory);
  const again = fakeShared("p", undefined, memory);
  const other = fakeShared("q", undefined, memory);
  const counter = await one.counter("hits");
  assertEquals([counter.value, counter.add(), counter.add(5)], [0, 1, 6]);
  assertEquals(counter.add(-2), 4);
  assertEquals((await again.counter("hits")).value, 4);
  assertEquals((await again.counter("misses")).value, 0);
  assertEquals((await other.counter("hits")).value, 0);
});

Deno.test("shared – a counter is exchanged only where it is what was expected", async () => {
  const counter = await fakeShared().counter("c");
  assertEquals([counter.compareExchange(1, 5), counter.value], [0, 0]);
  assertEquals([counter.compareExchange(0, 5), counter.value], [0, 5]);
  for (const value of [0.5, NaN, 2 ** 53]) {
    assertThrows(() => counter.add(value), RangeError, "not whole");
  }
  assertEquals(counter.value, 5);
});

Deno.test("shared – a map of another size is another map", async () => {
  const memory = new SharedMemory();
  const shared = fakeShared("p", undefined, memory);
  const map = await shared.map("m", { entries: 100 });
  map.set("a", 1, 1_000);
  const same = await shared.map("m", { entries: 100 });
  const larger = await shared.map("m", { entries: 200 });
  assertEquals([same.get("a"), larger.get("a")], [1, undefined]);
});

Deno.test("shared – sizes that are none, and more than there may be, are refused", async () => {
  const shared = fakeShared();
  for (const entries of [0, -1, 1.5, NaN, 1_048_577]) {
    await assertRejects(
      () => shared.map("m", { entries }),
      RangeError,
      "entries must be a whole number from 1 to 1048576",
    );
  }
  for (let i = 0; i < 10; i++) await shared.map(`${i}`, { entries: 1_048_576 });
  await assertRejects(
    () => shared.map("one more", { entries: 1_048_576 }),
    RangeError,
    "of at most 268435456 bytes",
  );
});

Deno.test("shared – what no plugin has any more is forgotten, and its room free", async () => {
  const memory = new SharedMemory();
  const shared = fakeShared("p", undefined, memory);
  (await shared.counter("kept")).add();
  const gone = await shared.counter("gone");
  gone.add();
  memory.keep(new Set([JSON.stringify(["p", "kept", "counter", 0])]));
  assertEquals((await shared.counter("kept")).value, 1);
  assertEquals((await shared.counter("gone")).value, 0);
  assertEquals(gone.value, 1);
  for (let round = 0; round < 20; round++) {
    await shared.map(`${round}`, { entries: 1_048_576 });
    memory.keep(new Set());
  }
});
