/**
 * Who the client is, through proxies that are trusted, and what backends are
 * told of it.
 *
 * @module
 */
import { isIP } from "node:net";
import type { CidrSet } from "../net/cidr.ts";
import type { Fields } from "../message/fields.ts";

/** Which peers' word is believed. */
export interface TrustPolicy {
  readonly trusted: CidrSet | undefined;
  /** How many proxies stand before this one. */
  readonly hops: number;
}

/** Whether the peer is a trusted proxy. */
export function isTrusted(policy: TrustPolicy, remote: string): boolean {
  return policy.trusted !== undefined && policy.trusted.has(remote);
}

/**
 * Removes what a client says of the way to it, where it is not believed: nobody
 * behind here may take it for this hop's. X-Forwarded-For stays, its entries
 * count from the right.
 */
export function dropForged(fields: Fields): void {
  for (const name of ["x-forwarded-proto", "x-forwarded-host"]) {
    if (fields.has(name)) fields.remove(name);
  }
}

/**
 * The client's address: the peer's or, where the peer is trusted, the entry of
 * X-Forwarded-For that the outermost of `hops` proxies added. Each proxy appends,
 * so entries count from the right; whatever the client wrote itself is further left.
 */
export function clientAddress(
  policy: TrustPolicy,
  remote: string,
  fields: Fields,
): string {
  const forwarded = fields.getAll("x-forwarded-for").join(",").split(",")
    .map((entry) => bareAddress(entry.trim()));
  const entry = forwarded[Math.max(0, forwarded.length - policy.hops)];
  return entry !== undefined && isIP(entry) !== 0 ? entry : remote;
}

/** An entry without the brackets and port that some proxies write. */
function bareAddress(entry: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(entry);
  if (bracketed !== null) return bracketed[1]!;
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry);
  return withPort === null ? entry : withPort[1]!;
}
