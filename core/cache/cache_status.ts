/**
 * Cache-Status (RFC 9211): what the cache did with a request.
 *
 * @module
 */

/** Why a request went on to a backend. */
export type ForwardReason =
  | "bypass"
  | "method"
  | "uri-miss"
  | "vary-miss"
  | "miss"
  | "request"
  | "stale"
  | "partial";

/** What is told of one request. */
export interface CacheStatus {
  /** Undefined for a hit. */
  readonly forward?: ForwardReason;
  /** What the backend answered, where the client got something else. */
  readonly forwardStatus?: number;
  /** Seconds that it is still fresh, below 0 where it is not. */
  readonly ttl?: number;
  readonly stored?: boolean;
  readonly collapsed?: boolean;
  readonly detail?: string;
}

/** The name of this cache in the field. */
export const CACHE_NAME = "Headrace";

/** This cache's member of the list. */
export function formatCacheStatus(status: CacheStatus): string {
  const { forward, forwardStatus, ttl, stored, collapsed, detail } = status;
  let text = CACHE_NAME +
    (forward === undefined ? "; hit" : `; fwd=${forward}`);
  if (forwardStatus !== undefined) text += `; fwd-status=${forwardStatus}`;
  if (ttl !== undefined) text += `; ttl=${ttl}`;
  if (stored === true) text += "; stored";
  if (collapsed === true) text += "; collapsed";
  if (detail !== undefined) text += `; detail=${detail}`;
  return text;
}
