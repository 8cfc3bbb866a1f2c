import {
  loseSeatCount,
  openSeatCount,
  SeatCounts,
  seatCountsBytes,
} from "../../../core/shared/seat_counts.ts";
import { assertEquals } from "../../support/assert.ts";
import { inTime } from "../../support/eventually.ts";
import type { SeatHammer } from "./seat_hammer_worker.ts";

function makeCounts(seats: number) {
  const memory = new SharedArrayBuffer(seatCountsBytes(seats));
  const all = Array.from(
    { length: seats },
    (_, seat) => new SeatCounts(memory, seat),
  );
  return { memory, all };
}

Deno.test("SeatCounts – the bound is that of all workers", () => {
  const { all: [a, b] } = makeCounts(2);
  assertEquals(
    [a!.enterBelow(3), b!.enterBelow(3), a!.enterBelow(3), b!.enterBelow(3)],
    [true, true, true, false],
  );
  assertEquals([a!.open, b!.open], [3, 3]);
  a!.leave();
  assertEquals([b!.enterBelow(3), a!.enterBelow(3)], [true, false]);
  a!.enter();
  assertEquals(b!.open, 4);
});

Deno.test("SeatCounts – a lost worker's share goes, and what it does then counts for nothing", () => {
  const { memory, all: [a, b] } = makeCounts(2);
  for (let i = 0; i < 3; i++) a!.enter();
  b!.enter();
  loseSeatCount(memory, 0);
  assertEquals(b!.open, 1);
  a!.enter();
  a!.leave();
  a!.leave();
  assertEquals(b!.open, 1);
  openSeatCount(memory, 0);
  assertEquals(a!.enterBelow(2), true);
  assertEquals(b!.enterBelow(2), false);
});

Deno.test("SeatCounts – who ends what it did not begin changes nothing", () => {
  const { all: [a, b] } = makeCounts(2);
  b!.enter();
  a!.leave();
  assertEquals(a!.open, 1);
});

Deno.test("SeatCounts.called: who waits is called by another worker's leave, not by its own", async () => {
  const { all: [a, b] } = makeCounts(2);
  a!.enter();
  b!.enter();
  const called = b!.called();
  assertEquals(b!.leave(), false);
  assertEquals(a!.leave(), true);
  await inTime("the call", called);
  a!.enter();
  assertEquals(a!.leave(), false);
});

Deno.test("SeatCounts.enterBelow: workers that crowd in at once never are more than may be", async () => {
  const { memory } = makeCounts(3);
  const hammer = { memory, most: 2, rounds: 20_000 };
  const workers = [0, 1, 2].map(() =>
    new Worker(new URL("./seat_hammer_worker.ts", import.meta.url), {
      type: "module",
    })
  );
  const told = await Promise.all(workers.map(async (worker, seat) => {
    const done = Promise.withResolvers<number[]>();
    worker.onmessage = ({ data }) => done.resolve(data);
    worker.postMessage({ ...hammer, seat } satisfies SeatHammer);
    const result = await done.promise;
    worker.terminate();
    return result;
  }));
  assertEquals(Math.max(...told.map(([highest]) => highest!)), 2);
  assertEquals(told.map(([, entered]) => entered! > 0), [true, true, true]);
  assertEquals(new SeatCounts(memory, 0).open, 0);
});
