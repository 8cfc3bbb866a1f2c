/**
 * The four forms of a request target, and Host (RFC 9112 §3.2).
 *
 * What is behind the parser sees an origin form or `*` and one Host: an
 * absolute form has become both.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { ASTERISK, QUESTION, SLASH } from "./chars.ts";
import { refuse, REQUEST } from "./head_errors.ts";
import {
  ASTERISK_FORM,
  EMPTY_PATH,
  FLAGS,
  type HeadIndex,
  REWRITTEN,
  STRIDE,
  VALUE_END,
  VALUE_START,
} from "./head_index.ts";
import { isAuthority, sameAuthority } from "./host.ts";
import { HOST } from "./known_fields.ts";
import { decodeLatin1, isText } from "./text.ts";

/**
 * Judges target, Host and the methods that a reverse proxy does not serve.
 * Throws a ProxyError.
 */
export function judgeTarget(bytes: Uint8Array, index: HeadIndex): void {
  const host = judgeHost(bytes, index);
  const { targetStart, targetEnd } = index;
  refuseMethods(bytes, index);
  if (bytes[targetStart] === SLASH) return;
  if (targetEnd - targetStart === 1 && bytes[targetStart] === ASTERISK) {
    if (!isOptions(bytes, index)) {
      refuse(REQUEST, "only OPTIONS has the target *");
    }
    return;
  }
  judgeAbsolute(bytes, index, host);
}

/** Exactly one Host in HTTP/1.1, at most one in 1.0: its number, or -1. */
function judgeHost(bytes: Uint8Array, index: HeadIndex): number {
  if (!index.has(HOST)) {
    if (index.minor > 0) refuse(REQUEST, "it has no Host");
    return -1;
  }
  if (index.hasSeveral(HOST)) refuse(REQUEST, "it has more than one Host");
  const host = index.find(HOST);
  const start = index.ranges[host * STRIDE + VALUE_START]!;
  const end = index.ranges[host * STRIDE + VALUE_END]!;
  if (!isAuthority(bytes, start, end)) {
    refuse(
      REQUEST,
      `its Host is invalid: current value is ${
        JSON.stringify(decodeLatin1(bytes, start, end))
      }`,
    );
  }
  return host;
}

/** TRACE shows fields that are not the client's to see; CONNECT is for forward proxies (RFC 9110 §9.3.6, §9.3.8). */
function refuseMethods(bytes: Uint8Array, index: HeadIndex): void {
  const { methodStart, methodEnd } = index;
  const length = methodEnd - methodStart;
  if (length !== 5 && length !== 7) return;
  const method = length === 5 ? "TRACE" : "CONNECT";
  for (let i = 0; i < length; i++) {
    if (bytes[methodStart + i] !== method.charCodeAt(i)) return;
  }
  throw new ProxyError("method_not_allowed", `${method} is not served`);
}

function isOptions(bytes: Uint8Array, index: HeadIndex): boolean {
  return decodeLatin1(bytes, index.methodStart, index.methodEnd) === "OPTIONS";
}

/** Makes Host of the authority, which wins, and refuses a Host that differs. */
function judgeAbsolute(
  bytes: Uint8Array,
  index: HeadIndex,
  host: number,
): void {
  const { targetStart, targetEnd } = index;
  const secure = startsWith(bytes, targetStart, targetEnd, "https://");
  if (!secure && !startsWith(bytes, targetStart, targetEnd, "http://")) {
    refuse(REQUEST, "its target is neither a path nor an http URL");
  }
  const start = targetStart + (secure ? 8 : 7);
  let end = start;
  while (end < targetEnd && bytes[end] !== SLASH && bytes[end] !== QUESTION) {
    end++;
  }
  // Userinfo is refused too: `@` is no byte of a host (RFC 9110 §4.2.4).
  if (end === start || !isAuthority(bytes, start, end)) {
    refuse(REQUEST, "its target has no valid host");
  }
  if (host >= 0) {
    const record = host * STRIDE;
    const port = secure ? 443 : 80;
    const valueStart = index.ranges[record + VALUE_START]!;
    const valueEnd = index.ranges[record + VALUE_END]!;
    if (!sameAuthority(bytes, start, end, valueStart, valueEnd, port)) {
      refuse(REQUEST, "its Host differs from its target's");
    }
    index.ranges[record + VALUE_START] = start;
    index.ranges[record + VALUE_END] = end;
    index.ranges[record + FLAGS]! |= REWRITTEN;
  }
  index.authorityStart = start;
  index.authorityEnd = end;
  index.targetStart = end;
  if (bytes[end] === SLASH) return;
  index.targetForm = end === targetEnd && isOptions(bytes, index)
    ? ASTERISK_FORM
    : EMPTY_PATH;
}

function startsWith(
  bytes: Uint8Array,
  start: number,
  end: number,
  text: string,
): boolean {
  return end - start >= text.length &&
    isText(bytes, start, start + text.length, text);
}
