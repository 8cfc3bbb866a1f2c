/**
 * When backends are checked and what the results make of them; a fake clock
 * turns the time, the test says how each check ends.
 *
 * @module
 */
import type { HealthConfig } from "../../../core/config/config_health.ts";
import {
  type Checked,
  Checker,
  type CheckerOptions,
} from "../../../core/health/checker.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { makeHealth, type TestHealth } from "../../support/backend_health.ts";
import { FakeClock } from "../../support/clock.ts";

const CONFIG: HealthConfig = {
  type: "http",
  method: "GET",
  path: "/",
  host: undefined,
  statuses: [[200, 399]],
  body: undefined,
  interval: 2_000,
  timeout: 1_000,
  rise: 2,
  fall: 3,
};

/** A checker of which the test answers the checks. */
class Bench {
  readonly clock = new FakeClock();
  readonly checker: Checker<string>;
  /** When checks began, by the monotonic clock, with their target. */
  readonly began: [number, string][] = [];
  /** How the next checks end; undefined = well. */
  failure: string | undefined;
  /** Checks end only when the test says so. */
  held: ((failure: string | undefined) => void)[] | undefined;
  /** Checks that were given up. */
  aborted = 0;

  constructor(options: Partial<CheckerOptions<string>> = {}) {
    this.checker = new Checker<string>({
      clock: this.clock,
      // No jitter, and the first check at once.
      random: () => 0.5,
      run: (target, _config, signal) => {
        this.began.push([this.clock.now(), target]);
        signal.addEventListener("abort", () => this.aborted++);
        const { held } = this;
        return held === undefined
          ? Promise.resolve(this.failure)
          : new Promise((resolve) => held.push(resolve));
      },
      ...options,
    });
  }

  /** A backend to be checked. */
  backend(key = "a", config: Partial<HealthConfig> = {}) {
    const made = makeHealth({ clock: this.clock });
    const checked: Checked<string> = {
      key,
      health: made.health,
      target: key,
      config: { ...CONFIG, ...config },
    };
    return { ...made, checked };
  }

  /** Turns the clock by steps, so that each check ends before the next. */
  async pass(milliseconds: number): Promise<void> {
    for (let i = 0; i < milliseconds; i += 50) {
      this.clock.advance(50);
      await settled();
    }
  }

  /** Milliseconds between the checks so far. */
  gaps(): number[] {
    return this.began.slice(1).map(([at], i) => at - this.began[i]![0]);
  }
}

