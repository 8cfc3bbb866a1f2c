/**
 * Whether a stored response may be served to a request as it is, only after a
 * word of its backend, or where there is no word to be had (RFC 9111 §4.2, RFC
 * 5861, RFC 8246).
 *
 * @module
 */
import type { Directives } from "./directives.ts";
import type { StoredHead } from "./store.ts";
import { factsOf } from "./stored_response.ts";

/** Its age now, in milliseconds. */
export function ageOf(head: StoredHead, now: number): number {
  return factsOf(head).initialAge + Math.max(0, now - head.receivedAt);
}

/** How far it is past its lifetime, in milliseconds; below 0 while it is fresh. */
export function staleness(head: StoredHead, now: number): number {
  const { lifetime } = factsOf(head);
  // Exactly as old as its lifetime is stale.
  return ageOf(head, now) - lifetime;
}

/** What is to be done with a stored response that matches a request. */
export type Judgement =
  /** Served as it is. */
  | "fresh"
  /** Served as it is, and fetched anew behind the client's back. */
  | "refresh"
  /** The backend has to be asked first. */
  | "stale";

/**
 * Judges by what the response says and what the request wants of it. `fresh`
 * overrides how old it is, as a handler may.
 */
export function judge(
  head: StoredHead,
  request: Directives,
  now: number,
  fresh?: boolean,
): Judgement {
  const { directives, lifetime } = factsOf(head);
  if (fresh === false) return "stale";
  const age = ageOf(head, now);
  const over = age - lifetime;
  const isFresh = fresh ?? over < 0;
  // `no-cache` may be reused after a word of the backend only.
  if (directives.noCache || request.noCache) return "stale";
  if (isFresh) {
    const { maxAge, minFresh } = request;
    // RFC 8246 §2: a plain reload is no reason to ask about what never changes.
    const asksAge = maxAge !== undefined && !directives.immutable;
    if (asksAge && !(age <= maxAge * 1000)) {
      return "stale";
    }
    if (minFresh !== undefined && !(-over >= minFresh * 1000)) return "stale";
    return "fresh";
  }
  if (!mayBeStale(directives)) return "stale";
  const { maxAge, maxStale, minFresh } = request;
  if (minFresh !== undefined) return "stale";
  if (maxStale !== undefined && over <= maxStale * 1000) {
    return maxAge === undefined || age <= maxAge * 1000 ? "fresh" : "stale";
  }
  if (maxAge !== undefined) return "stale";
  const window = directives.staleWhileRevalidate;
  const allowed = window === undefined ? head.stale ?? 0 : window * 1000;
  return over < allowed ? "refresh" : "stale";
}

/** How long a response that says nothing of it may stand in for a backend that can't be reached: a day. */
const DISCONNECTED = 86_400_000;

/**
 * Whether a stored response may take the place of a backend's failure (RFC 5861
 * §4); `disconnected` where no answer came at all (RFC 9111 §4.2.4).
 */
export function mayStandIn(
  head: StoredHead,
  request: Directives,
  now: number,
  disconnected: boolean,
): boolean {
  const { directives } = factsOf(head);
  if (directives.noCache || request.noCache) return false;
  const over = staleness(head, now);
  if (over < 0) return true;
  if (!mayBeStale(directives)) return false;
  const window = request.staleIfError ?? directives.staleIfError;
  const silent = head.stale ?? (disconnected ? DISCONNECTED : 0);
  const allowed = window === undefined ? silent : window * 1000;
  return over < allowed;
}

/** RFC 9111 §4.2.4: these forbid it whatever else is said; s-maxage means proxy-revalidate (§5.2.2.10). */
function mayBeStale(
  { mustRevalidate, proxyRevalidate, sharedMaxAge, noCache }: Directives,
): boolean {
  return !mustRevalidate && !proxyRevalidate && sharedMaxAge === undefined &&
    !noCache;
}
