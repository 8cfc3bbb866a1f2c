import {
  forgetUses,
  initUses,
  MemoryUses,
  usesBytes,
} from "../../../core/shared/shared_uses.ts";
import { SharedMemory } from "../../../core/shared/shared_memory.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { fakeShared } from "../../../core/testing/shared.ts";

function makeUses(entries: number, seats = 2) {
  const memory = new SharedArrayBuffer(usesBytes(entries, seats));
  initUses(memory, seats);
  const all = Array.from(
    { length: seats },
    (_, seat) => new MemoryUses(memory, seat),
  );
  return { memory, all };
}

Deno.test("SharedUses – counts over workers, each key apart", () => {
  const { all: [a, b] } = makeUses(8);
  assertEquals([a!.enter("x"), b!.enter("x"), a!.enter("y")], [1, 2, 1]);
  assertEquals([a!.count("x"), b!.count("y"), a!.count("z")], [2, 1, 0]);
  a!.leave("x");
  assertEquals(b!.enter("x"), 2);
  b!.leave("x");
  b!.leave("x");
  assertEquals(a!.count("x"), 0);
});

Deno.test("SharedUses – who ends what it did not begin changes nothing", () => {
  const { all: [a, b] } = makeUses(8);
  a!.enter("x");
  b!.leave("x");
  b!.leave("never");
  assertEquals(a!.count("x"), 1);
});

Deno.test("SharedUses – what a lost worker had under way goes, the rest stays", () => {
  const { memory, all: [a, b] } = makeUses(64);
  for (let i = 0; i < 20; i++) {
    a!.enter(`${i}`);
    b!.enter(`${i}`);
  }
  forgetUses(memory, 1);
  // It only hung, and goes on.
  b!.leave("0");
  for (let i = 0; i < 20; i++) assertEquals(a!.count(`${i}`), 1);
});

Deno.test("SharedUses – a key that has no room is told so, and none that is under way makes room", () => {
  const { all: [a, b] } = makeUses(8);
  for (let i = 0; i < 8; i++) assertEquals(a!.enter(`${i}`), 1);
  assertEquals([a!.enter("one more"), b!.enter("one more")], [
    undefined,
    undefined,
  ]);
  a!.leave("3");
  assertEquals(b!.enter("one more"), 1);
  for (let i = 0; i < 8; i++) assertEquals(b!.count(`${i}`), i === 3 ? 0 : 1);
});

Deno.test("SharedUses – half full there is room for nearly every key", () => {
  const { all: [a] } = makeUses(4_096);
  let refused = 0;
  for (let i = 0; i < 2_048; i++) {
    if (a!.enter(`${i}`) === undefined) refused++;
  }
  assert(refused < 100, `${refused}`);
});

Deno.test("shared.uses – the same in all workers; a seat that is left counts for nothing", async () => {
  const memory = new SharedMemory(2);
  const a = await fakeShared("p", undefined, memory, 0)
    .uses("u", { entries: 10 });
  const b = await fakeShared("p", undefined, memory, 1)
    .uses("u", { entries: 10 });
  a.enter("x");
  assertEquals(b.enter("x"), 2);
  memory.forgetSeat(0);
  assertEquals(b.count("x"), 1);
  await assertRejects(
    () => fakeShared().uses("u", { entries: 0 }),
    RangeError,
    'Cannot share uses "u" as entries must be',
  );
});
