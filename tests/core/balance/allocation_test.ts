/**
 * A pick allocates nothing. A file of its own: in one isolate with other policies
 * and random sources the compiler would box numbers that it does not box in a
 * worker, which has one source.
 *
 * @module
 */
import {
  BUILTIN_POLICIES,
  createPolicy,
} from "../../../core/balance/create_policy.ts";
import type { Policy } from "../../../core/balance/policy.ts";
import { assert } from "../../support/assert.ts";
import {
  type FakeMember,
  membersOf,
  pickFor,
} from "../../support/fake_member.ts";

/** Bytes of heap per call, the least of some rounds: the compiler comes late on a busy machine, and a collection may disturb one. */
function bytesPerCall(call: () => void): number {
  const CALLS = 20_000;
  let least = Infinity;
  for (let round = 0; round < 500 && least >= 1; round++) {
    const before = Deno.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i++) call();
    const grown = Deno.memoryUsage().heapUsed - before;
    if (grown >= 0) least = Math.min(least, grown / CALLS);
  }
  return least;
}

for (const name of BUILTIN_POLICIES) {
  Deno.test(`${name} allocates nothing per pick`, () => {
    const members = membersOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const policy: Policy<FakeMember> = createPolicy(name, {
      random: Math.random,
    });
    policy.update(members);
    const usable = (member: FakeMember) => member !== members[3];
    const clients = Array.from(
      { length: 16 },
      (_, i) => pickFor(`10.0.0.${i}`),
    );
    let i = 0;
    const bytes = bytesPerCall(() => {
      policy.pick(clients[++i & 15]!, (i & 1) === 0 ? usable : undefined)!
        .load = i & 7;
    });

    assert(bytes < 1, `${bytes} bytes`);
  });
}

Deno.test("a policy that allocates is found", () => {
  const kept: unknown[] = [];
  assert(bytesPerCall(() => kept[0] = { kept: [] }) >= 16);
});
