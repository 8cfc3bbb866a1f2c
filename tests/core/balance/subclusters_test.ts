/**
 * Which subcluster gets a request, and which requests nobody gets.
 *
 * @module
 */
import fc from "fast-check";
import { hashKey } from "../../../core/balance/hash_key.ts";
import type { PickContext } from "../../../core/balance/policy.ts";
import {
  SubclusterChoice,
  type SubclusterShare,
} from "../../../core/balance/subclusters.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { pickFor } from "../../support/fake_member.ts";

function share(name: string, weight: number, members = 1): SubclusterShare {
  return { name, weight, members };
}

function choiceOf(
  subclusters: readonly SubclusterShare[],
  blackhole = 0,
  key?: string,
): SubclusterChoice<SubclusterShare> {
  const choice = new SubclusterChoice({
    hashKey: key === undefined ? undefined : hashKey(key),
  });
  choice.update(subclusters, blackhole);
  return choice;
}

/** The subcluster's name, `blackhole` or `none`. */
function nameOf(
  choice: SubclusterChoice<SubclusterShare>,
  context: PickContext = pickFor(),
  usable?: (subcluster: SubclusterShare) => boolean,
  again?: boolean,
): string {
  const pick = choice.pick(context, usable, again);
  if (pick === undefined) return "none";
  return pick.kind === "subcluster" ? pick.subcluster.name : pick.kind;
}

function count(
  choice: SubclusterChoice<SubclusterShare>,
  picks: number,
  usable?: (subcluster: SubclusterShare) => boolean,
  again?: boolean,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < picks; i++) {
    const name = nameOf(choice, pickFor(`10.0.0.${i}`), usable, again);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

Deno.test("SubclusterChoice takes turns by weight", () => {
  assertEquals(
    count(choiceOf([share("east", 90), share("west", 10)]), 100),
    { east: 90, west: 10 },
  );
});

Deno.test("SubclusterChoice gives the share of one without members or weight to the others", () => {
  const choice = choiceOf([
    share("east", 3),
    share("west", 1),
    share("empty", 5, 0),
    share("off", 0),
  ]);

  assertEquals(count(choice, 40), { east: 30, west: 10 });
});

Deno.test("SubclusterChoice gives the share of one that is not usable to the others", () => {
  const choice = choiceOf([share("a", 1), share("b", 1), share("c", 2)]);

  assertEquals(count(choice, 30, ({ name }) => name !== "a"), { b: 10, c: 20 });
  assertEquals(count(choice, 1, () => false), { none: 1 });
});

Deno.test("SubclusterChoice has nothing where there is nobody", () => {
  assertEquals(count(new SubclusterChoice(), 1), { none: 1 });
  assertEquals(count(choiceOf([]), 1), { none: 1 });
  assertEquals(count(choiceOf([share("empty", 1, 0)]), 1), { none: 1 });
});

Deno.test("SubclusterChoice goes on in the midst of a round after an update", () => {
  const subclusters = [share("east", 2), share("west", 1)];
  const choice = choiceOf(subclusters, 1);
  const picked = Array.from({ length: 8 }, () => {
    choice.update(subclusters, 1);
    return nameOf(choice);
  });

  assertEquals(picked.filter((name) => name === "east").length, 4);
  assertEquals(picked.filter((name) => name === "west").length, 2);
  assertEquals(picked.filter((name) => name === "blackhole").length, 2);
});

for (const key of [undefined, "clientAddress"]) {
  const how = key === undefined ? "" : " with a hash key";

  Deno.test(`SubclusterChoice swallows the blackhole's share${how}, members or not`, () => {
    const weights = [share("east", 60), share("west", 30)];
    assertEquals(count(choiceOf(weights, 10, key), 200).blackhole, 20);
    const down = [share("east", 60, 0), share("west", 30)];
    assertEquals(count(choiceOf(down, 10, key), 200), {
      west: 180,
      blackhole: 20,
    });
  });

  Deno.test(`SubclusterChoice swallows no further attempt${how}`, () => {
    const choice = choiceOf([share("east", 1)], 3, key);
    assertEquals(count(choice, 20, undefined, true), { east: 20 });
    assertEquals(count(choice, 20), { east: 5, blackhole: 15 });
  });

  Deno.test(`SubclusterChoice swallows all where nothing else has a weight${how}`, () => {
    const choice = choiceOf([share("east", 0)], 1, key);
    assertEquals(count(choice, 5), { blackhole: 5 });
    assertEquals(count(choice, 1, undefined, true), { none: 1 });
  });

  Deno.test(`SubclusterChoice picks whoever is usable, and nobody else${how}`, () => {
    const subclusters = fc.array(
      fc.record({
        weight: fc.nat(100),
        members: fc.nat(2),
        usable: fc.boolean(),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(subclusters, fc.ipV4(), (facts, client) => {
        const all = facts.map(({ weight, members }, i) =>
          share(`s${i}`, weight, members)
        );
        const choice = choiceOf(all, 0, key);
        const usable = ({ name }: SubclusterShare) =>
          facts[Number(name.slice(1))]!.usable;
        const left = all.filter((one) =>
          one.weight > 0 && one.members > 0 && usable(one)
        ).map(({ name }) => name);
        for (let i = 0; i < 5; i++) {
          const name = nameOf(choice, pickFor(client), usable);
          assert(left.length === 0 ? name === "none" : left.includes(name));
        }
      }),
    );
  });
}

const CLIENTS = Array.from(
  { length: 5_000 },
  (_, i) => pickFor(`10.0.${i >> 8}.${i & 255}`),
);

function namesOf(choice: SubclusterChoice<SubclusterShare>): string[] {
  return CLIENTS.map((client) => nameOf(choice, client));
}

Deno.test("SubclusterChoice keeps a key's subcluster, by weight", () => {
  const weights = [share("east", 60), share("west", 30), share("north", 10)];
  const choice = choiceOf(weights, 0, "clientAddress");
  const names = namesOf(choice);

  assertEquals(namesOf(choice), names);
  assertEquals(
    namesOf(choiceOf(weights.toReversed(), 0, "clientAddress")),
    names,
  );
  for (const { name, weight } of weights) {
    const part = names.filter((one) => one === name).length / names.length;
    assert(Math.abs(part - weight / 100) < 0.03, `${name} has ${part}`);
  }
});

Deno.test("SubclusterChoice moves only the keys of a subcluster that has nobody left, and moves them back", () => {
  const weights = [share("east", 60), share("west", 30), share("north", 10)];
  const choice = choiceOf(weights, 0, "clientAddress");
  const before = namesOf(choice);
  choice.update(weights.with(1, share("west", 30, 0)), 0);
  namesOf(choice).forEach((name, i) =>
    assert(before[i] === "west" ? name !== "west" : name === before[i])
  );
  choice.update(weights, 0);

  assertEquals(namesOf(choice), before);
});

Deno.test("SubclusterChoice takes turns where there is no key", () => {
  const choice = choiceOf(
    [share("east", 3), share("west", 1)],
    0,
    "header:x-user",
  );

  assertEquals(count(choice, 40), { east: 30, west: 10 });
});
