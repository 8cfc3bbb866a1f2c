import { LoopLagMeter } from "../../../core/observe/loop_lag.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import type { Clock } from "../../../core/net/clock.ts";
import { assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

function makeHistogram() {
  const registry = new MetricRegistry();
  return registry.histogram({ name: "lag", help: "", buckets: [0.01, 0.1] })
    .series();
}

Deno.test("LoopLagMeter observes no lag while timers run in time", () => {
  const clock = new FakeClock();
  const histogram = makeHistogram();
  using _meter = new LoopLagMeter({ clock, histogram, interval: 100 });

  clock.advance(350);

  assertEquals([...histogram.counts], [3, 0, 0]);
  assertEquals(histogram.sum, 0);
});

Deno.test("LoopLagMeter observes in seconds how late a timer runs", () => {
  let now = 0;
  let fire = () => {};
  const clock: Clock = {
    wall: () => now,
    now: () => now,
    every: () => () => {},
    after(_milliseconds, callback) {
      fire = callback;
      return () => {};
    },
  };
  const histogram = makeHistogram();
  using _meter = new LoopLagMeter({ clock, histogram, interval: 100 });

  now = 150;
  fire();
  now = 300;
  fire();

  assertEquals([...histogram.counts], [0, 2, 0]);
  assertEquals(histogram.sum, 0.1);
});

Deno.test("LoopLagMeter leaves no timer when disposed of", () => {
  const clock = new FakeClock();
  const histogram = makeHistogram();
  const meter = new LoopLagMeter({ clock, histogram });
  clock.advance(500);
  meter[Symbol.dispose]();

  assertEquals(clock.pending, 0);
});
