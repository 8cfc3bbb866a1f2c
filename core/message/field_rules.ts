/**
 * What a field must be to be set by a handler: the same for every protocol.
 *
 * @module
 */
import { isHostField } from "../net/host_name.ts";

/**
 * Fields that frame a message or belong to one connection: Headrace makes its
 * own on each side (RFC 9110 §7.6.1), whatever a handler or a peer says.
 */
const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether handlers can't change the field, and codecs never take it from one. */
export function isFramingField(name: string): boolean {
  return isFramingName(name.toLowerCase());
}

/** As {@linkcode isFramingField}, of a name in lower case. */
export function isFramingName(lowerName: string): boolean {
  return FRAMING_FIELDS.has(lowerName);
}

/** The name in lower case. Throws a `TypeError` where it is no token (RFC 9110 §5.1). */
export function checkFieldName(name: string): string {
  // The type holds for TypeScript only; a plugin may be JavaScript.
  if (typeof name !== "string" || !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
    throw new TypeError(
      `Cannot use field name as it must be a token: current value is ${
        quote(name)
      }`,
    );
  }
  return name.toLowerCase();
}

/** Names that handlers may change, in lower case: the same few are asked for by each request. */
const CHANGEABLE = new Map<string, string>();

/** How many of them are remembered, and how long they may be: handlers may take names from anywhere. */
const MOST_NAMES = 256;
const LONGEST_NAME = 64;

/** As {@linkcode checkFieldName}, and throws a `TypeError` for a field that handlers can't change. */
export function checkFieldChange(name: string): string {
  const known = CHANGEABLE.get(name);
  if (known !== undefined) return known;
  const lowerName = checkFieldName(name);
  if (FRAMING_FIELDS.has(lowerName)) {
    throw new TypeError(
      `Cannot change field "${lowerName}" as it belongs to the connection`,
    );
  }
  if (CHANGEABLE.size < MOST_NAMES && name.length <= LONGEST_NAME) {
    CHANGEABLE.set(name, lowerName);
  }
  return lowerName;
}

/**
 * The value without the whitespace around it. Throws a `TypeError` where it
 * holds a control other than HTAB or a character beyond U+00FF (RFC 9110 §5.5),
 * and for a Host that is none: every backend would read it in its own way.
 */
export function checkFieldValue(name: string, value: string): string {
  if (typeof value !== "string" || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
    throw new TypeError(
      `Cannot use value of field "${name}" as it must be text of printable characters up to U+00FF: current value is ${
        quote(value)
      }`,
    );
  }
  // A regular expression would take quadratic time for long runs within.
  let start = 0;
  let end = value.length;
  while (start < end && isSpace(value, start)) start++;
  while (end > start && isSpace(value, end - 1)) end--;
  const trimmed = value.slice(start, end);
  if (name === "host" && !isHostField(trimmed)) {
    throw new TypeError(
      `Cannot use value of field "host" as it must be a host with or without a port: current value is ${
        quote(value)
      }`,
    );
  }
  return trimmed;
}

function isSpace(text: string, at: number): boolean {
  return text[at] === " " || text[at] === "\t";
}

/** A second Host would make the message one that every backend reads in its own way. */
export function refuseSecondHost(lowerName: string, present: boolean): void {
  if (lowerName === "host" && present) {
    throw new TypeError('Cannot append field "host" as there is one: set it');
  }
}

/** What every read of released fields throws. */
export function releasedError(): Error {
  return new Error("Cannot read headers as their transaction is over");
}

function quote(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : typeof value;
}

/** Whether a name in lower case differs from one of these in signs alone, such as `_` for `-`. */
export function looksLikeAny(
  lowerName: string,
  names: readonly string[],
): boolean {
  const spelled = withHyphens(lowerName);
  return spelled !== lowerName && names.includes(spelled);
}

/** A name in lower case with `-` in place of every sign. */
export function withHyphens(lowerName: string): string {
  return lowerName.replace(/[^a-z0-9]/g, "-");
}
