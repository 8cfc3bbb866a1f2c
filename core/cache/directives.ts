/**
 * Cache directives: of Cache-Control (RFC 9111 §5.2) in requests and responses,
 * and of CDN-Cache-Control (RFC 9213), which is a Structured Field.
 *
 * @module
 */
import { parseDictionary } from "./structured_fields.ts";

/** Seconds that are as good as for ever: RFC 9111 §1.2.2 has larger numbers count as this. */
export const MAX_SECONDS = 2 ** 31;

/** What directives say; seconds, `NaN` where a number is wanted and none is there. */
export class Directives {
  noStore = false;
  noCache = false;
  /** Fields that `no-cache="…"` names; such a response may be reused without them. */
  noCacheFields: readonly string[] = NONE;
  private = false;
  /** Fields that `private="…"` names; the rest may be stored. */
  privateFields: readonly string[] = NONE;
  public = false;
  mustRevalidate = false;
  proxyRevalidate = false;
  mustUnderstand = false;
  noTransform = false;
  immutable = false;
  onlyIfCached = false;
  maxAge: number | undefined;
  sharedMaxAge: number | undefined;
  /** Infinity where the request says `max-stale` without a bound. */
  maxStale: number | undefined;
  minFresh: number | undefined;
  staleWhileRevalidate: number | undefined;
  staleIfError: number | undefined;

  /** Takes one directive in; the first of several with one name counts (RFC 9111 §4.2.1). */
  add(name: string, value: string | undefined): void {
    switch (name) {
      case "no-store":
        this.noStore = true;
        break;
      case "no-cache":
        if (value === undefined) this.noCache = true;
        else this.noCacheFields = [...this.noCacheFields, ...names(value)];
        break;
      case "private":
        if (value === undefined) this.private = true;
        else this.privateFields = [...this.privateFields, ...names(value)];
        break;
      case "public":
        this.public = true;
        break;
      case "must-revalidate":
        this.mustRevalidate = true;
        break;
      case "proxy-revalidate":
        this.proxyRevalidate = true;
        break;
      case "must-understand":
        this.mustUnderstand = true;
        break;
      case "no-transform":
        this.noTransform = true;
        break;
      case "immutable":
        this.immutable = true;
        break;
      case "only-if-cached":
        this.onlyIfCached = true;
        break;
      case "max-age":
        this.maxAge ??= seconds(value);
        break;
      case "s-maxage":
        this.sharedMaxAge ??= seconds(value);
        break;
      case "max-stale":
        this.maxStale ??= value === undefined ? Infinity : seconds(value);
        break;
      case "min-fresh":
        this.minFresh ??= seconds(value);
        break;
      case "stale-while-revalidate":
        this.staleWhileRevalidate ??= seconds(value);
        break;
      case "stale-if-error":
        this.staleIfError ??= seconds(value);
        break;
    }
  }
}

const NONE: readonly string[] = Object.freeze([]);

/** No directives at all. */
export const NO_DIRECTIVES: Directives = Object.freeze(new Directives());

/**
 * Reads Cache-Control's field values. Unknown directives are passed over, a
 * quoted value counts like a bare one.
 */
export function parseCacheControl(values: readonly string[]): Directives {
  if (values.length === 0) return NO_DIRECTIVES;
  const directives = new Directives();
  for (const value of values) {
    for (const [, name, quoted, token] of value.matchAll(DIRECTIVE)) {
      if (name === undefined) continue;
      directives.add(
        name.toLowerCase(),
        quoted === undefined
          ? token?.trimEnd()
          : quoted.replace(/\\(.)/g, "$1"),
      );
    }
  }
  return directives;
}

/**
 * One directive up to its comma. What follows a token value up to there spoils
 * the value, as `max-age=3600;x` is no number, and is taken into it; what is no
 * directive at all is skipped as a whole, quoted strings with it. Commas to the
 * end match too: else each of them would be looked at again from every other.
 */
const DIRECTIVE =
  /[ \t,]*(?:([\w!#$%&'*+.^`|~-]+)(?:=(?:"((?:[^"\\]|\\.)*)"[ \t]*(?=,|$)|((?:[^",]|"(?:[^"\\]|\\.)*(?:"|\\?$))*)))?|(?:[^",]|"(?:[^"\\]|\\.)*(?:"|\\?$))+|$)/g;

/**
 * Reads CDN-Cache-Control; undefined where there is none or it is no dictionary
 * of the types that it should have: it is then ignored (RFC 9213 §2.1).
 */
export function parseTargeted(
  values: readonly string[],
): Directives | undefined {
  if (values.length === 0) return undefined;
  const members = parseDictionary(values.join(","));
  if (members === undefined || members.size === 0) return undefined;
  const directives = new Directives();
  for (const [name, value] of members) {
    if (value.kind === "boolean") {
      if (!value.value) continue;
      // A number is wanted and `true` is none.
      if (NUMBERS.has(name)) return undefined;
      directives.add(name, undefined);
    } else if (value.kind === "integer") {
      if (FLAGS.has(name)) return undefined;
      directives.add(name, String(value.value));
    } else if (value.kind === "string" && LISTS.has(name)) {
      directives.add(name, value.value);
    } else if (NUMBERS.has(name) || FLAGS.has(name)) {
      return undefined;
    }
  }
  return directives;
}

const NUMBERS: ReadonlySet<string> = new Set([
  "max-age",
  "s-maxage",
  "stale-while-revalidate",
  "stale-if-error",
]);
const LISTS: ReadonlySet<string> = new Set(["no-cache", "private"]);
const FLAGS: ReadonlySet<string> = new Set([
  ...LISTS,
  "no-store",
  "must-revalidate",
  "proxy-revalidate",
  "must-understand",
  "no-transform",
  "public",
  "immutable",
]);

/** Delta-seconds; `NaN` for what is no such number. */
export function seconds(value: string | undefined): number {
  if (value === undefined || !/^\d+$/.test(value)) return NaN;
  return Math.min(Number(value), MAX_SECONDS);
}

function names(value: string): string[] {
  return value.split(",").map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
}
