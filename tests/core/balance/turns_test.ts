/**
 * Turns by weight: exact over a round, fair whoever is left out, comes or goes.
 *
 * @module
 */
import fc from "fast-check";
import { Turns } from "../../../core/balance/turns.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { heldBytes } from "../../support/garbage.ts";

function turnsOf(weights: readonly number[]): Turns {
  const turns = new Turns();
  turns.update(weights.map((weight, i) => ({ id: `${i}`, weight })));
  return turns;
}

/** Picks among all but those of `out`. */
function nextBut(turns: Turns, of: number, ...out: readonly number[]): number {
  return turns.nextOf(
    Uint8Array.from({ length: of }, (_, i) => out.includes(i) ? 0 : 1),
  );
}

Deno.test("Turns spreads a heavy share over the round", () => {
  const turns = turnsOf([5, 1, 1]);
  const picked = Array.from({ length: 7 }, () => turns.next());

  assertEquals(picked, [0, 0, 1, 0, 2, 0, 0]);
});

Deno.test("Turns takes equal shares in their order", () => {
  const turns = turnsOf([3, 3, 3]);
  const picked = Array.from({ length: 7 }, () => turns.next());

  assertEquals(picked, [0, 1, 2, 0, 1, 2, 0]);
});

Deno.test("Turns has nobody without shares, before an update, or with none flagged", () => {
  assertEquals(new Turns().next(), -1);
  assertEquals(turnsOf([]).next(), -1);
  assertEquals(turnsOf([]).nextOf(new Uint8Array(0)), -1);
  assertEquals(nextBut(turnsOf([1]), 1, 0), -1);
  assertEquals(nextBut(turnsOf([1, 1]), 2, 0, 1), -1);
});

Deno.test("Turns goes on as before after a pick that found nobody", () => {
  const turns = turnsOf([1, 1]);
  const picked = [
    turns.next(),
    nextBut(turns, 2, 0, 1),
    turns.next(),
    turns.next(),
  ];

  assertEquals(picked, [0, -1, 1, 0]);
});

Deno.test("Turns is exact over every whole round", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 100 }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 5 }), (weights, rounds) => {
      const turns = turnsOf(weights);
      const total = weights.reduce((sum, weight) => sum + weight);
      const counts = weights.map(() => 0);
      for (let i = 0; i < total * rounds; i++) counts[turns.next()]!++;
      assertEquals(counts, weights.map((weight) => weight * rounds));
    }),
  );
});

Deno.test("Turns makes no burst of one that was left out and comes back", () => {
  const turns = turnsOf([1, 1, 1]);
  for (let i = 0; i < 1_000; i++) nextBut(turns, 3, 2);
  const after = Array.from({ length: 6 }, () => turns.next());

  assertEquals(after.filter((place) => place === 2).length, 2);
});

Deno.test("Turns goes on in the midst of a round when an update changes nothing", () => {
  const shares = [5, 1, 1].map((weight, i) => ({ id: `${i}`, weight }));
  const turns = turnsOf([5, 1, 1]);
  const picked = Array.from({ length: 7 }, () => {
    turns.update(shares);
    return turns.next();
  });

  assertEquals(picked, [0, 0, 1, 0, 2, 0, 0]);
});

Deno.test("Turns owes picks, not weight: a change of all weights changes no turn", () => {
  const turns = turnsOf([1, 1]);
  const picked = [1, 1_000, 0.001, 50, 0.3, 7].map((weight) => {
    turns.update([{ id: "0", weight }, { id: "1", weight }]);
    return turns.next();
  });

  assertEquals(picked, [0, 1, 0, 1, 0, 1]);
});

Deno.test("Turns keeps credits by id when the order changes", () => {
  const turns = turnsOf([1, 1, 1]);
  assertEquals(turns.next(), 0);
  turns.update(["2", "0", "1"].map((id) => ({ id, weight: 1 })));

  // The rest of the round, then the next one in the new order.
  const picked = Array.from({ length: 5 }, () => turns.next());
  assertEquals(picked, [0, 2, 0, 1, 2]);
});

Deno.test("Turns gives one that leaves after each of its turns no more than its due", () => {
  const turns = new Turns();
  const stable = { id: "stable", weight: 1 };
  const flapping = { id: "flapping", weight: 1 };
  let picks = 0;
  let up = 0;
  let taken = 0;
  while (picks < 10_000) {
    turns.update([flapping, stable]);
    up++;
    picks++;
    if (turns.next() !== 0) continue;
    taken++;
    turns.update([stable]);
    picks++;
    turns.next();
  }

  assert(Math.abs(taken - up / 2) <= 1, `${taken} of ${up}`);
});

Deno.test("Turns keeps credits while nobody is there", () => {
  const turns = turnsOf([1, 1]);
  assertEquals(turns.next(), 0);
  turns.update([]);
  assertEquals(turns.next(), -1);
  turns.update([{ id: "0", weight: 1 }, { id: "1", weight: 1 }]);

  assertEquals([turns.next(), turns.next()], [1, 0]);
});

/**
 * New ones that come for a few picks each, one after another, to two that stay:
 * who of the three was picked how often.
 */
function receive(
  turns: Turns,
  guests: number,
  staysOn: (turn: number, picks: number) => boolean,
  place: number,
): { readonly counts: readonly number[]; readonly longest: number } {
  const counts = [0, 0, 0];
  let longest = 0;
  for (let i = 0; i < guests; i++) {
    const shares = [{ id: "a", weight: 1 }, { id: "b", weight: 1 }];
    shares.splice(place, 0, { id: `guest ${i}`, weight: 1 });
    turns.update(shares);
    let picks = 0;
    let turn: number;
    do {
      turn = turns.next();
      picks++;
      const who = turn === place ? 2 : turn > place ? turn - 1 : turn;
      counts[who]!++;
    } while (staysOn(turn, picks));
    longest = Math.max(longest, picks);
  }
  return { counts, longest };
}

for (const place of [0, 1, 2]) {
  Deno.test(`Turns is fair to all when one after another leaves for good with its first turn, listed at ${place}`, () => {
    const { counts, longest } = receive(
      new Turns(),
      4_000,
      (turn) => turn !== place,
      place,
    );
    const picks = counts.reduce((sum, count) => sum + count);

    assert(longest <= 6, `one waits for ${longest} picks`);
    for (const count of counts) {
      assert(Math.abs(count - picks / 3) <= picks / 100, `${counts}`);
    }
  });

  Deno.test(`Turns is fair to all when one after another leaves for good after two picks, listed at ${place}`, () => {
    const { counts } = receive(
      new Turns(),
      4_000,
      (_turn, picks) => picks < 2,
      place,
    );

    for (const count of counts) {
      assert(Math.abs(count - 8_000 / 3) <= 80, `${counts}`);
    }
  });
}

Deno.test("Turns does not hold those that left for ever", () => {
  const turns = new Turns();
  const leave = (turn: number) => turn !== 2;
  receive(turns, 2_000, leave, 2);
  const before = heldBytes();
  receive(turns, 30_000, leave, 2);
  const grown = heldBytes() - before;

  assert(grown < 500_000, `${grown} bytes`);
});
