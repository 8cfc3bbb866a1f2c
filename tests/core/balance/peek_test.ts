/**
 * What a pick would be: told before, and without any trace of the question.
 *
 * @module
 */
import fc from "fast-check";
import {
  BUILTIN_POLICIES,
  createPolicy,
} from "../../../core/balance/create_policy.ts";
import { hashKey } from "../../../core/balance/hash_key.ts";
import { type Policy, UNTOLD } from "../../../core/balance/policy.ts";
import {
  SubclusterChoice,
  type SubclusterPick,
  type SubclusterShare,
} from "../../../core/balance/subclusters.ts";
import type { BalancePolicy } from "../../../core/plugin.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import {
  FakeMember,
  membersOf,
  pickFor,
  seededRandom,
} from "../../support/fake_member.ts";
import { lives, LivingMembers } from "./arbitrary_members.ts";

/** A plugin's policy: the last one, and each third time nobody. */
function lastOne(): BalancePolicy & { turns: number } {
  let last: FakeMember | undefined;
  return {
    turns: 0,
    update: (members) => last = members.at(-1) as FakeMember | undefined,
    pick() {
      return ++this.turns % 3 === 0 ? undefined : last;
    },
    peek() {
      return (this.turns + 1) % 3 === 0 ? undefined : last;
    },
  };
}

function policyOf(name: string, seed: number): Policy<FakeMember> {
  return createPolicy(name, {
    hashKey: hashKey("path"),
    random: seededRandom(seed),
    custom: new Map([["a plugin's", lastOne]]),
    failed: () => {},
  });
}

for (const name of [...BUILTIN_POLICIES, "a plugin's"]) {
  Deno.test(`peek tells the next pick and leaves no trace: ${name}`, () => {
    let told = 0;
    fc.assert(
      fc.property(lives(6, 12), fc.nat(), (phases, seed) => {
        const [asked, unasked] = [policyOf(name, seed), policyOf(name, seed)];
        const living = new LivingMembers();
        for (const phase of phases) {
          const members = living.enter(phase);
          asked.update(members);
          unasked.update(members);
          for (let i = 0; i < phase.picks; i++) {
            const usable = living.usable(phase, i);
            const context = i % 4 === 0
              ? pickFor()
              : pickFor("192.0.2.1", { target: `/${seed}/${i}` });
            members.forEach((member, n) => member.load = (seed + n * i) % 40);
            // Others ask, too.
            asked.peek(pickFor("192.0.2.1", { target: `/other/${i}` }));
            const peeked = asked.peek(context, usable);
            const picked = asked.pick(context, usable);
            assertEquals(picked, unasked.pick(context, usable));
            if (peeked === UNTOLD) continue;
            told++;
            assertEquals(peeked, picked);
          }
        }
      }),
      { numRuns: 100, seed: 1 },
    );
    assert(told > 0);
  });
}

Deno.test("ConsistentHash.peek leaves no trace where a pick reads but a part of the loads", () => {
  const members = membersOf(Array.from({ length: 50 }, () => 1));
  const [asked, unasked] = [policyOf("hash", 1), policyOf("hash", 1)];
  asked.update(members);
  unasked.update(members);
  for (let i = 0; i < 300; i++) {
    const context = pickFor("192.0.2.1", { target: `/${i % 5}` });
    for (let n = 0; n < i % 3; n++) asked.peek(pickFor(`10.0.0.${n}`));
    for (let n = 0; n < i % 3; n++) asked.peek(context);
    const picked = asked.pick(context);
    assertEquals(picked, unasked.pick(context));
    picked!.load += 20;
  }
});

Deno.test("RandomOfTwo.peek tells only who is the last one", () => {
  const policy = policyOf("random", 1);
  const [a, b] = membersOf([1, 1]);
  policy.update([a!, b!]);

  assertEquals(policy.peek(pickFor()), UNTOLD);
  assertEquals(policy.peek(pickFor(), (member) => member === b), b);
  assertEquals(policy.peek(pickFor(), () => false), undefined);
});

/** A plugin's policy around `peek`, and its failures. */
function guarded(peek: BalancePolicy["peek"]) {
  const failures: unknown[] = [];
  const policy: Policy<FakeMember> = createPolicy("own", {
    random: Math.random,
    custom: new Map([["own", () => ({
      update() {},
      pick: () => undefined,
      ...peek !== undefined && { peek },
    })]]),
    failed: (_name, thrown) => failures.push(thrown),
  });
  const members = membersOf([1, 1]);
  policy.update(members);
  return { policy, failures, members };
}

Deno.test("GuardedPolicy.peek can't tell where the plugin's policy can't", () => {
  const { policy } = guarded(undefined);

  assertEquals(policy.peek(pickFor()), UNTOLD);
  assertEquals(policy.peek(pickFor(), () => false), undefined);
});

Deno.test("GuardedPolicy.peek tells whose turn it is where the plugin leaves it to the turns", () => {
  const { policy, members } = guarded(() => undefined);

  for (let i = 0; i < 3; i++) assertEquals(policy.peek(pickFor()), members[0]);
});

Deno.test("GuardedPolicy.peek counts a plugin's failure, and can't tell", () => {
  const { policy, failures } = guarded(() => new FakeMember("m0"));

  assertEquals(policy.peek(pickFor()), UNTOLD);
  assertEquals(failures.length, 1);
});

for (const key of [undefined, "path"]) {
  Deno.test(`SubclusterChoice.peek tells the next pick and leaves no trace, ${key ? "by key" : "in turns"}`, () => {
    const shares: SubclusterShare[] = [
      { name: "east", weight: 3, members: 2 },
      { name: "west", weight: 2, members: 1 },
      { name: "north", weight: 1, members: 0 },
    ];
    const make = () => {
      const choice = new SubclusterChoice({
        hashKey: key === undefined ? undefined : hashKey(key),
      });
      choice.update(shares, 1);
      return choice;
    };
    const name = (pick: SubclusterPick<SubclusterShare> | undefined) =>
      pick?.kind === "subcluster" ? pick.subcluster.name : pick?.kind;
    const [asked, unasked] = [make(), make()];
    for (let i = 0; i < 100; i++) {
      const context = pickFor("192.0.2.1", { target: `/${i}` });
      const usable = i % 3 === 0
        ? ({ name }: SubclusterShare) => name !== "east"
        : undefined;
      asked.peek(pickFor("192.0.2.1", { target: `/other/${i}` }));
      const peeked = name(asked.peek(context, usable, i % 5 === 0));
      assertEquals(name(asked.pick(context, usable, i % 5 === 0)), peeked);
      assertEquals(name(unasked.pick(context, usable, i % 5 === 0)), peeked);
    }
  });
}
