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
  // What a peer says of a client may be anything; a zone has no place in a Host.
  return isIPv6(lower) && !lower.includes("%")
    ? new URL(`http://[${lower}]`).hostname.slice(1, -1)
    : lower;
}

/** A Host field in parts. */
export interface HostParts {
  /** In its one spelling, without port and brackets; empty where there is none. */
  readonly name: string;
  /** Undefined where none is said. */
  readonly port: number | undefined;
}

/** Splits a Host field. */
export function splitHost(field: string): HostParts {
  const colon = field.lastIndexOf(":");
  const hasPort = colon >= 0 && field.indexOf("]", colon) < 0;
  const host = hasPort ? field.slice(0, colon) : field;
  const port = hasPort ? field.slice(colon + 1) : "";
  return {
    name: canonicalHost(host.startsWith("[") ? host.slice(1, -1) : host),
    // Empty, or with more zeros before it than a port has digits.
    port: /^\d{1,5}$/.test(port) ? Number(port) : undefined,
  };
}

/** A name or an address with or without a port (RFC 3986 §3.2.2): what the codec takes, too. */
const FIELD =
  /^(?:\[([\da-f:.]+)\]|(?:[\w.~!$&'()*+;=-]|%[\da-f]{2})+)(?::(\d*))?$/i;

/** Whether the text can be a Host field: `host[:port]`, or empty (RFC 9110 §7.2). */
export function isHostField(text: string): boolean {
  const match = FIELD.exec(text);
  if (match === null) return text === "";
  const [, literal, port = ""] = match;
  return (literal === undefined || isIPv6(literal)) && Number(port) <= 65_535;
}

/** No name of a host with its port is longer (RFC 1035 §2.3.4). */
export const MAX_HOST_FIELD = 261;

/** Hosts that are known at most. */
const MAX_KNOWN = 1_000;

/** Splits Host fields of clients, of which few differ: those that are known are not split again. */
export class KnownHosts {
  readonly #parts = new Map<string, HostParts>();

  /** As `splitHost`. */
  split(field: string): HostParts {
    let parts = this.#parts.get(field);
    if (parts === undefined) {
      parts = splitHost(field);
      if (field.length <= MAX_HOST_FIELD) this.#note(field, parts);
    }
    return parts;
  }

  #note(field: string, parts: HostParts): void {
    if (this.#parts.size >= MAX_KNOWN) this.#parts.clear();
    this.#parts.set(field, parts);
  }
}
