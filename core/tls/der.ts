/**
 * Reads DER (X.690 §10): as much of it as certificates hold.
 *
 * @module
 */

/** A value with its tag. */
export interface DerValue {
  /** The identifier octet: class, constructed bit and number in one. */
  readonly tag: number;
  /** The contents octets. */
  readonly bytes: Uint8Array;
  /** Header and contents as they stand. */
  readonly whole: Uint8Array;
}

// Identifier octets that certificates hold.
export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const OBJECT_IDENTIFIER = 0x06;
export const UTC_TIME = 0x17;
export const SEQUENCE = 0x30;
export const SET = 0x31;

/** Bytes that are no DER, or not what stands here in a certificate. */
export class DerError extends Error {
  override readonly name = "DerError";
}

/** The values that lie in `bytes` one after another. Throws a {@linkcode DerError}. */
export function readAll(bytes: Uint8Array): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const value = readAt(bytes, at);
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

/** The values in a constructed one of this tag. Throws a {@linkcode DerError}. */
export function readInside(
  value: DerValue | undefined,
  tag: number,
): DerValue[] {
  if (value?.tag !== tag) {
    throw new DerError(
      `Expected the tag ${tag}, found ${value?.tag ?? "the end"}`,
    );
  }
  return readAll(value.bytes);
}

function readAt(bytes: Uint8Array, start: number): DerValue {
  const tag = bytes[start]!;
  // Certificates have no tags beyond 30.
  if ((tag & 0x1f) === 0x1f) throw new DerError(`Unexpected tag ${tag}`);
  let length = bytes[start + 1] ?? -1;
  let at = start + 2;
  if (length > 0x7f) {
    const octets = length & 0x7f;
    if (octets === 0 || octets > 4) throw new DerError("Unexpected length");
    length = 0;
    for (let i = 0; i < octets; i++) length = length * 256 + (bytes[at++] ?? 0);
  }
  const end = at + length;
  if (length < 0 || end > bytes.length) throw new DerError("Unexpected end");
  return {
    tag,
    bytes: bytes.subarray(at, end),
    whole: bytes.subarray(start, end),
  };
}

/** An object identifier as numbers with dots. */
export function objectIdentifier(value: DerValue | undefined): string {
  if (value?.tag !== OBJECT_IDENTIFIER) {
    throw new DerError("Expected an object identifier");
  }
  const numbers: number[] = [];
  let number = 0;
  for (const byte of value.bytes) {
    number = number * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    if (numbers.length === 0) {
      const first = Math.min(Math.floor(number / 40), 2);
      numbers.push(first, number - first * 40);
    } else numbers.push(number);
    number = 0;
  }
  return numbers.join(".");
}

/** A UTCTime or GeneralizedTime in milliseconds since the epoch (RFC 5280 §4.1.2.5). */
export function time(value: DerValue | undefined): number {
  if (value === undefined) throw new DerError("Expected a time");
  const text = String.fromCharCode(...value.bytes);
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(
    text,
  );
  if (match === null) throw new DerError(`Unexpected time ${text}`);
  const [year = 0, month = 1, ...rest] = match.slice(1).map(Number);
  const full = value.tag !== UTC_TIME
    ? year
    : year < 50
    ? 2000 + year
    : 1900 + year;
  const [day = 1, hour = 0, minute = 0, second = 0] = rest;
  return Date.UTC(full, month - 1, day, hour, minute, second);
}
