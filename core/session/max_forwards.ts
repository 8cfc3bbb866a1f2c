/**
 * Max-Forwards: how many hops an OPTIONS may still go (RFC 9110 §7.6.2; TRACE,
 * the other method that it counts for, is refused).
 *
 * @module
 */
import type { Fields } from "../message/fields.ts";

/** The hops that are left before this one; undefined where nothing is said or it means nothing. */
export function hopsLeft(method: string, fields: Fields): number | undefined {
  if (method !== "OPTIONS") return undefined;
  const value = fields.first("max-forwards");
  return value !== undefined && /^\d{1,9}$/.test(value)
    ? Number(value)
    : undefined;
}
