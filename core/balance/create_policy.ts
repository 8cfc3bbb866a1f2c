/**
 * Policies by their names in the config.
 *
 * @module
 */
import type { BalancePolicy } from "../plugin.ts";
import { ConsistentHash } from "./consistent_hash.ts";
import { FirstUsable } from "./first_usable.ts";
import { GuardedPolicy } from "./guarded_policy.ts";
import { clientAddressKey, type HashKey } from "./hash_key.ts";
import { LeastConnections } from "./least_connections.ts";
import type { Member, Policy } from "./policy.ts";
import { RandomOfTwo } from "./random_of_two.ts";
import { RoundRobin } from "./round_robin.ts";

/** The policies that need no plugin. */
export const BUILTIN_POLICIES = Object.freeze(
  ["roundrobin", "leastconn", "random", "first", "hash"] as const,
);

/** What policies are made with. */
export interface PolicyOptions {
  /** What `hash` hashes; the client's address. */
  readonly hashKey?: HashKey | undefined;
  /** From 0 to below 1, as `Math.random` gives it: what random draws begin with. */
  readonly random: () => number;
  /** Plugins' policies by name; a built-in one of the same name is meant instead. */
  readonly custom?: ReadonlyMap<string, () => BalancePolicy> | undefined;
  /**
   * Told of each failure of a plugin's policy, for which round robin steps in.
   * Left out, the failure is thrown to who updates or picks.
   */
  readonly failed?: ((policy: string, thrown: unknown) => void) | undefined;
}

/** A new policy of this name. Throws a `RangeError` where there is none, and what a plugin's factory throws. */
export function createPolicy<M extends Member>(
  name: string,
  options: PolicyOptions,
): Policy<M> {
  switch (name) {
    case "roundrobin":
      return new RoundRobin();
    case "leastconn":
      return new LeastConnections();
    case "random":
      return new RandomOfTwo(options.random);
    case "first":
      return new FirstUsable();
    case "hash":
      return new ConsistentHash(options.hashKey ?? clientAddressKey);
  }
  const make = options.custom?.get(name);
  if (make === undefined) {
    const known = [...BUILTIN_POLICIES, ...options.custom?.keys() ?? []];
    throw new RangeError(
      `A policy must be one of ${known.join(", ")}: current value is ${
        JSON.stringify(name)
      }`,
    );
  }
  const { failed } = options;
  return new GuardedPolicy(make(), (thrown) => {
    if (failed === undefined) throw thrown;
    failed(name, thrown);
  });
}
