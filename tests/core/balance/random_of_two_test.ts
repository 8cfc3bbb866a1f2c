/**
 * Random of two: draws by weight, and the better of two wins.
 *
 * @module
 */
import { RandomOfTwo } from "../../../core/balance/random_of_two.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import {
  type FakeMember,
  membersOf,
  pickFor,
  seededRandom,
} from "../../support/fake_member.ts";

const PICKS = 100_000;

function policyOf(
  members: readonly FakeMember[],
  random: () => number = seededRandom(7),
) {
  const policy = new RandomOfTwo<FakeMember>(random);
  policy.update(members);
  return policy;
}

/** Shares of many picks, loads staying as they are. */
function shares(
  members: readonly FakeMember[],
  usable?: (member: FakeMember) => boolean,
): number[] {
  const policy = policyOf(members);
  const counts = members.map(() => 0);
  for (let i = 0; i < PICKS; i++) {
    counts[members.indexOf(policy.pick(pickFor(), usable)!)]!++;
  }
  return counts.map((count) => count / PICKS);
}

function assertNear(actual: readonly number[], expected: readonly number[]) {
  actual.forEach((share, i) =>
    assert(
      Math.abs(share - expected[i]!) < 0.01,
      `${actual} instead of ${expected}`,
    )
  );
}

Deno.test("RandomOfTwo draws by weight where loads are equal", () => {
  assertNear(shares(membersOf([1, 2, 3, 4])), [0.1, 0.2, 0.3, 0.4]);
});

Deno.test("RandomOfTwo draws by weight among the usable", () => {
  assertNear(
    shares(membersOf([1, 2, 3, 4]), ({ id }) => id !== "m3"),
    [1 / 6, 2 / 6, 3 / 6, 0],
  );
});

Deno.test("RandomOfTwo draws two different ones: the busiest is never picked, the idlest by its chance to be drawn", () => {
  const members = membersOf([1, 1, 1, 1]);
  members.forEach((member, i) => member.load = i);

  // 6 pairs, of which 3, 2, 1 and 0 are won.
  assertNear(shares(members), [3 / 6, 2 / 6, 1 / 6, 0]);
});

Deno.test("RandomOfTwo draws the second by weight among the others", () => {
  const members = membersOf([2, 1, 1]);
  members[0]!.load = 2_000;

  // The first wins never; {1, 2} is drawn with 2 · 1/4 · 1/3, the others are even.
  assertNear(shares(members), [0, 0.5, 0.5]);
  members[1]!.load = 500;
  // 0 and 2: 2/4 · 1/2 + 1/4 · 2/3; 1 and 2: 2 · 1/4 · 1/3; 0 and 1 the rest.
  assertNear(shares(members), [0, 5 / 12, 7 / 12]);
});

Deno.test("RandomOfTwo weighs loads", () => {
  const members = membersOf([4, 1]);
  members[0]!.load = 4;
  members[1]!.load = 2;

  assertNear(shares(members), [1, 0]);
});

Deno.test("RandomOfTwo has somebody where sums of weights round", () => {
  // In doubles 10,000 + 1e-12 - 10,000 is 1.8e-12.
  const members = membersOf([10_000, 1e-12]);
  members[0]!.load = 1;
  for (let seed = 1; seed < 100; seed++) {
    const policy = policyOf(members, seededRandom(seed));
    for (let i = 0; i < 20; i++) assert(policy.pick(pickFor()) === members[1]);
  }
});

Deno.test("RandomOfTwo draws otherwise from another start, and alike from the same", () => {
  const members = membersOf(new Array(10).fill(1));
  const draws = (random: () => number) => {
    const policy = policyOf(members, random);
    return Array.from({ length: 20 }, () => policy.pick(pickFor())!.id).join();
  };

  assertEquals(draws(() => 0.25), draws(() => 0.25));
  assert(draws(() => 0.25) !== draws(() => 0.75));
});

Deno.test("RandomOfTwo levels loads: nobody serves much more than its share", () => {
  const members = membersOf([1, 1, 2, 2, 4]);
  const policy = policyOf(members);
  for (let i = 0; i < 10_000; i++) policy.pick(pickFor())!.load++;

  members.forEach(({ load, weight }) =>
    assert(Math.abs(load / weight - 1_000) < 10, `${load} of ${weight}`)
  );
});

Deno.test("RandomOfTwo asks `usable` once for each", () => {
  const members = membersOf([1, 1, 1]);
  const asked: string[] = [];
  policyOf(members).pick(pickFor(), ({ id }) => {
    asked.push(id);
    return true;
  });

  assertEquals(asked, ["m0", "m1", "m2"]);
});
