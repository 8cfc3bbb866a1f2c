/**
 * The config's rules of the cache, compiled: which one a request goes by.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import { type KeyMaker, urlKey } from "./cache_key.ts";

/** One rule; durations in milliseconds. */
export interface CacheRule {
  /** Whether a request goes by it; null for every one. May throw what a plugin's primitive throws. */
  readonly when: ((request: HttpRequest) => boolean) | null;
  /** Lifetime of responses that say none. */
  readonly ttl: number | undefined;
  /** The same for errors. */
  readonly negative: number | undefined;
  /** How long beyond its lifetime a response may be served that says nothing of it. */
  readonly stale: number | undefined;
  /** Requests before a response is stored. */
  readonly minUses: number;
  readonly key: KeyMaker;
  /** The cache is left aside. */
  readonly bypass: boolean;
}

/** What holds where no rule matches. */
export const NO_RULE: CacheRule = Object.freeze({
  when: null,
  ttl: undefined,
  negative: undefined,
  stale: undefined,
  minUses: 1,
  key: urlKey,
  bypass: false,
});

/** The rule that a request goes by: the first that matches. */
export function ruleOf(
  rules: readonly CacheRule[],
  request: HttpRequest,
): CacheRule {
  for (const rule of rules) {
    if (rule.when === null || rule.when(request)) return rule;
  }
  return NO_RULE;
}

/** Errors that `negative` gives a lifetime: what a reload will not mend at once, and a backend that fails. */
const NEGATIVE: ReadonlySet<number> = new Set([
  403,
  404,
  405,
  410,
  414,
  451,
  500,
  501,
  502,
  503,
  504,
]);

/** The lifetime that a rule gives a response of this status, undefined for none. */
export function ruleLifetime(
  rule: CacheRule,
  status: number,
): number | undefined {
  if (status < 400) return rule.ttl;
  return NEGATIVE.has(status) ? rule.negative : undefined;
}
