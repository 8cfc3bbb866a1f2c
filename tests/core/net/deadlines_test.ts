import { Deadlines, type Expiring } from "../../../core/net/deadlines.ts";
import { NOWHERE } from "../../../core/net/roster.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

class Entry implements Expiring {
  place = NOWHERE;
  expired = 0;
  deadline: number;

  constructor(deadline = Infinity) {
    this.deadline = deadline;
  }

  expire(): void {
    this.expired++;
    this.deadline = Infinity;
  }
}

Deno.test("Deadlines: expires an entry once its time is over, and not before", () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  const entry = new Entry();
  deadlines.add(entry);
  entry.deadline = deadlines.after(1_000);
  clock.advance(1_000);
  assertEquals(entry.expired, 0);
  clock.advance(200);
  assertEquals(entry.expired, 1);
  clock.advance(10_000);
  assertEquals(entry.expired, 1);
  deadlines.delete(entry);
});

Deno.test("Deadlines.after: never early, also when asked right before a sweep", () => {
  for (const phase of [0, 1, 50, 99, 100, 101]) {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock);
    const entry = new Entry();
    deadlines.add(entry);
    clock.advance(phase);
    const asked = clock.now();
    entry.deadline = deadlines.after(300);
    while (entry.expired === 0) clock.advance(1);
    const took = clock.now() - asked;
    assert(took >= 300 && took <= 500, `${phase}: ${took}`);
    deadlines.delete(entry);
  }
});

Deno.test("Deadlines.after: not early where nothing was watched for long", () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  clock.advance(60_000);
  const entry = new Entry(deadlines.after(1_000));
  deadlines.add(entry);
  clock.advance(999);
  assertEquals(entry.expired, 0);
  clock.advance(300);
  assertEquals(entry.expired, 1);
  deadlines.delete(entry);
});

Deno.test("Deadlines.after: not early where the event loop was busy since the last sweep", () => {
  const clock = new FakeClock();
  let busy = 0;
  const deadlines = new Deadlines({
    wall: () => clock.wall(),
    now: () => clock.now() + busy,
    after: (milliseconds, callback) => clock.after(milliseconds, callback),
    every: (milliseconds, callback) => clock.every(milliseconds, callback),
  });
  const watched = new Entry();
  deadlines.add(watched);
  clock.advance(100);
  // Five seconds pass without a sweep, then something is armed.
  busy = 5_000;
  watched.deadline = deadlines.after(2_000);
  clock.advance(100);
  assertEquals(watched.expired, 0);
  clock.advance(1_800);
  assertEquals(watched.expired, 0);
});

Deno.test("Deadlines: the sweep runs only while something is watched", () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  assertEquals(clock.pending, 0);
  const one = new Entry();
  const two = new Entry();
  deadlines.add(one);
  deadlines.add(two);
  assertEquals(clock.pending, 1);
  deadlines.delete(one);
  assertEquals(clock.pending, 1);
  deadlines.delete(two);
  deadlines.delete(two);
  assertEquals(clock.pending, 0);
});

Deno.test("Deadlines: an entry may delete itself and others while it expires", () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  const other = new Entry(0);
  const first: Expiring = {
    place: NOWHERE,
    deadline: 0,
    expire() {
      deadlines.delete(first);
      deadlines.delete(other);
    },
  };
  // Those that came last expire first.
  deadlines.add(other);
  deadlines.add(first);
  clock.advance(100);
  assertEquals(other.expired, 0);
  assertEquals(clock.pending, 0);
});

Deno.test("Deadlines: an entry added while another expires waits for the next sweep at most", () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  const late = new Entry();
  const first: Expiring = {
    place: NOWHERE,
    deadline: 0,
    expire() {
      deadlines.delete(first);
      late.deadline = deadlines.after(100);
      deadlines.add(late);
    },
  };
  deadlines.add(first);
  clock.advance(100);
  assertEquals(late.expired, 0);
  clock.advance(300);
  assertEquals(late.expired, 1);
  deadlines.delete(late);
  assertEquals(clock.pending, 0);
});
