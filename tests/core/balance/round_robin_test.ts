/**
 * Round robin's promise: within 1 % of the weights, whatever happens to members.
 *
 * @module
 */
import fc from "fast-check";
import { RoundRobin } from "../../../core/balance/round_robin.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import {
  type FakeMember,
  membersOf,
  pickFor,
} from "../../support/fake_member.ts";
import { lives, LivingMembers } from "./arbitrary_members.ts";

const PICKS = 10_000;

/** What each is due of some picks, and what it got. */
class Ledger {
  readonly #due = new Map<string, number>();
  readonly #got = new Map<string, number>();

  /** A pick among these. */
  enter(left: readonly FakeMember[], picked: FakeMember): void {
    const sum = left.reduce((sum, { weight }) => sum + weight, 0);
    for (const { id, weight } of left) add(this.#due, id, weight / sum);
    add(this.#got, picked.id, 1);
  }

  assertFair(picks: number): void {
    for (const [id, due] of this.#due) {
      const got = this.#got.get(id) ?? 0;
      assert(
        Math.abs(got - due) <= picks / 100,
        `${id} got ${got}, was due ${due}`,
      );
    }
  }
}

function add(to: Map<string, number>, id: string, value: number): void {
  to.set(id, (to.get(id) ?? 0) + value);
}

Deno.test("RoundRobin stays within 1 % of the weights whoever is up, of what weight, and left out", () => {
  fc.assert(
    fc.property(lives(12, 200), (phases) => {
      const policy = new RoundRobin<FakeMember>();
      const living = new LivingMembers();
      const ledger = new Ledger();
      let picks = 0;
      let asked = 0;
      while (asked < PICKS) {
        for (const phase of phases) {
          const members = living.enter(phase);
          policy.update(members);
          for (let i = 0; i < phase.picks; i++) {
            asked++;
            const usable = living.usable(phase, i);
            const left = usable ? members.filter(usable) : members;
            if (left.length === 0) continue;
            ledger.enter(left, policy.pick(pickFor(), usable)!);
            picks++;
          }
        }
      }
      ledger.assertFair(Math.max(picks, PICKS));
    }),
    { numRuns: 50 },
  );
});

Deno.test("RoundRobin stays fair while a weight grows every few picks, as in slow start", () => {
  const policy = new RoundRobin<FakeMember>();
  const members = membersOf([3, 3, 3]);
  const ledger = new Ledger();
  for (let i = 0; i < PICKS; i++) {
    if (i % 7 === 0) {
      members[2]!.weight = 3 * (i + 1) / PICKS;
      policy.update(members);
    }
    ledger.enter(members, policy.pick(pickFor())!);
  }

  ledger.assertFair(200);
});

Deno.test("RoundRobin takes turns by weight in the config's order", () => {
  const policy = new RoundRobin<FakeMember>();
  policy.update(membersOf([2, 1, 1]));
  const picked = Array.from({ length: 8 }, () => policy.pick(pickFor())!.id);

  assertEquals(picked, ["m0", "m1", "m2", "m0", "m0", "m1", "m2", "m0"]);
});

Deno.test("RoundRobin returns the objects of the last update", () => {
  const policy = new RoundRobin<FakeMember>();
  policy.update(membersOf([1, 1]));
  policy.pick(pickFor());
  const members = membersOf([1, 1]);
  policy.update(members);

  assert(policy.pick(pickFor()) === members[1]);
});
