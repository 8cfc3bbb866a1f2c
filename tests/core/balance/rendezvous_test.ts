/**
 * The race of weighted rendezvous: fair by weight, and never early.
 *
 * @module
 */
import fc from "fast-check";
import { arrivalOf, hashName, wins } from "../../../core/balance/rendezvous.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { weights } from "./arbitrary_members.ts";

Deno.test("wins is the earlier, and of two at once the one whose name comes first", () => {
  assert(wins(1, "b", 2, "a"));
  assert(!wins(2, "a", 1, "b"));
  assert(wins(1, "a", 1, "b"));
  assert(!wins(1, "b", 1, "a"));
  assert(!wins(1, "a", 1, "a"));
});

Deno.test("arrivalOf is exact up to the best, and later than it otherwise", () => {
  const best = fc.double({ min: 1e-9, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(
      fc.integer(),
      fc.string(),
      weights,
      best,
      (key, id, weight, best) => {
        const name = hashName(id);
        const exact = arrivalOf(key, name, weight, Infinity);
        const said = arrivalOf(key, name, weight, best);

        assert(exact > 0 && exact < Infinity);
        if (exact <= best) assertEquals(said, exact);
        else assert(said > best && said <= exact);
      },
    ),
    { numRuns: 1_000 },
  );
});

Deno.test("arrivalOf comes as much earlier as the weight is greater", () => {
  const name = hashName("a");
  for (let key = 0; key < 100; key++) {
    const one = arrivalOf(key, name, 1, Infinity);
    assertEquals(arrivalOf(key, name, 4, Infinity), one / 4);
  }
});

Deno.test("hashName tells names apart in both halves", () => {
  const names = Array.from(
    { length: 1_000 },
    (_, i) => hashName(`10.0.0.${i}`),
  );

  assertEquals(new Set(names.map(({ a }) => a)).size, 1_000);
  assertEquals(new Set(names.map(({ b }) => b)).size, 1_000);
});
