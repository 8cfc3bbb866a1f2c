/**
 * The Connection field: what it says of persistence, and which fields it keeps
 * from being sent on (RFC 9110 §7.6.1).
 *
 * @module
 */
import * as chars from "./chars.ts";
import { type HeadCodes, refuse, refuseByte } from "./head_errors.ts";
import * as heads from "./head_index.ts";
import type { HeadIndex } from "./head_index.ts";
import * as names from "./known_fields.ts";
import { decodeLatin1, isText, sameIgnoringCase } from "./text.ts";

// Own constants, not imported bindings: see scan_fields.ts.
const { COMMA, HTAB, SLASH, SP, TOKEN } = chars;
const { FLAGS, HIDDEN, KNOWN, NAME_END, NAME_START } = heads;
const { STRIDE, VALUE_END, VALUE_START } = heads;
const { CONNECTION, KEEP_ALIVE, LAST_HOP_BY_HOP, UNKNOWN, UPGRADE } = names;
const { knownField } = names;

/** Each option is compared with each field: this bounds the work. */
const MAX_OPTIONS = 32;

/**
 * Fields that are for whoever gets the message. Naming them in Connection is an
 * attack: it would take away what a backend decides by (CVE-2022-31813).
 */
const END_TO_END: ReadonlySet<string> = new Set([
  "age",
  "allow",
  "authorization",
  "cache-control",
  "cookie",
  "date",
  "etag",
  "expect",
  "expires",
  "forwarded",
  "host",
  "last-modified",
  "location",
  "max-forwards",
  "origin",
  "pragma",
  "range",
  "referer",
  "retry-after",
  "server",
  "set-cookie",
  "strict-transport-security",
  "user-agent",
  "vary",
  "via",
  "www-authenticate",
  "x-real-ip",
  "x-request-id",
]);
const END_TO_END_FAMILIES =
  /^(accept|access-control|content|if|sec|x-forwarded)-|^accept$/;

/**
 * Notes in `index` what the Connection fields say and hides what they name.
 * Throws a ProxyError.
 */
export function judgeConnection(
  bytes: Uint8Array,
  index: HeadIndex,
  codes: HeadCodes,
): void {
  let options = 0;
  for (let field = 0; field < index.count; field++) {
    const record = field * STRIDE;
    if (index.ranges[record + KNOWN] !== CONNECTION) continue;
    const end = index.ranges[record + VALUE_END]!;
    let at = index.ranges[record + VALUE_START]!;
    while (at < end) {
      const byte = bytes[at]!;
      if (byte === COMMA || byte === SP || byte === HTAB) {
        at++;
        continue;
      }
      const start = at;
      at = tokenEnd(bytes, start, end);
      if (at === start) {
        refuseByte(codes, byte, "its Connection has an illegal byte");
      }
      if (++options > MAX_OPTIONS) {
        refuse(codes, `its Connection has more than ${MAX_OPTIONS} options`);
      }
      noteOption(bytes, start, at, index);
      while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
      if (at < end && bytes[at] !== COMMA) {
        refuseByte(codes, bytes[at]!, "its Connection has an illegal byte");
      }
    }
  }
}

function noteOption(
  bytes: Uint8Array,
  start: number,
  end: number,
  index: HeadIndex,
): void {
  const known = knownField(bytes, start, end);
  if (known === KEEP_ALIVE) index.keepAlive = true;
  else if (known === UPGRADE) index.upgrading = true;
  else if (isText(bytes, start, end, "close")) index.close = true;
  // The others of the connection never leave anyway, and can be read.
  else if (known === UNKNOWN || known > LAST_HOP_BY_HOP) {
    hideNamed(bytes, start, end, index);
  }
}

function hideNamed(
  bytes: Uint8Array,
  start: number,
  end: number,
  index: HeadIndex,
): void {
  const name = decodeLatin1(bytes, start, end).toLowerCase();
  if (END_TO_END.has(name) || END_TO_END_FAMILIES.test(name)) return;
  const { ranges } = index;
  for (let field = 0; field < index.count; field++) {
    const record = field * STRIDE;
    const nameStart = ranges[record + NAME_START]!;
    const nameEnd = ranges[record + NAME_END]!;
    if (sameIgnoringCase(bytes, start, end, bytes, nameStart, nameEnd)) {
      ranges[record + FLAGS]! |= HIDDEN;
    }
  }
}

/**
 * Protocols that are never asked for: whoever speaks them to a backend does so
 * behind the proxy's back (h2c smuggling; RFC 2817's TLS).
 */
const BARRED_PROTOCOLS: readonly string[] = ["h2", "h2c", "http", "tls"];

/**
 * Notes the protocol that a request with an Upgrade field asks to switch to: the
 * first one of its first line, `name ["/" version]`, only in HTTP/1.1 and only
 * if Connection says so too. An invalid one counts as none, since it frames
 * nothing.
 */
export function judgeUpgrade(bytes: Uint8Array, index: HeadIndex): void {
  if (!index.upgrading || index.minor === 0) return;
  const record = index.find(UPGRADE) * STRIDE;
  const end = index.ranges[record + VALUE_END]!;
  const start = index.ranges[record + VALUE_START]!;
  const nameEnd = tokenEnd(bytes, start, end);
  let protocolEnd = nameEnd;
  if (nameEnd < end && bytes[nameEnd] === SLASH) {
    protocolEnd = tokenEnd(bytes, nameEnd + 1, end);
    if (protocolEnd === nameEnd + 1) return;
  }
  let at = protocolEnd;
  while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
  if (nameEnd === start || (at < end && bytes[at] !== COMMA)) return;
  for (const barred of BARRED_PROTOCOLS) {
    if (isText(bytes, start, nameEnd, barred)) return;
  }
  index.upgradeStart = start;
  index.upgradeEnd = protocolEnd;
}

/** Where the token ends that starts at `start`; `start` where none does. */
function tokenEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && TOKEN[bytes[at]!] !== 0) at++;
  return at;
}
