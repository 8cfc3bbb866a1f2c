/**
 * Hash: keys keep their members, and nobody gets too much.
 *
 * @module
 */
import fc from "fast-check";
import {
  ConsistentHash,
  LOAD_FACTOR,
  LOW_LOAD,
} from "../../../core/balance/consistent_hash.ts";
import { hashKey } from "../../../core/balance/hash_key.ts";
import type { PickContext } from "../../../core/balance/policy.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import {
  FakeMember,
  membersOf,
  pickFor,
  seededRandom,
} from "../../support/fake_member.ts";

function policyOf(members: readonly FakeMember[], key = "path") {
  const policy = new ConsistentHash<FakeMember>(hashKey(key));
  policy.update(members);
  return policy;
}

function keyed(key: string): PickContext {
  return pickFor("192.0.2.1", { target: `/${key}` });
}

const KEYS = Array.from({ length: 10_000 }, (_, i) => keyed(`user/${i}`));

function idsOf(policy: ConsistentHash<FakeMember>): string[] {
  return KEYS.map((context) => policy.pick(context)!.id);
}

/** The share of keys whose member is another one. */
function moved(before: readonly string[], after: readonly string[]): number {
  return before.filter((id, i) => id !== after[i]).length / before.length;
}

Deno.test("ConsistentHash moves at most 12 % of keys when one joins nine others, and all of them back when it leaves", () => {
  const ten = membersOf(new Array(10).fill(1));
  for (const joining of ten) {
    const nine = ten.filter((member) => member !== joining);
    const policy = policyOf(nine);
    const before = idsOf(policy);
    policy.update(ten);
    const share = moved(before, idsOf(policy));

    assert(share > 0.08 && share <= 0.12, `${share}`);
    policy.update(nine);
    assertEquals(idsOf(policy), before);
  }
});

Deno.test("ConsistentHash moves keys only to the member that grows in slow start", () => {
  const members = membersOf(new Array(10).fill(1));
  const growing = members[4]!;
  const policy = policyOf(members);
  const full = idsOf(policy);
  growing.weight = 0.1;
  policy.update(members);
  let before = idsOf(policy);
  for (let second = 2; second <= 10; second++) {
    growing.weight = second / 10;
    policy.update(members);
    const after = idsOf(policy);
    after.forEach((id, i) => assert(id === before[i] || id === growing.id));
    const share = moved(before, after);
    assert(share > 0.005 && share < 0.02, `${share}`);
    before = after;
  }

  assertEquals(before, full);
});

Deno.test("ConsistentHash sends equal keys to equal members in every worker, whatever each one saw before", () => {
  const members = membersOf([1, 2, 3, 4, 5]);
  const one = policyOf(members);
  const other = policyOf(membersOf([9, 9]));
  other.update(members.slice(2));
  other.update(members);

  assertEquals(idsOf(other), idsOf(one));
});

Deno.test("ConsistentHash shares keys by weight", () => {
  const ids = idsOf(policyOf(membersOf([1, 2, 3, 4])));
  [0.1, 0.2, 0.3, 0.4].forEach((due, i) => {
    const share = ids.filter((id) => id === `m${i}`).length / ids.length;
    assert(Math.abs(share - due) < 0.03, `${share} of ${due}`);
  });
});

