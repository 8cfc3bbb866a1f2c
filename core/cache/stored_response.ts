/**
 * What a stored response's fields say, read once and kept with its head.
 *
 * @module
 */
import {
  type Directives,
  parseCacheControl,
  parseTargeted,
} from "./directives.ts";
import { parseHttpDate } from "./http_dates.ts";
import type { FieldLine, StoredHead } from "./store.ts";

/** Seconds of a response's Age, undefined where it has none that can be read. */
export function parseAge(values: readonly string[]): number | undefined {
  // RFC 9111 §5.1: the first member counts; what is no number is ignored.
  const first = values[0]?.split(",")[0]?.trim();
  return first !== undefined && /^\d+$/.test(first)
    ? Math.min(Number(first), 2 ** 31)
    : undefined;
}

/** What a head's fields say of caching. */
export class StoredFacts {
  /** Those that count: CDN-Cache-Control's where it is there, else Cache-Control's. */
  readonly directives: Directives;
  /** Whether CDN-Cache-Control counts: Expires and Cache-Control then don't. */
  readonly targeted: boolean;
  /** When it was made, in milliseconds since the epoch: its Date, else when it came. */
  readonly date: number;
  readonly age: number | undefined;
  /** Milliseconds since the epoch; `NaN` where Expires is no date, undefined without one. */
  readonly expires: number | undefined;
  readonly lastModified: number | undefined;
  readonly etag: string | undefined;
  /** Names that Vary lists, in lower case; null for `*`. */
  readonly vary: readonly string[] | null;
  /** Lifetime in milliseconds, and where it comes from. */
  readonly lifetime: number;
  readonly explicit: boolean;
  /** Its age in milliseconds when it came (RFC 9111 §4.2.3). */
  readonly initialAge: number;

  constructor(head: StoredHead) {
    const { fields, receivedAt } = head;
    const targeted = parseTargeted(valuesOf(fields, "cdn-cache-control"));
    this.targeted = targeted !== undefined;
    this.directives = targeted ??
      parseCacheControl(valuesOf(fields, "cache-control"));
    const date = valuesOf(fields, "date")[0];
    this.date = (date && parseHttpDate(date, receivedAt)) || receivedAt;
    this.age = parseAge(valuesOf(fields, "age"));
    this.expires = readExpires(valuesOf(fields, "expires"), receivedAt);
    const modified = valuesOf(fields, "last-modified")[0];
    this.lastModified = modified === undefined
      ? undefined
      : parseHttpDate(modified, receivedAt);
    this.etag = valuesOf(fields, "etag")[0];
    this.vary = readVary(valuesOf(fields, "vary"));
    const explicit = explicitLifetime(this);
    this.explicit = explicit !== undefined;
    this.lifetime = explicit ?? head.ttl ?? heuristicLifetime(head, this);
    this.initialAge = initialAge(head, this);
  }
}

const known = new WeakMap<StoredHead, StoredFacts>();

/** What this head says. */
export function factsOf(head: StoredHead): StoredFacts {
  let facts = known.get(head);
  if (facts === undefined) {
    facts = new StoredFacts(head);
    known.set(head, facts);
  }
  return facts;
}

/** The values of all lines of a name, which is in lower case. */
export function valuesOf(
  fields: readonly FieldLine[],
  name: string,
): readonly string[] {
  let values: string[] | undefined;
  for (const line of fields) {
    if (line[0].length === name.length && line[0].toLowerCase() === name) {
      (values ??= []).push(line[1]);
    }
  }
  return values ?? NONE;
}

const NONE: readonly string[] = Object.freeze([]);

/** The names that Vary's values list; null where `*` is among them. */
export function readVary(values: readonly string[]): readonly string[] | null {
  if (values.length === 0) return NONE;
  const names = new Set<string>();
  for (const value of values) {
    for (const part of value.split(",")) {
      const name = part.trim().toLowerCase();
      if (name === "*") return null;
      if (name !== "") names.add(name);
    }
  }
  return [...names];
}

function readExpires(
  values: readonly string[],
  now: number,
): number | undefined {
  if (values.length === 0) return undefined;
  // Several are no date, unless all say the same.
  const same = values.every((value) => value === values[0]);
  return (same ? parseHttpDate(values[0]!, now) : undefined) ?? NaN;
}

/** RFC 9111 §4.2.1, for a shared cache; 0 for what can't be read. */
function explicitLifetime(
  { directives, targeted, expires, date }: StoredFacts,
): number | undefined {
  const seconds = directives.sharedMaxAge ?? directives.maxAge;
  if (seconds !== undefined) {
    return Number.isNaN(seconds) ? 0 : seconds * 1000;
  }
  if (targeted || expires === undefined) return undefined;
  return Number.isNaN(expires) ? 0 : Math.max(0, expires - date);
}

/** Statuses that are cacheable without a word of their lifetime (RFC 9110 §15.1). */
export const HEURISTIC: ReadonlySet<number> = new Set([
  200,
  203,
  204,
  206,
  300,
  301,
  308,
  404,
  405,
  410,
  414,
  501,
]);

/** At most a day: longer ago says little of what comes. */
const MAX_HEURISTIC = 86_400_000;

/** A tenth of the time since it was modified (RFC 9111 §4.2.2). */
function heuristicLifetime(
  { status, fields }: StoredHead,
  { lastModified, date, directives, targeted }: StoredFacts,
): number {
  if (lastModified === undefined) return 0;
  if (!HEURISTIC.has(status) && !directives.public) return 0;
  // What Cache-Control would have to say, Pragma says for HTTP/1.0.
  const silent = !targeted && valuesOf(fields, "cache-control").length === 0;
  if (silent && valuesOf(fields, "pragma").some(isNoCache)) return 0;
  const since = Math.max(0, date - lastModified);
  return Math.min(since / 10, MAX_HEURISTIC);
}

function isNoCache(value: string): boolean {
  return value.split(",").some((part) =>
    part.trim().toLowerCase() === "no-cache"
  );
}

/** RFC 9111 §4.2.3: never younger than either clock says. */
function initialAge(
  { requestedAt, receivedAt }: StoredHead,
  { date, age }: StoredFacts,
): number {
  const apparent = Math.max(0, receivedAt - date);
  const delay = Math.max(0, receivedAt - requestedAt);
  const corrected = age === undefined ? delay : age * 1000 + delay;
  return Math.max(apparent, corrected);
}
