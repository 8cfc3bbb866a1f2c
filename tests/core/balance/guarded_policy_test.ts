/**
 * A plugin's policy: asked first, and guarded.
 *
 * @module
 */
import { createPolicy } from "../../../core/balance/create_policy.ts";
import type { Member, Policy } from "../../../core/balance/policy.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { FakeMember, membersOf, pickFor } from "../../support/fake_member.ts";

interface Setup {
  readonly members: readonly FakeMember[];
  readonly policy: Policy<FakeMember>;
  readonly failures: [string, string][];
}

/** A plugin's policy that picks so. */
function guard(
  pick: (members: readonly Member[]) => unknown,
  update: () => void = () => {},
): Setup {
  let members: readonly Member[] = [];
  const own = {
    update(given: readonly Member[]) {
      members = given;
      update();
    },
    pick: () => pick(members) as Member | undefined,
  };
  const failures: [string, string][] = [];
  const policy = createPolicy<FakeMember>("own", {
    random: Math.random,
    custom: new Map([["own", () => own]]),
    failed: (name, thrown) =>
      failures.push([name, thrown instanceof Error ? thrown.message : ""]),
  });
  const given = membersOf([1, 1]);
  policy.update(given);
  return { members: given, policy, failures };
}

Deno.test("GuardedPolicy picks what the plugin picks", () => {
  const { members, policy, failures } = guard((members) => members[1]);

  for (let i = 0; i < 4; i++) assert(policy.pick(pickFor()) === members[1]);
  assert(policy.pick(pickFor(), ({ id }) => id === "m1") === members[1]);
  assertEquals(failures, []);
});

Deno.test("GuardedPolicy takes turns where the plugin has no answer, and counts no failure", () => {
  const { members, policy, failures } = guard(() => undefined);

  assert(policy.pick(pickFor()) === members[0]);
  assert(policy.pick(pickFor()) === members[1]);
  assert(policy.pick(pickFor(), ({ id }) => id === "m1") === members[1]);
  assertEquals(policy.pick(pickFor(), () => false), undefined);
  assertEquals(failures, []);
});

const WRONG:
  readonly (readonly [string, (members: readonly Member[]) => unknown])[] = [
    ["another's member", () => new FakeMember("m0")],
    ["an id", () => "m0"],
    ["null", () => null],
    ["a promise", (members) => Promise.resolve(members[0])],
  ];

for (const [what, pick] of WRONG) {
  Deno.test(`GuardedPolicy takes turns where the plugin picks ${what}, and says so`, () => {
    const { members, policy, failures } = guard(pick);

    assert(policy.pick(pickFor()) === members[0]);
    assertEquals(failures, [["own", "A policy must pick one of its members"]]);
  });
}

Deno.test("GuardedPolicy takes turns where the plugin picks one that is not usable, and says so", () => {
  const { members, policy, failures } = guard((members) => members[0]);

  assert(policy.pick(pickFor(), ({ id }) => id !== "m0") === members[1]);
  assertEquals(failures, [
    ["own", 'A policy must pick a usable member: it picked "m0"'],
  ]);
});

Deno.test("GuardedPolicy takes turns where the plugin throws, and says so", () => {
  const boom = () => {
    throw new Error("boom");
  };
  const { members, policy, failures } = guard(boom, boom);

  assert(policy.pick(pickFor()) === members[0]);
  assertEquals(failures, [["own", "boom"], ["own", "boom"]]);
});

Deno.test("createPolicy throws what a plugin's policy does wrong where nobody is told", () => {
  const own = { update() {}, pick: () => new FakeMember("m0") };
  const policy = createPolicy<FakeMember>("own", {
    random: Math.random,
    custom: new Map([["own", () => own]]),
  });
  policy.update(membersOf([1]));

  assertThrows(() => policy.pick(pickFor()), TypeError);
});
