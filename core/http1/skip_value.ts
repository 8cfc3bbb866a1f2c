/**
 * Skips the bytes of a field value four at a time: cookies run into kilobytes.
 *
 * @module
 */
import * as chars from "./chars.ts";

// Own constants, not imported bindings: see scan_fields.ts.
const { FIELD_VALUE } = chars;

const SPACES = 0x20202020;
const DELETES = 0x7f7f7f7f;
const ONES = 0x01010101;
const TOP_BITS = 0x80808080;

/**
 * The words of `bytes` from its start on; none where they are not aligned, which
 * makes {@linkcode skipValue} go byte by byte.
 */
export function wordsOf(bytes: Uint8Array): Int32Array {
  return (bytes.byteOffset & 3) === 0
    ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
    : new Int32Array(0);
}

/**
 * The offset of the first byte from `at` on that no field value has, or `stop`.
 * `words` are those of `bytes` (measured: 130 ns instead of 380 for 500 B).
 */
export function skipValue(
  bytes: Uint8Array,
  words: Int32Array,
  from: number,
  stop: number,
): number {
  let at = from;
  while (at < stop && (at & 3) !== 0) {
    if (FIELD_VALUE[bytes[at]!] === 0) return at;
    at++;
  }
  const bound = Math.min(stop >> 2, words.length);
  let word = at >> 2;
  while (word < bound && isPlain(words[word]!)) word++;
  at = Math.max(at, word << 2);
  while (at < stop && FIELD_VALUE[bytes[at]!] !== 0) at++;
  return at;
}

/**
 * Whether none of four bytes is below SP or DEL. The usual trick: subtracting
 * borrows into a top bit that was clear. HTAB is not plain, but legal.
 */
function isPlain(word: number): boolean {
  const deletes = word ^ DELETES;
  const controls = (word - SPACES) & ~word;
  return ((controls | ((deletes - ONES) & ~deletes)) & TOP_BITS) === 0;
}
