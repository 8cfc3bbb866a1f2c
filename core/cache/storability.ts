/**
 * What may be stored (RFC 9111 §3) and which of its fields (§3.1).
 *
 * @module
 */
import type { Fields } from "../message/fields.ts";
import type { Directives } from "./directives.ts";
import { parseContentRange } from "./ranges.ts";
import type { FieldLine, StoredHead } from "./store.ts";
import { factsOf, HEURISTIC, valuesOf } from "./stored_response.ts";

/** What counts of the request. */
export interface StoringRequest {
  readonly method: string;
  readonly directives: Directives;
  /** It has Authorization. */
  readonly authorized: boolean;
  /** It has a body, by which its answer may differ. */
  readonly hasBody: boolean;
  /** For POST: Content-Location names the URL that was asked (RFC 9110 §9.3.3). */
  readonly representsTarget: boolean;
  /** Names of fields that backends get and lookups don't see: what varies by one is for nobody else. */
  readonly unseen: ReadonlySet<string>;
}

/** Why a response is not stored. */
export type Refusal =
  | "method"
  | "status"
  | "no-store"
  | "private"
  | "authorization"
  | "vary"
  | "cookie"
  | "useless"
  | "range";

/** Statuses whose meaning is known (RFC 9111 §5.2.2.3). */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  ...HEURISTIC,
  302,
  303,
  307,
  400,
  403,
  406,
  409,
  411,
  413,
  415,
  421,
  422,
  423,
  424,
  428,
  429,
  431,
  451,
  500,
  502,
  503,
  504,
  505,
]);

/** Why the response must not, or need not, be stored; undefined where it may. */
export function refusalOf(
  head: StoredHead,
  request: StoringRequest,
): Refusal | undefined {
  const { status } = head;
  const facts = factsOf(head);
  const { directives, explicit, lifetime } = facts;
  const post = request.method === "POST" && explicit &&
    request.representsTarget && status === 200;
  if (request.method !== "GET" && !post) return "method";
  if (request.hasBody && !post) return "method";
  if (status < 200 || status === 304 || status === 416) return "status";
  const understood = UNDERSTOOD.has(status);
  if (directives.mustUnderstand && !understood) return "status";
  if (request.directives.noStore) return "no-store";
  // Who understands must-understand passes over no-store beside it.
  if (directives.noStore && !directives.mustUnderstand) return "no-store";
  if (directives.private) return "private";
  if (
    request.authorized && !directives.public && !directives.mustRevalidate &&
    directives.sharedMaxAge === undefined
  ) return "authorization";
  if (facts.vary === null) return "vary";
  if (facts.vary.some((name) => request.unseen.has(name))) return "vary";
  if (status === 206 && parseContentRange(head.fields) === undefined) {
    return "range";
  }
  const validator = facts.etag !== undefined ||
    facts.lastModified !== undefined;
  const reusable = lifetime > 0 && !directives.noCache;
  // Nobody said that this cookie may go to others.
  if (
    !(explicit && reusable) && valuesOf(head.fields, "set-cookie").length > 0
  ) return "cookie";
  const stale = (directives.staleWhileRevalidate ?? 0) > 0 ||
    (directives.staleIfError ?? 0) > 0 || (head.stale ?? 0) > 0;
  if (!reusable && !validator && !stale) return "useless";
  // Without a word of their lifetime only some statuses are stored at all.
  if (
    !explicit && head.ttl === undefined && !HEURISTIC.has(status) &&
    !directives.public
  ) return "useless";
  return undefined;
}

/** Fields of one connection or one hop, and those that are made anew for each client. */
const NEVER_STORED: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The lines of a response that are stored; the values of Connection name others that are not. */
export function storedFields(
  fields: Fields,
  directives: Directives,
): FieldLine[] {
  const lines = [...fields];
  const dropped = new Set([
    ...directives.noCacheFields,
    ...directives.privateFields,
  ]);
  for (const value of fields.getAll("connection")) {
    for (const name of value.split(",")) dropped.add(name.trim().toLowerCase());
  }
  return lines.filter(([name]) => {
    const lowerName = name.toLowerCase();
    return !NEVER_STORED.has(lowerName) && !dropped.has(lowerName);
  });
}

/** Fields of a 304 or of a HEAD's answer that say nothing of the stored body (RFC 9111 §3.2). */
const NOT_UPDATED: ReadonlySet<string> = new Set([
  ...NEVER_STORED,
  "content-digest",
  "content-encoding",
  "content-md5",
  "content-range",
  "etag",
  "repr-digest",
]);

/** Stored lines with those of a newer response in their place (RFC 9111 §3.2). */
export function updatedFields(
  stored: readonly FieldLine[],
  newer: readonly FieldLine[],
): FieldLine[] {
  const fresh = newer.filter(([name]) => !NOT_UPDATED.has(name.toLowerCase()));
  const names = new Set(fresh.map(([name]) => name.toLowerCase()));
  // An Age that is not said anew was that of the old answer.
  names.add("age");
  return [
    ...stored.filter(([name]) => !names.has(name.toLowerCase())),
    ...fresh,
  ];
}
