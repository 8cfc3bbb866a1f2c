/**
 * Fields that the codec or the core itself asks for, by number, so that asking
 * whether a head has one costs a bit test.
 *
 * @module
 */

/** A field that has no number. */
export const UNKNOWN = 0;
// What frames a message or belongs to one connection: read, never written on
// (RFC 9110 §7.6.1). These come first: one comparison tells them.
export const CONTENT_LENGTH = 1;
export const TRANSFER_ENCODING = 2;
export const CONNECTION = 3;
export const UPGRADE = 4;
export const TE = 5;
export const KEEP_ALIVE = 7;
/** The last of those that never leave as they came. */
export const LAST_HOP_BY_HOP = 11;
export const EXPECT = 12;
export const HOST = 13;
export const AUTHORIZATION = 28;
export const X_HEADRACE_EXPLAIN = 44;
export const X_HEADRACE_TOKEN = 45;
/** A name that CGI takes for one with a number: as good as {@linkcode UNKNOWN}, but noted. */
export const LOOKALIKE = 255;

/** Names by number. Only letters, digits and `-`: comparing with `| 0x20` is exact for them among tokens. */
export const KNOWN_NAMES: readonly string[] = Object.freeze([
  "",
  "content-length",
  "transfer-encoding",
  "connection",
  "upgrade",
  "te",
  "trailer",
  "keep-alive",
  "proxy-connection",
  "http2-settings",
  "proxy-authenticate",
  "proxy-authorization",
  "expect",
  "host",
  "via",
  "date",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "cookie",
  "set-cookie",
  "content-type",
  "accept",
  "user-agent",
  "server",
  "max-forwards",
  "authorization",
  "cache-control",
  "if-none-match",
  "if-modified-since",
  "range",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-accept",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
  "x-client-cert-verify",
  "x-client-cert-subject",
  "x-client-cert-issuer",
  "x-client-cert-san",
  "x-client-cert-serial",
  "x-client-cert-fingerprint",
  "x-headrace-explain",
  "x-headrace-token",
]);

const HYPHEN = 0x2d;

const LONGEST = Math.max(...KNOWN_NAMES.map((name) => name.length));

/** All names in one array, each from its offset on. */
const LETTERS = Uint8Array.from(
  KNOWN_NAMES.join(""),
  (char) => char.charCodeAt(0),
);
const OFFSETS = Uint16Array.from(
  KNOWN_NAMES,
  (_, id) => KNOWN_NAMES.slice(0, id).join("").length,
);
/** By length and five bits of the first letter: the first candidate. */
const FIRST = new Uint8Array((LONGEST + 1) << 5);
/** Another candidate of the same length and first letter. */
const NEXT = new Uint8Array(KNOWN_NAMES.length);

for (let id = KNOWN_NAMES.length - 1; id > 0; id--) {
  const name = KNOWN_NAMES[id]!;
  const slot = (name.length << 5) | (name.charCodeAt(0) & 0x1f);
  NEXT[id] = FIRST[slot]!;
  FIRST[slot] = id;
}

const IDS: ReadonlyMap<string, number> = new Map(
  KNOWN_NAMES.map((name, id) => [name, id]),
);

/** The number of the name from `start` to `end`, a token; {@linkcode UNKNOWN} or {@linkcode LOOKALIKE} where it has none. */
export function knownField(
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const length = end - start;
  if (length > LONGEST) return UNKNOWN;
  let id = FIRST[(length << 5) | (bytes[start]! & 0x1f)]!;
  while (id !== UNKNOWN) {
    const shift = OFFSETS[id]! - start;
    let at = end - 1;
    // Backwards: names of one length and first letter differ at their ends.
    while (at >= start && (bytes[at]! | 0x20) === LETTERS[at + shift]) at--;
    if (at < start) return id;
    if (LETTERS[at + shift] === HYPHEN && looksAlike(bytes, start, at, shift)) {
      return LOOKALIKE;
    }
    id = NEXT[id]!;
  }
  return UNKNOWN;
}

/** Whether bytes up to `at` differ from a name's letters in signs alone. */
function looksAlike(
  bytes: Uint8Array,
  start: number,
  at: number,
  shift: number,
): boolean {
  for (; at >= start; at--) {
    const byte = bytes[at]! | 0x20;
    const letter = LETTERS[at + shift]!;
    if (letter === HYPHEN ? isLetterOrDigit(byte) : byte !== letter) {
      return false;
    }
  }
  return true;
}

/** Of a token's byte `| 0x20`. */
function isLetterOrDigit(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39);
}

/** The number of a name in lower case, or {@linkcode UNKNOWN}. */
export function knownName(lowerName: string): number {
  return IDS.get(lowerName) ?? UNKNOWN;
}

/** Bits of numbers below 32, and of the rest. */
export interface KnownMask {
  readonly low: number;
  readonly high: number;
}

/** The numbers of some names in lower case, all of which must have one. Throws a `RangeError`. */
export function knownMask(lowerNames: readonly string[]): KnownMask {
  let low = 0;
  let high = 0;
  for (const name of lowerNames) {
    const id = knownName(name);
    if (id === UNKNOWN) throw new RangeError(`No field has a number: ${name}`);
    // Shifts count modulo 32.
    if (id < 32) low |= 1 << id;
    else high |= 1 << id;
  }
  return { low, high };
}
