import { systemClock } from "../../../core/net/clock.ts";
import { assertEquals } from "../../support/assert.ts";

/** Runs `use` with timers that wait to be run by hand: their delays in the order in which they were set. */
function withTimers(use: (delays: number[], runLast: () => void) => void) {
  const { setTimeout, clearTimeout } = globalThis;
  const delays: number[] = [];
  const callbacks: (() => void)[] = [];
  Object.assign(globalThis, {
    setTimeout: (callback: () => void, delay: number) => {
      delays.push(delay);
      return callbacks.push(callback);
    },
    clearTimeout: (timer: number) => {
      callbacks[timer - 1] = () => {};
    },
  });
  try {
    use(delays, () => callbacks.at(-1)!());
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}

const MONTH = 30 * 86_400_000;
const LONGEST = 2 ** 31 - 1;

Deno.test("what is a month away is not over at once", () => {
  withTimers((delays, runLast) => {
    let calls = 0;
    systemClock.after(MONTH, () => calls++);
    assertEquals([delays, calls], [[LONGEST], 0]);
    runLast();
    assertEquals([delays, calls], [[LONGEST, MONTH - LONGEST], 0]);
    runLast();
    assertEquals(calls, 1);
  });
});

Deno.test("what is a month away can be cancelled at any time of it", () => {
  withTimers((_delays, runLast) => {
    let calls = 0;
    const cancel = systemClock.after(MONTH, () => calls++);
    runLast();
    cancel();
    runLast();
    systemClock.after(MONTH, () => calls++)();
    runLast();
    assertEquals(calls, 0);
  });
});
