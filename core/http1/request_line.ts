/**
 * The request line: exactly `method SP target SP HTTP/d.d CRLF` (RFC 9112 §3).
 *
 * The RFC lets a recipient be lenient about its whitespace; none of that here.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import * as chars from "./chars.ts";
import { refuse, refuseByte, REQUEST } from "./head_errors.ts";
import * as heads from "./head_index.ts";
import type { HeadIndex } from "./head_index.ts";

// Own constants, not imported bindings: see scan_fields.ts.
const { CR, LF, SP, TARGET, TOKEN } = chars;
const { AT_LINE, AT_START, IN_METHOD, IN_TARGET, IN_VERSION } = heads;

/** Longer methods are 501: RFC 9112 §3 asks for that, no method is half as long. */
const MAX_METHOD = 32;

/** The content type of a TLS handshake's records (RFC 8446 §5.1): no other request begins so. */
const TLS_HANDSHAKE = 0x16;

/** `HTTP/1.1` CRLF. */
const VERSION_LENGTH = 10;

/**
 * Goes on from `index.phase` at `from` and returns the offset behind the line,
 * or -1 where `stop` comes first. Throws a ProxyError.
 */
export function scanRequestLine(
  bytes: Uint8Array,
  from: number,
  stop: number,
  maxTarget: number,
  index: HeadIndex,
): number {
  let at = from;
  if (index.phase === AT_START) {
    index.methodStart = at;
    index.phase = IN_METHOD;
  }
  if (index.phase === IN_METHOD) {
    const start = index.methodStart;
    const bound = Math.min(stop, start + MAX_METHOD + 1);
    while (at < bound && TOKEN[bytes[at]!] !== 0) at++;
    if (at - start > MAX_METHOD) {
      throw new ProxyError(
        "coding_not_implemented",
        `Cannot parse request head as its method is longer than ${MAX_METHOD} bytes`,
      );
    }
    if (at === stop) return more(index, at);
    if (bytes[at] !== SP || at === start) {
      if (bytes[at] === TLS_HANDSHAKE && at === start) {
        refuse(REQUEST, "the client speaks TLS, and this port does not");
      }
      refuseByte(REQUEST, bytes[at]!, "the method has an illegal byte");
    }
    index.methodEnd = at++;
    index.targetStart = at;
    index.phase = IN_TARGET;
  }
  if (index.phase === IN_TARGET) {
    const start = index.targetStart;
    const bound = Math.min(stop, start + maxTarget + 1);
    while (at < bound && TARGET[bytes[at]!] !== 0) at++;
    if (at - start > maxTarget) refuseTarget(maxTarget);
    if (at === stop) return more(index, at);
    if (bytes[at] !== SP || at === start) {
      refuseByte(REQUEST, bytes[at]!, "the target has an illegal byte");
    }
    index.targetEnd = at++;
    index.versionStart = at;
    index.phase = IN_VERSION;
  }
  return scanVersion(bytes, at, stop, index);
}

/** Refuses a target for its length. */
export function refuseTarget(limit: number): never {
  throw new ProxyError(
    "target_too_long",
    `Cannot parse request head as its target is longer than ${limit} bytes`,
  );
}

function scanVersion(
  bytes: Uint8Array,
  from: number,
  stop: number,
  index: HeadIndex,
): number {
  const start = index.versionStart;
  if (isWholeVersion(bytes, start, stop)) {
    index.minor = bytes[start + 7] === 0x30 ? 0 : 1;
    index.phase = AT_LINE;
    return start + VERSION_LENGTH;
  }
  const bound = Math.min(stop, start + VERSION_LENGTH);
  for (let at = from; at < bound; at++) {
    checkVersionByte(bytes[at]!, at - start);
  }
  return more(index, bound);
}

/** Whether all of it is here and right: else byte after byte tells what is wrong. */
function isWholeVersion(
  bytes: Uint8Array,
  at: number,
  stop: number,
): boolean {
  return stop - at >= VERSION_LENGTH && bytes[at] === 0x48 &&
    bytes[at + 1] === 0x54 && bytes[at + 2] === 0x54 &&
    bytes[at + 3] === 0x50 && bytes[at + 4] === 0x2f &&
    bytes[at + 5] === 0x31 && bytes[at + 6] === 0x2e &&
    bytes[at + 7]! >= 0x30 && bytes[at + 7]! <= 0x39 &&
    bytes[at + 8] === CR && bytes[at + 9] === LF;
}

const PREFIX = [0x48, 0x54, 0x54, 0x50, 0x2f];

/** Refuses a wrong byte of a version that is not whole yet, or never will be. */
function checkVersionByte(byte: number, place: number): void {
  switch (place) {
    case 5:
      if (byte !== 0x31) refuseMajor(byte);
      return;
    case 6:
      if (byte !== 0x2e) refuseVersion(byte);
      return;
    case 7:
      if (byte < 0x30 || byte > 0x39) refuseVersion(byte);
      return;
    case 8:
      if (byte !== CR) refuseVersion(byte);
      return;
    case 9:
      // With LF here it would be whole.
      return refuse(REQUEST, "CR is not followed by LF");
    default:
      if (byte !== PREFIX[place]) refuseVersion(byte);
  }
}

function refuseMajor(byte: number): never {
  // HTTP/0.9 has no version to name: whatever says 0 is no HTTP.
  if (byte < 0x32 || byte > 0x39) refuseVersion(byte);
  throw new ProxyError(
    "version_not_supported",
    `Cannot parse request head as HTTP/${
      String.fromCharCode(byte)
    } is not supported`,
  );
}

function refuseVersion(byte: number): never {
  refuseByte(REQUEST, byte, "the version has an illegal byte");
}

function more(index: HeadIndex, at: number): number {
  index.at = at;
  return -1;
}
