/**
 * Least connections: the least for its weight, ties by weight.
 *
 * @module
 */
import fc from "fast-check";
import { LeastConnections } from "../../../core/balance/least_connections.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import {
  type FakeMember,
  membersOf,
  pickFor,
} from "../../support/fake_member.ts";
import { lives, LivingMembers } from "./arbitrary_members.ts";

function policyOf(members: readonly FakeMember[]) {
  const policy = new LeastConnections<FakeMember>();
  policy.update(members);
  return policy;
}

function withLoads(weights: readonly number[], loads: readonly number[]) {
  const members = membersOf(weights);
  members.forEach((member, i) => member.load = loads[i]!);
  return members;
}

/** How often each is picked, loads staying as they are. */
function shares(members: readonly FakeMember[], picks: number): number[] {
  const policy = policyOf(members);
  const counts = members.map(() => 0);
  for (let i = 0; i < picks; i++) {
    counts[members.indexOf(policy.pick(pickFor())!)]!++;
  }
  return counts;
}

Deno.test("LeastConnections picks nobody while another serves less for its weight", () => {
  fc.assert(
    fc.property(lives(6, 20), (phases) => {
      const policy = new LeastConnections<FakeMember>();
      const living = new LivingMembers();
      for (const phase of phases) {
        const members = living.enter(phase);
        policy.update(members);
        for (let i = 0; i < phase.picks; i++) {
          const usable = living.usable(phase, i);
          const picked = policy.pick(pickFor(), usable);
          for (const other of usable ? members.filter(usable) : members) {
            assert(
              picked!.load / picked!.weight <= other.load / other.weight,
              `${picked!.id} serves more than ${other.id}`,
            );
          }
          if (picked !== undefined) picked.load++;
        }
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("LeastConnections shares ties by weight, not by place", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 20 }), {
    minLength: 2,
    maxLength: 8,
  });
  fc.assert(
    fc.property(weights, fc.nat(50), (weights, ratio) => {
      const PICKS = 10_000;
      const sum = weights.reduce((sum, weight) => sum + weight);
      const loads = weights.map((weight) => weight * ratio);
      shares(withLoads(weights, loads), PICKS).forEach((count, i) => {
        const due = PICKS * weights[i]! / sum;
        assert(Math.abs(count - due) <= PICKS / 100, `${count} of ${due}`);
      });
    }),
    { numRuns: 20 },
  );
});

Deno.test("LeastConnections forgets a tie when it finds somebody better", () => {
  // BFE keeps the first two as candidates here.
  assertEquals(shares(withLoads([1, 1, 1], [4, 4, 2]), 10), [0, 0, 10]);
  assertEquals(
    shares(withLoads([1, 1, 1, 1, 1], [3, 3, 2, 2, 5]), 10),
    [0, 0, 5, 5, 0],
  );
});

Deno.test("LeastConnections weighs loads", () => {
  assertEquals(shares(withLoads([10, 1], [9, 1]), 10), [10, 0]);
  assertEquals(shares(withLoads([10, 1], [10, 1]), 11), [10, 1]);
  assertEquals(shares(withLoads([10, 1], [11, 1]), 10), [0, 10]);
});

Deno.test("LeastConnections ends up with loads by weight when nothing ends", () => {
  const members = membersOf([1, 2, 3, 4]);
  const policy = policyOf(members);
  for (let i = 0; i < 10_000; i++) policy.pick(pickFor())!.load++;

  assertEquals(members.map(({ load }) => load), [1_000, 2_000, 3_000, 4_000]);
});