Deno.test("ConsistentHash gives nobody more than 1.25 times its share, whatever the keys and whatever ends", () => {
  const load = fc.record({
    weights: fc.array(fc.integer({ min: 1, max: 10 }), {
      minLength: 2,
      maxLength: 10,
    }),
    keys: fc.integer({ min: 1, max: 50 }),
    ending: fc.double({ min: 0, max: 0.9, noNaN: true }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(load, ({ weights, keys, ending, seed }) => {
      const random = seededRandom(seed);
      const members = membersOf(weights);
      const policy = policyOf(members);
      const sum = weights.reduce((sum, weight) => sum + weight);
      const running: FakeMember[] = [];
      for (let i = 0; i < 1_000; i++) {
        while (running.length > 0 && random() < ending) {
          const at = Math.floor(random() * running.length);
          running.splice(at, 1)[0]!.load--;
        }
        // Nearly all requests ask for the same few keys.
        const key = Math.floor(random() ** 3 * keys);
        const picked = policy.pick(keyed(`${key}`))!;
        picked.load++;
        running.push(picked);
        const most = Math.ceil(
          LOAD_FACTOR * running.length * picked.weight / sum,
        );
        assert(picked.load <= Math.max(most, LOW_LOAD));
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("ConsistentHash levels a single key's load over all", () => {
  const members = membersOf([1, 1, 1, 1]);
  const policy = policyOf(members);
  for (let i = 0; i < 1_000; i++) policy.pick(keyed("hot"))!.load++;

  for (const { load } of members) assert(load <= 313, `${load}`);
});

Deno.test("ConsistentHash keeps a key's few requests together while there is little to do", () => {
  const members = membersOf([1, 1, 1]);
  const policy = policyOf(members);
  const own = policy.pick(keyed("one"))!;
  for (let i = 0; i < LOW_LOAD; i++) policy.pick(keyed("one"))!.load++;

  assertEquals(own.load, LOW_LOAD);
});

Deno.test("ConsistentHash leads a key back when the load of its member ends", () => {
  const members = membersOf([1, 1, 1]);
  const policy = policyOf(members);
  const own = policy.pick(keyed("one"))!;
  own.load = 100;
  const other = policy.pick(keyed("one"))!;
  assert(other !== own);
  own.load = 0;

  assert(policy.pick(keyed("one")) === own);
});

Deno.test("ConsistentHash knows the load of many members, a part of it at a time", () => {
  const members = membersOf(new Array(100).fill(1));
  const policy = policyOf(members);
  const own = policy.pick(keyed("one"))!;
  // 50 is too much of 50 in all, and little of 10,000.
  own.load = 50;
  for (let i = 0; i < 10; i++) assert(policy.pick(keyed("one")) !== own);
  members.forEach((member, i) => member.load = i % 2 * 200);
  own.load = 110;
  for (let i = 0; i < 10; i++) policy.pick(keyed("another"));

  assert(policy.pick(keyed("one")) === own);
});

Deno.test("ConsistentHash goes on to the same next one for a key whose member is not usable", () => {
  const members = membersOf([1, 1, 1, 1, 1]);
  const policy = policyOf(members);
  const own = policy.pick(keyed("one"))!;
  const usable = (member: FakeMember) => member !== own;
  const next = policy.pick(keyed("one"), usable)!;

  assert(next !== own);
  for (let i = 0; i < 5; i++) {
    assert(policy.pick(keyed("one"), usable) === next);
  }
  assert(policy.pick(keyed("one")) === own);
});

Deno.test("ConsistentHash spreads the keys of a member that is not usable over all others", () => {
  const members = membersOf(new Array(10).fill(1));
  const policy = policyOf(members);
  const counts = new Map<string, number>();
  for (const context of KEYS) {
    const own = policy.pick(context)!;
    if (own.id !== "m0") continue;
    const { id } = policy.pick(context, (member) => member !== own)!;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }

  assertEquals(counts.size, 9);
  for (const count of counts.values()) assert(count > 50, `${count}`);
});

Deno.test("ConsistentHash keeps a key's member where nobody usable has room", () => {
  const members = membersOf([1, 1, 1, 1]);
  const policy = policyOf(members);
  const idle = policy.pick(keyed("one"))!;
  const usable = (member: FakeMember) => member !== idle;
  for (const member of members) if (usable(member)) member.load = 100;
  const next = policy.pick(keyed("one"), usable)!;

  assert(usable(next));
  for (let i = 0; i < 6; i++) {
    assert(policy.pick(keyed("one"), usable) === next);
  }
});

Deno.test("ConsistentHash picks a busy one rather than none", () => {
  const members = membersOf([1, 1, 1]);
  members[0]!.load = 1_000;
  const policy = policyOf(members);

  for (const context of KEYS.slice(0, 20)) {
    assertEquals(policy.pick(context, ({ id }) => id === "m0")!.id, "m0");
  }
});

Deno.test("ConsistentHash finds a member that is too light to own an arc", () => {
  const members = [
    new FakeMember("light", 1e-9),
    ...membersOf([10_000, 10_000]),
  ];
  const policy = policyOf(members);

  assert(idsOf(policy).every((id) => id !== "light"));
  for (const context of KEYS.slice(0, 5)) {
    assertEquals(policy.pick(context, ({ id }) => id === "light")!.id, "light");
  }
});

Deno.test("ConsistentHash takes turns where there is no key", () => {
  const policy = policyOf(membersOf([2, 1]), "header:x-user");
  const picked = Array.from(
    { length: 6 },
    () => policy.pick(pickFor("192.0.2.1", {}))!.id,
  );

  assertEquals(picked, ["m0", "m1", "m0", "m0", "m1", "m0"]);
});
