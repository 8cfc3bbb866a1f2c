/**
 * What all policies owe: never a member that is not usable, and always one while
 * one is.
 *
 * @module
 */
import fc from "fast-check";
import {
  BUILTIN_POLICIES,
  createPolicy,
} from "../../../core/balance/create_policy.ts";
import { hashKey } from "../../../core/balance/hash_key.ts";
import type { Member, Policy } from "../../../core/balance/policy.ts";
import type { BalancePolicy } from "../../../core/plugin.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";
import {
  FakeMember,
  membersOf,
  pickFor,
  seededRandom,
} from "../../support/fake_member.ts";
import { lives, LivingMembers } from "./arbitrary_members.ts";

/** A plugin's policy that makes every mistake in its turn. */
class Mistaken implements BalancePolicy {
  #members: readonly Member[] = [];
  #turn = 0;

  update(members: readonly Member[]): void {
    this.#members = members;
    if (++this.#turn % 5 === 0) throw new Error("update");
  }

  pick(): Member | undefined {
    switch (++this.#turn % 4) {
      case 0:
        throw new Error("pick");
      case 1:
        return new FakeMember("m0");
      case 2:
        return this.#members[0];
      default:
        return undefined;
    }
  }
}

const CUSTOM = new Map([["mistaken", () => new Mistaken()]]);

function policyOf(name: string, seed: number): Policy<FakeMember> {
  return createPolicy(name, {
    hashKey: hashKey("path"),
    random: seededRandom(seed),
    custom: CUSTOM,
    failed: () => {},
  });
}

for (const name of [...BUILTIN_POLICIES, "mistaken"]) {
  Deno.test(`${name} picks whoever is usable, and nobody else, whatever happens`, () => {
    fc.assert(
      fc.property(lives(6, 12), fc.nat(), (phases, seed) => {
        const policy = policyOf(name, seed);
        const living = new LivingMembers();
        for (const phase of phases) {
          const members = living.enter(phase);
          policy.update(members);
          for (let i = 0; i < phase.picks; i++) {
            const usable = living.usable(phase, i);
            // Some requests have no key.
            const context = i % 4 === 0
              ? pickFor()
              : pickFor("192.0.2.1", { target: `/${seed}/${i}` });
            const left = usable ? members.filter(usable) : members;
            const picked = policy.pick(context, usable);
            if (picked === undefined) assertEquals(left, []);
            else assert(left.includes(picked), `${picked.id} is not usable`);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  Deno.test(`${name} keeps its members when the array that it got changes`, () => {
    const policy = policyOf(name, 1);
    const members = membersOf([1, 1, 1]);
    const given = [...members];
    policy.update(given);
    given.length = 0;

    for (let i = 0; i < 10; i++) {
      assert(members.includes(policy.pick(pickFor())!));
    }
  });
}

Deno.test("createPolicy names the policies that there are when there is none of a name", () => {
  const { message } = assertThrows(
    () => createPolicy("round robin", { random: Math.random, custom: CUSTOM }),
    RangeError,
  );

  assertStringIncludes(
    message,
    "roundrobin, leastconn, random, first, hash, mistaken",
  );
  assertStringIncludes(message, '"round robin"');
});

Deno.test("createPolicy hashes the client's address where no key is said", () => {
  const policy: Policy<FakeMember> = createPolicy("hash", {
    random: Math.random,
  });
  policy.update(membersOf([1, 1, 1, 1]));
  const first = policy.pick(pickFor("192.0.2.7"));

  for (let i = 0; i < 10; i++) {
    assertEquals(policy.pick(pickFor("192.0.2.7")), first);
  }
});

Deno.test("createPolicy makes a new policy each time", () => {
  const options = { random: Math.random, custom: CUSTOM };
  for (const name of [...BUILTIN_POLICIES, "mistaken"]) {
    assert(createPolicy(name, options) !== createPolicy(name, options));
  }
});

Deno.test("createPolicy means its own policies before a plugin's", () => {
  const custom = new Map([["first", () => new Mistaken()]]);
  const policy: Policy<FakeMember> = createPolicy("first", {
    random: Math.random,
    custom,
  });
  const members = membersOf([1, 1]);
  policy.update(members);

  for (let i = 0; i < 8; i++) assertEquals(policy.pick(pickFor()), members[0]);
});
