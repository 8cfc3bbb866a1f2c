/**
 * First: the config's order, and nothing else.
 *
 * @module
 */
import { FirstUsable } from "../../../core/balance/first_usable.ts";
import { assertEquals } from "../../support/assert.ts";
import {
  type FakeMember,
  membersOf,
  pickFor,
} from "../../support/fake_member.ts";

Deno.test("FirstUsable picks the first in order, whatever weights and loads", () => {
  const members = membersOf([1, 10, 100]);
  members[0]!.load = 1_000;
  const policy = new FirstUsable<FakeMember>();
  policy.update(members);

  assertEquals(policy.pick(pickFor())!.id, "m0");
  assertEquals(policy.pick(pickFor(), ({ load }) => load < 10)!.id, "m1");
  policy.update(members.toReversed());
  assertEquals(policy.pick(pickFor())!.id, "m2");
});
