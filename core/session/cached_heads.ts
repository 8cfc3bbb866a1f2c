/**
 * What is stored of a backend's reply but its body.
 *
 * @module
 */
import {
  type Directives,
  NO_DIRECTIVES,
  parseCacheControl,
  parseTargeted,
} from "../cache/directives.ts";
import { formatHttpDate } from "../cache/http_dates.ts";
import { ruleLifetime } from "../cache/rules.ts";
import {
  refusalOf,
  storedFields,
  updatedFields,
} from "../cache/storability.ts";
import type { FieldLine, StoredHead } from "../cache/store.ts";
import { factsOf, readVary, valuesOf } from "../cache/stored_response.ts";
import { keptRequest } from "../cache/vary.ts";
import { looksLikeAny } from "../message/field_rules.ts";
import type { Fields } from "../message/fields.ts";
import type { Attempt } from "./attempt.ts";
import { tagsIn } from "./cache_purge.ts";
import type { Caching } from "./caching.ts";
import { CLIENT_TOLD } from "./forwarding.ts";
import type { Reply } from "./reply.ts";

/** A backend's reply, before the cache had to do with it. */
export interface BackendReply extends Reply {
  readonly attempt: Attempt;
}

/** A response that nobody gets. */
export function drop({ attempt, body }: BackendReply): void {
  if (body === null) {
    attempt.keepViews();
    attempt.release();
  } else attempt.close();
}

/** Whether it may be stored, and still is to be. */
export function mayStore(
  { transaction, directives, stores, fetch }: Caching,
  head: StoredHead,
  representsTarget: boolean,
): boolean {
  const { method, authorized, headers } = transaction.request!;
  const { bodyLength } = transaction.head!;
  if (!stores || fetch?.doomed === true) return false;
  const refusal = refusalOf(head, {
    // What a HEAD tells is of what a GET brought.
    method: method === "HEAD" ? "GET" : method,
    directives,
    authorized,
    hasBody: bodyLength !== 0,
    representsTarget,
    unseen: CLIENT_TOLD,
  });
  return refusal === undefined &&
    !hasLookalikes(headers, factsOf(head).vary ?? []);
}

/**
 * Whether the request has a field beside those of these names that backends with
 * variables in place of fields take for one of them, such as `Accept_Language`:
 * its answer is not what others get by the same names.
 */
function hasLookalikes(fields: Fields, names: readonly string[]): boolean {
  if (names.length === 0) return false;
  for (const [name] of fields) {
    if (looksLikeAny(name.toLowerCase(), names)) return true;
  }
  return false;
}

/** Whether nothing in the response itself keeps it from being stored, whoever asked for it. */
export function suitsOthers(head: StoredHead): boolean {
  return refusalOf(head, ANYBODY) === undefined;
}

const ANYBODY = Object.freeze({
  method: "GET",
  directives: NO_DIRECTIVES,
  authorized: false,
  hasBody: false,
  representsTarget: false,
  unseen: CLIENT_TOLD,
});

/** What is stored of a response but its body. */
export function headOf(
  caching: Caching,
  { response, attempt }: BackendReply,
  part: Pick<StoredHead, "complete" | "start">,
): StoredHead {
  const { transaction, rule, scope, requestedAt } = caching;
  const { status, reason } = response;
  const receivedAt = transaction.session.env.clock.wall();
  const fields = linesOf(response.fields, attempt);
  // RFC 9110 §6.6.1: who stores it says when it came.
  if (valuesOf(fields, "date").length === 0) {
    fields.push(["date", formatHttpDate(receivedAt)]);
  }
  const bare: StoredHead = {
    status,
    reason,
    fields,
    scope,
    request: [],
    requestedAt,
    receivedAt,
    length: undefined,
    tags: tagsIn([
      ...valuesOf(fields, "cache-tag"),
      ...valuesOf(fields, "surrogate-key"),
    ]),
    ttl: ruleLifetime(rule, status),
    stale: rule.stale,
    ...part,
  };
  // As the client sent them: what Vary names is weighed against the next one's.
  const vary = factsOf(bare).vary ?? [];
  return { ...bare, request: keptRequest(transaction.request!.headers, vary) };
}

/** A response's lines as they are stored: without those for its client alone. */
export function linesOf(fields: Fields, attempt: Attempt): [string, string][] {
  return storedFields(fields, directivesOf(fields))
    .filter((line) => !bindsClient(line, attempt))
    .map(([name, value]) => [name, value]);
}

/**
 * A response's lines that its client gets and nobody else: those that
 * `no-cache="…"` and `private="…"` name, and the cookie by which it finds its
 * backend.
 */
export function ownLinesOf(fields: Fields, attempt: Attempt): FieldLine[] {
  const { noCacheFields, privateFields } = directivesOf(fields);
  const own = new Set([...noCacheFields, ...privateFields]);
  if (own.size === 0 && attempt.cluster.sticky === undefined) return [];
  return storedFields(fields, NO_DIRECTIVES)
    .filter((line) =>
      own.has(line[0].toLowerCase()) || bindsClient(line, attempt)
    );
}

/** Adds such lines to what the client gets, but for what was made anew for it. */
export function addOwnLines(
  { response: { fields } }: Reply,
  lines: readonly FieldLine[],
): void {
  const missing = lines.filter(([name]) =>
    name.toLowerCase() === "set-cookie" || !fields.has(name)
  );
  for (const [name, value] of missing) fields.append(name, value);
}

function directivesOf(fields: Fields): Directives {
  return parseTargeted(fields.getAll("cdn-cache-control")) ??
    parseCacheControl(fields.getAll("cache-control"));
}

function bindsClient(
  [name, value]: FieldLine,
  { cluster: { sticky } }: Attempt,
): boolean {
  return sticky !== undefined && name.toLowerCase() === "set-cookie" &&
    value.startsWith(`${sticky.name}=`);
}

/** A stored response's head with what a newer answer says of it. */
export function updated(
  { requestedAt, rule, transaction }: Caching,
  head: StoredHead,
  newer: readonly (readonly [string, string])[],
  now: number,
): StoredHead {
  const dated = valuesOf(newer, "date").length > 0
    ? newer
    : [...newer, ["date", formatHttpDate(now)] as const];
  const fields = updatedFields(head.fields, dated);
  const known = factsOf(head).vary ?? [];
  const vary = readVary(valuesOf(fields, "vary")) ?? [];
  return {
    ...head,
    fields,
    // What it depends on by now and did not before was not kept: the answer is
    // one to this request's.
    request: vary.every((name) => known.includes(name))
      ? head.request
      : keptRequest(transaction.request!.headers, vary),
    requestedAt,
    receivedAt: now,
    ttl: ruleLifetime(rule, head.status),
    stale: rule.stale,
    tags: tagsIn([
      ...valuesOf(fields, "cache-tag"),
      ...valuesOf(fields, "surrogate-key"),
    ]),
  };
}
