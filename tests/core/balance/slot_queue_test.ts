import { SlotQueue } from "../../../core/balance/slot_queue.ts";
import { ProxyError } from "../../../core/errors.ts";
import type { SlotLine } from "../../../core/health/slot_line.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import {
  SeatCounts,
  seatCountsBytes,
} from "../../../core/shared/seat_counts.ts";
import {
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

const GONE = new ProxyError("client_closed", "gone");

class Backend {
  readonly id: string;
  free: number;

  constructor(id: string, free = 0) {
    this.id = id;
    this.free = free;
  }

  takeSlot(): string | undefined {
    if (this.free === 0) return undefined;
    this.free--;
    return `of ${this.id}`;
  }
}

function queueOf(backends: Backend[], size = 10, fellows?: SeatCounts) {
  const clock = new FakeClock();
  const queue = new SlotQueue<Backend, string>({
    deadlines: new Deadlines(clock),
    backends: () => backends,
  });
  const wait = (fits: (backend: Backend) => boolean) =>
    queue.wait(fits, { size, timeout: 5_000, fellows });
  return { clock, queue, wait };
}

Deno.test("SlotQueue: who came first gets the slot, if it fits", async () => {
  const a = new Backend("a");
  const b = new Backend("b");
  const { queue, clock, wait } = queueOf([a, b]);
  const first = wait((backend) => backend === b);
  const second = wait(() => true);
  const third = wait(() => true);
  a.free = 1;
  queue.freed(a);
  assertEquals((await second.granted).backend, a);
  b.free = 1;
  queue.freed(b);
  assertEquals((await first.granted).backend, b);
  assertEquals([queue.length, a.free, b.free], [1, 0, 0]);
  const left = assertRejects(() => third.granted, ProxyError, "gone");
  third.leave(GONE);
  await left;
  assertEquals([queue.length, clock.pending], [0, 0]);
});

Deno.test("SlotQueue: a slot that another worker freed is found within a sweep", async () => {
  const a = new Backend("a");
  const { clock, wait } = queueOf([a]);
  const { granted } = wait(() => true);
  clock.advance(100);
  a.free = 1;
  clock.advance(100);
  assertEquals((await granted).backend, a);
  assertEquals(a.free, 0);
});

Deno.test("SlotQueue: who waits too long is refused, a full queue at once", async () => {
  const { queue, clock, wait } = queueOf([new Backend("a")], 1);
  const { granted } = wait(() => true);
  const full = assertThrows(() => wait(() => true), ProxyError);
  assertEquals([full.code, full.status], ["queue_full", 503]);
  const late = assertRejects(() => granted, ProxyError, "5000 ms");
  clock.advance(5_200);
  assertEquals((await late as ProxyError).code, "queue_timeout");
  assertEquals([queue.length, clock.pending], [0, 0]);
});

Deno.test("SlotQueue: one that left is passed over", async () => {
  const a = new Backend("a");
  const { queue, wait } = queueOf([a]);
  const first = wait(() => true);
  const left = assertRejects(() => first.granted, ProxyError, "gone");
  first.leave(GONE);
  await left;
  const { granted } = wait(() => true);
  a.free = 1;
  queue.freed(a);
  assertEquals((await granted).backend, a);
});

/** A line with a worker that the test plays. */
class Line {
  waiting = 0;
  othersWait = false;
  calls = 0;
  #called = Promise.withResolvers<void>();

  join(): void {
    this.waiting++;
  }

  leave(): void {
    this.waiting--;
  }

  call(): void {
    this.calls++;
  }

  called(): Promise<void> {
    return this.#called.promise;
  }

  /** The other worker calls. */
  wake(): void {
    this.#called.resolve();
    this.#called = Promise.withResolvers();
  }
}

class SharedBackend extends Backend {
  readonly line = new Line() as Line & SlotLine;
}

Deno.test("SlotQueue: where others wait for a slot that was freed they are called, else it is given here", async () => {
  const a = new SharedBackend("a");
  const { queue, wait } = queueOf([a]);
  const { granted } = wait(() => true);
  assertEquals(a.line.waiting, 1);
  a.free = 1;
  a.line.othersWait = true;
  queue.freed(a);
  assertEquals([a.line.calls, a.free, queue.length], [1, 1, 1]);
  a.line.othersWait = false;
  queue.freed(a);
  assertEquals((await granted).backend, a);
  assertEquals([a.line.calls, a.line.waiting], [1, 0]);
  a.line.wake();
});

Deno.test("SlotQueue: at another worker's call who waits takes what is free, for as long as anybody waits", async () => {
  const a = new SharedBackend("a");
  const b = new SharedBackend("b");
  const { queue, wait } = queueOf([a, b]);
  const first = wait(() => true);
  const second = wait((backend) => backend === a);
  assertEquals([a.line.waiting, b.line.waiting], [2, 1]);
  // Another was faster.
  a.line.wake();
  await Promise.resolve();
  assertEquals(queue.length, 2);
  for (const waiting of [first, second]) {
    a.free = 1;
    a.line.wake();
    assertEquals((await waiting.granted).backend, a);
  }
  assertEquals([a.line.waiting, b.line.waiting, a.free], [0, 0, 0]);
  b.line.wake();
});

Deno.test("SlotQueue: its size is that of all workers' queues together", async () => {
  const memory = new SharedArrayBuffer(seatCountsBytes(2));
  const a = new Backend("a");
  const [one, other] = [0, 1].map((seat) =>
    queueOf([a], 2, new SeatCounts(memory, seat))
  ) as [ReturnType<typeof queueOf>, ReturnType<typeof queueOf>];
  const first = one.wait(() => true);
  const second = other.wait(() => true);
  for (const { wait } of [one, other]) {
    assertThrows(
      () => wait(() => true),
      ProxyError,
      "2 requests wait for a slot already",
    );
  }
  a.free = 1;
  one.queue.freed(a);
  await first.granted;
  const third = other.wait(() => true);
  for (const { granted, leave } of [second, third]) {
    const left = assertRejects(() => granted, ProxyError, "gone");
    leave(GONE);
    await left;
  }
  assertEquals(new SeatCounts(memory, 0).open, 0);
});
