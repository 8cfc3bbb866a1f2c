/**
 * The ring: arcs by weight, owners that follow from the members alone, and no arc
 * that moves without need.
 *
 * @module
 */
import fc from "fast-check";
import { arcOf, ARCS, HashRing } from "../../../core/balance/hash_ring.ts";
import type { Share } from "../../../core/balance/turns.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { weights } from "./arbitrary_members.ts";

/** Owners' ids by arc. */
function owners(ring: HashRing, shares: readonly Share[]): string[] {
  return Array.from(
    { length: ARCS },
    (_, arc) => shares[ring.owner(arc)]?.id ?? "nobody",
  );
}

function ringOf(shares: readonly Share[]): string[] {
  const ring = new HashRing();
  ring.update(shares);
  return owners(ring, shares);
}

function equal(count: number, prefix = ""): Share[] {
  return Array.from(
    { length: count },
    (_, i) => ({ id: `${prefix}10.0.0.${i}:8080`, weight: 1 }),
  );
}

/** Who lost arcs to whom. */
function moves(
  before: readonly string[],
  after: readonly string[],
): [string, string][] {
  return before.flatMap((from, arc): [string, string][] => {
    const to = after[arc]!;
    return from === to ? [] : [[from, to]];
  });
}

Deno.test("HashRing gives arcs by weight, whatever the weights' unit", () => {
  for (const unit of [0.01, 1, 1_000]) {
    const shares = [1, 2, 3, 4].map((weight, i) => ({
      id: `backend ${i}`,
      weight: weight * unit,
    }));
    const owned = ringOf(shares);
    for (const { id, weight } of shares) {
      const share = owned.filter((owner) => owner === id).length / ARCS;
      const due = weight / (10 * unit);
      assert(Math.abs(share - due) < 0.02, `${share} of ${due}`);
    }
  }
});

Deno.test("HashRing moves at most 12 % of the keys when the tenth comes or goes, and only to or from it", () => {
  for (let i = 0; i < 30; i++) {
    const ten = equal(10, `${i}-`);
    const nine = ten.toSpliced(i % 10, 1);
    const own = ten[i % 10]!.id;
    const ring = new HashRing();
    ring.update(nine);
    const before = owners(ring, nine);
    ring.update(ten);
    const after = owners(ring, ten);
    const moved = moves(before, after);

    assert(moved.length / ARCS <= 0.12, `${moved.length / ARCS}`);
    assert(moved.every(([, to]) => to === own));
    ring.update(nine);
    assertEquals(owners(ring, nine), before);
  }
});

Deno.test("HashRing moves arcs only to one whose weight grows, as many as it gains", () => {
  const shares = equal(10);
  const grown = shares[3]!.id;
  const ring = new HashRing();
  let before: string[] | undefined;
  for (let step = 1; step <= 20; step++) {
    const now = shares.with(3, { id: grown, weight: step / 20 });
    ring.update(now);
    const after = owners(ring, now);
    if (before !== undefined) {
      const moved = moves(before, after);
      assert(moved.every(([, to]) => to === grown));
      // 1/200 of the keys a step, and chance.
      const share = moved.length / ARCS;
      assert(share > 0.002 && share < 0.01, `${share}`);
    }
    before = after;
  }
});

Deno.test("HashRing knows owners by the members alone, not by their order or what was before", () => {
  const ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const step = fc.record({
    // Undefined: who is there stays, in the same order.
    ids: fc.option(fc.shuffledSubarray(ids), { nil: undefined }),
    weights: fc.array(fc.option(weights, { nil: undefined }), {
      minLength: ids.length,
      maxLength: ids.length,
    }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
      const ring = new HashRing();
      let shares: Share[] = [];
      for (const { ids = shares.map(({ id }) => id), weights } of steps) {
        const before = new Map(shares.map(({ id, weight }) => [id, weight]));
        shares = ids.map((id, i) => ({
          id,
          weight: weights[i] ?? before.get(id) ?? 1,
        }));
        ring.update(shares);
        const sorted = shares.toSorted((a, b) => a.id < b.id ? -1 : 1);
        assertEquals(owners(ring, shares), ringOf(sorted));
      }
    }),
    { numRuns: 25 },
  );
});

Deno.test("HashRing lets one own all and nobody own anything", () => {
  const one = [{ id: "one", weight: 0.001 }];
  assertEquals(new Set(ringOf(one)), new Set(["one"]));
  assertEquals(new Set(ringOf([])), new Set(["nobody"]));
});

Deno.test("arcOf spans all arcs", () => {
  assertEquals(arcOf(0), 0);
  assertEquals(arcOf(0xffffffff), ARCS - 1);
});
