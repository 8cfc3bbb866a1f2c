/**
 * Text of heads: latin1 both ways, since HTTP's fields are bytes and one
 * character is one of them (RFC 9112 §2.2: never decode UTF-8).
 *
 * @module
 */

/** `TextDecoder("latin1")` would decode windows-1252; UTF-8 is the same for ASCII. */
const ASCII = new TextDecoder();

/** Up to here, building by hand is faster than a call out of JavaScript (measured). */
const SHORT = 40;

/** Up to here V8 copies what is concatenated; of more it makes ropes, which are slow to compare. */
const FLAT = 12;

/** The text of the bytes from `start` to `end`. */
export function decodeLatin1(
  bytes: Uint8Array,
  start: number,
  end: number,
): string {
  return decode(bytes, start, end, SHORT);
}

function decode(
  bytes: Uint8Array,
  start: number,
  end: number,
  byHand: number,
): string {
  if (end - start > byHand) {
    const text = ASCII.decode(bytes.subarray(start, end));
    // Bytes beyond ASCII either make fewer characters or replacement ones.
    if (text.length === end - start && !text.includes("\ufffd")) return text;
  }
  return decodeByHand(bytes, start, end);
}

/**
 * As `decodeLatin1`, where the range most likely says the same as `guess`: that
 * text is returned then, and nothing made.
 */
export function decodeAgain(
  bytes: Uint8Array,
  start: number,
  end: number,
  guess: string | undefined,
): string {
  return guess !== undefined && end - start <= SHORT &&
      isSame(bytes, start, end, guess)
    ? guess
    : decode(bytes, start, end, FLAT);
}

/** Whether a range is `text` to the letter. */
function isSame(
  bytes: Uint8Array,
  start: number,
  end: number,
  text: string,
): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (bytes[start + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}

function decodeByHand(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  let at = start;
  for (; at + 8 <= end; at += 8) {
    text += String.fromCharCode(
      bytes[at]!,
      bytes[at + 1]!,
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes[at + 4]!,
      bytes[at + 5]!,
      bytes[at + 6]!,
      bytes[at + 7]!,
    );
  }
  for (; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

/** The bytes of a text of which each character is known to be one byte. */
export function encodeLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/**
 * Writes `text` at `at`, where there is room for it, and returns the new
 * position. Every character has to be legal in `table`: the last check before
 * the wire, so that neither CR LF nor a character that would become one when
 * cut to a byte (U+010D, U+010A) ever splits a head, wherever the text is from.
 * Throws a `TypeError`; `what` names the text in it.
 */
export function writeText(
  out: Uint8Array,
  at: number,
  text: string,
  table: Uint8Array,
  what: string,
): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff || table[code] === 0) illegal(text, i, what);
    out[at + i] = code;
  }
  return at + text.length;
}

function illegal(text: string, at: number, what: string): never {
  const code = text.charCodeAt(at).toString(16).padStart(4, "0").toUpperCase();
  throw new TypeError(
    `Cannot send ${what} as it holds a character that is not allowed there: current value is U+${code} at ${at}`,
  );
}

/** Whether two ranges are the same without regard to the case of ASCII letters. */
export function sameIgnoringCase(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = 0; i < aEnd - aStart; i++) {
    if (lower(a[aStart + i]!) !== lower(b[bStart + i]!)) return false;
  }
  return true;
}

/** Whether a range is `text`, which is lower case, without regard to case. */
export function isText(
  bytes: Uint8Array,
  start: number,
  end: number,
  text: string,
): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (lower(bytes[start + i]!) !== text.charCodeAt(i)) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
