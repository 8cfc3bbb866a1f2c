/**
 * Hosts as requests are told apart by: one spelling for one host, or a rule that
 * guards `admin.example.com` would not know `admin.example.com.` (RFC 1034 §3.1).
 *
 * @module
 */
import { isIPv6 } from "node:net";

/**
 * The one spelling of a host without port and brackets: lower case, no dot at
 * the end, an IPv6 address in its shortest form (RFC 5952).
 */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  if (!lower.includes(":")) {
    return lower.endsWith(".") ? lower.slice(0, -1) : lower;
  }
  // A handler may have set anything; a zone has no place in a Host.
  return isIPv6(lower) && !lower.includes("%")
    ? new URL(`http://[${lower}]`).hostname.slice(1, -1)
    : lower;
}
