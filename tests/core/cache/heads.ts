/**
 * Stored heads for tests.
 *
 * @module
 */
import type { FieldLine, StoredHead } from "../../../core/cache/store.ts";
import { formatHttpDate } from "../../../core/cache/http_dates.ts";

/** When tests' responses came. */
export const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);

/** A date so many seconds from {@linkcode NOW}. */
export function at(seconds: number): string {
  return formatHttpDate(NOW + seconds * 1000);
}

/** A head that came now with these lines. */
export function headOf(
  fields: readonly FieldLine[],
  parts: Partial<StoredHead> = {},
): StoredHead {
  return {
    status: 200,
    reason: "OK",
    fields,
    scope: "web",
    request: [],
    requestedAt: NOW,
    receivedAt: NOW,
    length: 3,
    start: 0,
    complete: true,
    tags: [],
    ttl: undefined,
    stale: undefined,
    ...parts,
  };
}
