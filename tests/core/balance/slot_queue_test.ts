import { SlotQueue } from "../../../core/balance/slot_queue.ts";
import { ProxyError } from "../../../core/errors.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import {
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

class Backend {
  readonly id: string;
  free: number;

  constructor(id: string, free = 0) {
    this.id = id;
    this.free = free;
  }

  takeSlot(): boolean {
    if (this.free === 0) return false;
    this.free--;
    return true;
  }
}

function queueOf(backends: Backend[], size = 10) {
  const clock = new FakeClock();
  const queue = new SlotQueue<Backend>({
    deadlines: new Deadlines(clock),
    limits: { size, timeout: 5_000 },
    backends: () => backends,
  });
  return { clock, queue };
}

Deno.test("SlotQueue: who came first gets the slot, if it fits", async () => {
  const a = new Backend("a");
  const b = new Backend("b");
  const { queue, clock } = queueOf([a, b]);
  const first = queue.wait((backend) => backend === b);
  const second = queue.wait(() => true);
  const third = queue.wait(() => true);
  a.free = 1;
  queue.freed(a);
  assertEquals(await second.granted, a);
  b.free = 1;
  queue.freed(b);
  assertEquals(await first.granted, b);
  assertEquals([queue.length, a.free, b.free], [1, 0, 0]);
  third.leave();
  assertEquals([queue.length, clock.pending], [0, 0]);
});

Deno.test("SlotQueue: a slot that another worker freed is found within a sweep", async () => {
  const a = new Backend("a");
  const { queue, clock } = queueOf([a]);
  const { granted } = queue.wait(() => true);
  clock.advance(100);
  a.free = 1;
  clock.advance(100);
  assertEquals(await granted, a);
  assertEquals(a.free, 0);
});

Deno.test("SlotQueue: who waits too long is refused, a full queue at once", async () => {
  const { queue, clock } = queueOf([new Backend("a")], 1);
  const { granted } = queue.wait(() => true);
  const full = assertThrows(() => queue.wait(() => true), ProxyError);
  assertEquals([full.code, full.status], ["queue_full", 503]);
  const late = assertRejects(() => granted, ProxyError, "5000 ms");
  clock.advance(5_200);
  assertEquals((await late as ProxyError).code, "queue_timeout");
  assertEquals([queue.length, clock.pending], [0, 0]);
});

Deno.test("SlotQueue: one that left is passed over", async () => {
  const a = new Backend("a");
  const { queue } = queueOf([a]);
  queue.wait(() => true).leave();
  const { granted } = queue.wait(() => true);
  a.free = 1;
  queue.freed(a);
  assertEquals(await granted, a);
});
