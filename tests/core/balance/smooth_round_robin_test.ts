/**
 * Turns by weight: exact over a round, fair whoever is left out when.
 *
 * @module
 */
import fc from "fast-check";
import { SmoothRoundRobin } from "../../../core/balance/smooth_round_robin.ts";
import { assert, assertEquals } from "../../support/assert.ts";

function turnsOf(weights: readonly number[]): SmoothRoundRobin<number> {
  return new SmoothRoundRobin(
    weights.map((weight, item) => ({ item, weight })),
  );
}

/** How often each item is picked. */
function count(
  weights: readonly number[],
  picks: number,
  turns = turnsOf(weights),
): number[] {
  const counts = weights.map(() => 0);
  for (let i = 0; i < picks; i++) counts[turns.pick()!]!++;
  return counts;
}

Deno.test("SmoothRoundRobin spreads a heavy item over the round", () => {
  const turns = turnsOf([5, 1, 1]);
  const picked = Array.from({ length: 7 }, () => turns.pick());

  assertEquals(picked, [0, 0, 1, 0, 2, 0, 0]);
});

Deno.test("SmoothRoundRobin takes equal items in their order", () => {
  const turns = turnsOf([3, 3, 3]);
  const picked = Array.from({ length: 7 }, () => turns.pick());

  assertEquals(picked, [0, 1, 2, 0, 1, 2, 0]);
});

Deno.test("SmoothRoundRobin never picks weight 0", () => {
  assertEquals(count([1, 0, 3], 400), [100, 0, 300]);
});

Deno.test("SmoothRoundRobin has nothing to pick without items, weights or usable items", () => {
  assertEquals(turnsOf([]).pick(), undefined);
  assertEquals(turnsOf([0, 0]).pick(), undefined);
  assertEquals(turnsOf([1]).pick(() => false), undefined);
  assertEquals(turnsOf([1, 1]).pick(() => false), undefined);
});

Deno.test("SmoothRoundRobin goes on as before after a pick that found nothing usable", () => {
  const turns = turnsOf([1, 1]);
  const picked = [
    turns.pick(),
    turns.pick(() => false),
    turns.pick(),
    turns.pick(),
  ];

  assertEquals(picked, [0, undefined, 1, 0]);
});

Deno.test("SmoothRoundRobin is exact over every whole round", () => {
  const weights = fc.array(fc.nat(100), { minLength: 1, maxLength: 8 })
    .filter((weights) => weights.some((weight) => weight > 0));
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 5 }), (weights, rounds) => {
      const total = weights.reduce((sum, weight) => sum + weight);
      assertEquals(
        count(weights, total * rounds),
        weights.map((weight) => weight * rounds),
      );
    }),
  );
});

/** What an item is due of a pick among the usable ones. */
function dues(weights: readonly number[], usable: (item: number) => boolean) {
  const total = weights.reduce(
    (sum, weight, item) => usable(item) ? sum + weight : sum,
    0,
  );
  return weights.map((weight, item) => usable(item) ? weight / total : 0);
}

const PICKS = 10_000;

Deno.test("SmoothRoundRobin stays within 1 % of the weights whoever is excluded at a pick", () => {
  const setup = fc.array(fc.integer({ min: 1, max: 100 }), {
    minLength: 2,
    maxLength: 6,
  }).chain((weights) =>
    fc.record({
      weights: fc.constant(weights),
      // Who is left out, pick after pick, again and again.
      excluded: fc.array(
        fc.array(fc.nat(weights.length - 1), { maxLength: weights.length - 1 }),
        { minLength: 1, maxLength: 20 },
      ),
    })
  );
  fc.assert(
    fc.property(setup, ({ weights, excluded }) => {
      const turns = turnsOf(weights);
      const counts = weights.map(() => 0);
      const due = weights.map(() => 0);
      for (let i = 0; i < PICKS; i++) {
        const out = excluded[i % excluded.length]!;
        const usable = (item: number) => !out.includes(item);
        dues(weights, usable).forEach((share, item) => due[item]! += share);
        const picked = turns.pick(usable)!;
        assert(usable(picked));
        counts[picked]!++;
      }
      counts.forEach((count, item) => {
        const off = Math.abs(count - due[item]!);
        assert(off <= PICKS / 100, `${counts} of ${due}`);
      });
    }),
    { numRuns: 50 },
  );
});

Deno.test("SmoothRoundRobin makes no burst of an item that comes back", () => {
  const turns = turnsOf([1, 1, 1]);
  for (let i = 0; i < 1_000; i++) turns.pick((item) => item !== 2);
  const after = Array.from({ length: 6 }, () => turns.pick());

  assertEquals(after.filter((item) => item === 2).length, 2);
});
