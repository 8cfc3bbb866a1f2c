/**
 * The syntax of an authority without userinfo: `host [":" port]` (RFC 3986
 * §3.2, RFC 9110 §7.2).
 *
 * @module
 */
import { isIPv6 } from "node:net";
import * as chars from "./chars.ts";
import { decodeLatin1, sameIgnoringCase } from "./text.ts";

// Own constants, not imported bindings: see scan_fields.ts.
const { COLON, HEX, REG_NAME } = chars;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const PERCENT = 0x25;
const DOT = 0x2e;

/** No port is named, or an empty one. */
const NO_PORT = -1;
const BAD_PORT = -2;

/** Whether the range is a host with or without a port, or empty. */
export function isAuthority(
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  const host = hostEnd(bytes, start, end);
  return host >= 0 && portOf(bytes, host, end) !== BAD_PORT;
}

/** Whether two authorities, known to be ones, name the same host and port. */
export function sameAuthority(
  bytes: Uint8Array,
  aStart: number,
  aEnd: number,
  bStart: number,
  bEnd: number,
  defaultPort: number,
): boolean {
  const aHost = hostEnd(bytes, aStart, aEnd);
  const bHost = hostEnd(bytes, bStart, bEnd);
  const aPort = portOf(bytes, aHost, aEnd);
  const bPort = portOf(bytes, bHost, bEnd);
  return sameIgnoringCase(bytes, aStart, aHost, bytes, bStart, bHost) &&
    (aPort === NO_PORT ? defaultPort : aPort) ===
      (bPort === NO_PORT ? defaultPort : bPort);
}

/** Where the host ends: at the port's colon or at the end; -1 where it is none. */
function hostEnd(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] === OPEN && start < end) {
    return literalEnd(bytes, start, end);
  }
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (REG_NAME[byte] !== 0) {
      at++;
    } else if (byte === COLON) {
      // A port needs a host.
      return at > start ? at : -1;
    } else if (
      byte === PERCENT && at + 2 < end && HEX[bytes[at + 1]!]! >= 0 &&
      HEX[bytes[at + 2]!]! >= 0
    ) {
      at += 3;
    } else {
      return -1;
    }
  }
  return at;
}

/** Where an IPv6 address in brackets ends. IPvFuture has no use and is refused. */
function literalEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  while (
    at < end &&
    (HEX[bytes[at]!]! >= 0 || bytes[at] === COLON || bytes[at] === DOT)
  ) at++;
  if (at === end || bytes[at] !== CLOSE) return -1;
  if (!isIPv6(decodeLatin1(bytes, start + 1, at))) return -1;
  at++;
  return at === end || bytes[at] === COLON ? at : -1;
}

/** The port from its colon on. */
function portOf(bytes: Uint8Array, colon: number, end: number): number {
  if (end - colon <= 1) return NO_PORT;
  let port = 0;
  for (let at = colon + 1; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return BAD_PORT;
    port = port * 10 + digit;
    if (port > 65535) return BAD_PORT;
  }
  return port;
}
