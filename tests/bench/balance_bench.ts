/**
 * What a pick costs, and what a change of members costs. Aim: a pick of 10 in less
 * than 200 ns, whatever the policy.
 *
 * @module
 */
import {
  BUILTIN_POLICIES,
  createPolicy,
} from "../../core/balance/create_policy.ts";
import { hashKey } from "../../core/balance/hash_key.ts";
import type { PickContext, Policy } from "../../core/balance/policy.ts";
import type { BalancePolicy } from "../../core/plugin.ts";
import { StickyCookie } from "../../core/balance/sticky_cookie.ts";
import { SubclusterChoice } from "../../core/balance/subclusters.ts";
import { FakeMember, membersOf, pickFor } from "../support/fake_member.ts";

const WEIGHTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const CLIENTS = Array.from(
  { length: 256 },
  (_, i) => pickFor(`198.51.100.${i}`),
);
let turn = 0;

/** Another client each time: the same one would be the same arc. */
function nextClient(): PickContext {
  return CLIENTS[++turn & 255]!;
}

/** Plugins' policies answer `pick` alone. */
function roundRobinOfAPlugin(): BalancePolicy {
  const turns = createPolicy("roundrobin", { random: Math.random });
  return {
    update: (members) => turns.update(members),
    pick: (context, usable) => turns.pick(context, usable),
  };
}

function policyOf(name: string, members: readonly FakeMember[]) {
  const policy: Policy<FakeMember> = createPolicy(name, {
    random: Math.random,
    custom: new Map([["a plugin's", roundRobinOfAPlugin]]),
  });
  policy.update(members);
  return policy;
}

/** Loads that differ and change, so that no pick is like the one before. */
function shift(members: readonly FakeMember[], picked: FakeMember): void {
  picked.load++;
  const other = members[turn % members.length]!;
  if (other.load > 0) other.load--;
}

for (const count of [10, 1_000]) {
  for (const name of [...BUILTIN_POLICIES, "a plugin's"]) {
    const members = membersOf(
      Array.from({ length: count }, (_, i) => WEIGHTS[i % 10]!),
    );
    const policy = policyOf(name, members);
    Deno.bench(`pick of ${count}: ${name}`, { group: `${count}` }, () => {
      shift(members, policy.pick(nextClient())!);
    });
  }
}

for (const name of BUILTIN_POLICIES) {
  const members = membersOf(WEIGHTS);
  const policy = policyOf(name, members);
  const tried = members[9];
  const usable = (member: FakeMember) => member !== tried;
  Deno.bench(`pick of 10, one tried: ${name}`, { group: "tried" }, () => {
    shift(members, policy.pick(nextClient(), usable)!);
  });
}

for (const name of BUILTIN_POLICIES) {
  const members = membersOf(WEIGHTS);
  const policy = policyOf(name, members);
  const growing = members[9]!;
  Deno.bench(`a second of slow start of 1 in 10: ${name}`, {
    group: "update",
  }, () => {
    growing.weight = growing.weight >= 10 ? 1 : growing.weight + 0.1;
    policy.update(members);
  });
}

for (const key of ["clientAddress", "header:x-user"]) {
  const members = membersOf(WEIGHTS);
  const policy = createPolicy<FakeMember>("hash", {
    hashKey: hashKey(key),
    random: Math.random,
  });
  policy.update(members);
  const context = pickFor("198.51.100.1", {
    headers: [["x-user", "0123456789abcdef0123456789abcdef"]],
  });
  Deno.bench(`hash by ${key}, a fake request's`, { group: "key" }, () => {
    policy.pick(context);
  });
}

for (const hash of [undefined, hashKey("clientAddress")]) {
  const choice = new SubclusterChoice({ hashKey: hash });
  choice.update([
    { name: "east", weight: 60, members: 3 },
    { name: "west", weight: 30, members: 3 },
    { name: "north", weight: 10, members: 1 },
  ], 1);
  Deno.bench(
    `choice of 3 subclusters${hash ? " by key" : ""}`,
    { group: "subcluster" },
    () => {
      choice.pick(nextClient());
    },
  );
}

const cookie = new StickyCookie({
  name: "HRSESSION",
  secret: new Uint8Array(32),
  backends: membersOf(WEIGHTS).map(({ id }) => id),
});
const value = cookie.issue("m3", true).slice("HRSESSION=".length).split(
  ";",
)[0]!;
Deno.bench("sticky cookie: read", { group: "cookie" }, () => {
  if (cookie.read(value) !== "m3") throw new Error();
});
Deno.bench("sticky cookie: issue", { group: "cookie" }, () => {
  cookie.issue("m3", true);
});
