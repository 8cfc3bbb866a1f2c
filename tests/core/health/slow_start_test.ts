import fc from "fast-check";
import {
  slowStartChangesAt,
  slowStartFactor,
} from "../../../core/health/slow_start.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const FROM = 1_700_000_000_000;

Deno.test("slowStartFactor grows by a second's step, from the first on", () => {
  const factors = [0, 999, 1_000, 4_999, 8_999, 9_000, 100_000].map((elapsed) =>
    slowStartFactor(FROM, 10_000, FROM + elapsed)
  );
  assertEquals(factors, [0.1, 0.1, 0.2, 0.5, 0.9, 1, 1]);
});

Deno.test("slowStartFactor of a short start has ten steps", () => {
  const factors = [0, 99, 100, 899, 900].map((elapsed) =>
    slowStartFactor(FROM, 1_000, FROM + elapsed)
  );
  assertEquals(factors, [0.1, 0.1, 0.2, 0.9, 1]);
});

Deno.test("slowStartFactor is whole for one that never went away, and where the clock was set back", () => {
  assertEquals(slowStartFactor(0, 86_400_000, FROM), 1);
  assertEquals(slowStartFactor(FROM, 10_000, FROM - 1), 1);
});

Deno.test("slowStartFactor never falls, and changes when slowStartChangesAt says", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 100_000 }), (duration) => {
    let now = FROM;
    let factor = slowStartFactor(FROM, duration, now);
    let steps = 0;
    assert(factor > 0);
    while (factor < 1) {
      const next = slowStartChangesAt(FROM, duration, now);
      assert(next > now && next <= now + 1_000);
      assertEquals(slowStartFactor(FROM, duration, next - 1), factor);
      const grown = slowStartFactor(FROM, duration, next);
      assert(grown > factor);
      [now, factor] = [next, grown];
      steps++;
    }
    assert(now <= FROM + duration && (duration < 100 || steps >= 9));
    assertEquals(slowStartChangesAt(FROM, duration, now), Infinity);
  }));
});