/** What waits for promises that are settled has gone on. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function isUp({ row }: TestHealth): boolean {
  return row.checkedUp;
}

Deno.test("Checker: a backend is up from the start, and the very first check that fails takes it down", async () => {
  const bench = new Bench();
  const one = bench.backend();
  bench.failure = "Cannot connect";
  bench.checker.update([one.checked]);
  assert(isUp(one));
  await bench.pass(1_000);
  assertEquals([isUp(one), bench.began.length], [false, 1]);
  assertEquals(
    one.events.map(({ cause }) => cause),
    ["The first check failed: Cannot connect"],
  );
  bench.checker.stop();
});

Deno.test("Checker: it takes `fall` failures in a row to be down and `rise` good ones to be up", async () => {
  const bench = new Bench();
  const one = bench.backend();
  bench.checker.update([one.checked]);
  await bench.pass(1_000);
  const next = async (failure: string | undefined) => {
    bench.failure = failure;
    const { length } = bench.began;
    while (bench.began.length === length) await bench.pass(50);
    return isUp(one);
  };
  const bad = "It answered 503";
  assertEquals([await next(bad), await next(bad)], [true, true]);
  assertEquals(await next(undefined), true);
  assertEquals([await next(bad), await next(bad)], [true, true]);
  assertEquals(await next(bad), false);
  assertEquals([await next(undefined), await next(bad)], [false, false]);
  assertEquals([await next(undefined), await next(undefined)], [false, true]);
  assertEquals(one.events.map(({ from, to, cause }) => [from, to, cause]), [
    [
      "up",
      "down",
      "3 failed checks in a row, the last one: It answered 503",
    ],
    ["down", "up", "2 good checks in a row"],
  ]);
  bench.checker.stop();
});

Deno.test("Checker: one interval from start to start, half of it while the result is about to turn", async () => {
  const bench = new Bench();
  const one = bench.backend();
  bench.checker.update([one.checked]);
  await bench.pass(5_000);
  assertEquals(bench.gaps(), [2_000, 2_000]);
  bench.failure = "no";
  await bench.pass(4_000);
  assertEquals(isUp(one), false);
  assertEquals(bench.gaps().slice(2), [2_000, 1_000, 1_000]);
  await bench.pass(2_000);
  bench.failure = undefined;
  await bench.pass(3_000);
  assertEquals(isUp(one), true);
  assertEquals(bench.gaps().slice(5), [2_000, 2_000, 1_000]);
  bench.checker.stop();
});

Deno.test("Checker: the time that a check takes is no part of the interval's end", async () => {
  const bench = new Bench();
  const one = bench.backend();
  const held = bench.held = [] as ((failure: string | undefined) => void)[];
  bench.checker.update([one.checked]);
  await bench.pass(1_000);
  await bench.pass(1_500);
  held.shift()!(undefined);
  await settled();
  await bench.pass(500);
  assertEquals(bench.gaps(), [2_000]);
  // One that takes longer than the interval delays the next, and never runs beside it.
  await bench.pass(5_000);
  assertEquals(bench.began.length, 2);
  held.shift()!(undefined);
  await settled();
  await bench.pass(50);
  assertEquals(bench.gaps(), [2_000, 5_000]);
  assertEquals(bench.checker.last("a")?.duration, 5_000);
  bench.checker.stop();
});

Deno.test("Checker: first checks are spread, and each interval varies by a tenth", async () => {
  let turn = 0;
  const random = () => [0, 0.25, 0.5, 0.75, 0.999][turn++ % 5]!;
  const bench = new Bench({ random });
  bench.checker.update(
    ["a", "b", "c", "d", "e"].map((key) => bench.backend(key).checked),
  );
  await bench.pass(2_000);
  const first = new Map(bench.began.toReversed().map(([at, key]) => [key, at]));
  assertEquals(
    [...first.values()].map((at) => at - 1_000).sort((a, b) => a - b),
    [0, 500, 1_000, 1_500, 1_998],
  );
  bench.checker.stop();
  const alone = new Bench({ random: Math.random });
  alone.checker.update([alone.backend().checked]);
  await alone.pass(200_000);
  for (const gap of alone.gaps()) {
    assert(gap >= 1_800 && gap <= 2_250, `${gap}`);
  }
  assert(new Set(alone.gaps()).size > 3);
  alone.checker.stop();
});

Deno.test("Checker: the first check comes within 5 s, however long the interval", async () => {
  const bench = new Bench({ random: () => 1 });
  bench.checker.update([bench.backend("a", { interval: 3_600_000 }).checked]);
  await bench.pass(5_000);
  assertEquals(bench.began.length, 1);
  bench.checker.stop();
});

Deno.test("Checker.update: backends that stay go on in their beat with what is known of them, others end", async () => {
  const bench = new Bench();
  const [one, other] = [bench.backend("a"), bench.backend("b")];
  bench.checker.update([one.checked, other.checked]);
  await bench.pass(1_000);
  bench.failure = "no";
  await bench.pass(3_000);
  assertEquals([isUp(one), isUp(other)], [true, true]);
  const before = bench.began.length;
  bench.checker.update([{ ...one.checked, config: { ...CONFIG } }]);
  await bench.pass(1_000);
  assertEquals(bench.began.slice(before).map(([, key]) => key), ["a"]);
  assertEquals([isUp(one), isUp(other)], [false, true]);
  bench.checker.stop();
  assertEquals(bench.clock.pending, 0);
});

Deno.test("Checker.update: a changed config begins a new beat and keeps the state", async () => {
  const bench = new Bench();
  const one = bench.backend();
  bench.checker.update([one.checked]);
  bench.failure = "no";
  await bench.pass(1_000);
  assertEquals(isUp(one), false);
  const held = bench.held = [] as ((failure: string | undefined) => void)[];
  await bench.pass(2_000);
  const config = { ...CONFIG, interval: 10_000, rise: 1 };
  bench.checker.update([{ ...one.checked, config }]);
  assertEquals(bench.aborted, 1);
  // The result of the check that was given up changes nothing.
  held.shift()!(undefined);
  await bench.pass(2_450);
  assertEquals([isUp(one), bench.began.length], [false, 2]);
  bench.held = undefined;
  bench.failure = undefined;
  await bench.pass(50);
  assertEquals([isUp(one), bench.began.length], [true, 3]);
  bench.checker.stop();
});

Deno.test("Checker: maintenance switches checks off, and the first one after it decides at once", async () => {
  const bench = new Bench();
  const one = bench.backend();
  bench.checker.update([one.checked]);
  await bench.pass(1_000);
  one.health.setState("maintenance", "t");
  bench.failure = "no";
  await bench.pass(20_000);
  assertEquals([isUp(one), bench.began.length], [true, 1]);
  one.health.setState("ready", "t");
  bench.checker.recheck("a");
  await settled();
  assertEquals([isUp(one), bench.began.length], [false, 2]);
  one.health.setState("maintenance", "t");
  bench.failure = undefined;
  one.health.setState("ready", "t");
  bench.checker.recheck("a");
  await settled();
  assertEquals([isUp(one), bench.began.length], [true, 3]);
  bench.checker.stop();
});

Deno.test("Checker: what a check finds after maintenance began is not counted", async () => {
  const bench = new Bench();
  const one = bench.backend();
  const held = bench.held = [] as ((failure: string | undefined) => void)[];
  bench.checker.update([one.checked]);
  await bench.pass(1_000);
  one.health.setState("maintenance", "t");
  held.shift()!("no");
  await settled();
  assertEquals(isUp(one), true);
  bench.checker.stop();
});

Deno.test("Checker: disabled and draining backends are checked on", async () => {
  const bench = new Bench();
  const one = bench.backend();
  bench.checker.update([one.checked]);
  await bench.pass(1_000);
  one.health.setState("disabled", "t");
  await bench.pass(2_000);
  one.health.setState("drain", "t");
  await bench.pass(2_000);
  assertEquals(bench.began.length, 3);
  bench.checker.stop();
});

Deno.test("Checker.last tells how the last check went", async () => {
  const bench = new Bench();
  const one = bench.backend();
  bench.checker.update([one.checked]);
  assertEquals(bench.checker.last("a"), undefined);
  bench.failure = "It answered 503";
  await bench.pass(1_000);
  assertEquals(bench.checker.last("a"), {
    at: bench.clock.wall(),
    duration: 0,
    failure: "It answered 503",
  });
  assertEquals(bench.checker.last("b"), undefined);
  bench.checker.stop();
});

Deno.test("Checker.stop ends what runs and what waits", async () => {
  const bench = new Bench();
  bench.held = [];
  const [one, other] = [bench.backend("a"), bench.backend("b")];
  bench.checker.update([one.checked]);
  await bench.pass(1_000);
  bench.checker.update([one.checked, other.checked]);
  bench.checker.stop();
  assertEquals([bench.aborted, bench.clock.pending], [1, 0]);
  bench.held.shift()!("too late");
  await bench.pass(10_000);
  assertEquals([isUp(one), bench.began.length], [true, 1]);
});
