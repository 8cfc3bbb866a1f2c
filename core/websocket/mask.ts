/**
 * Masks of WebSocket payloads (RFC 6455 §5.3): XOR with four bytes, in place.
 *
 * @module
 */

/** Below so many bytes a plain loop beats words, whose view has to be made (measured: 90 ns). */
const WORDS_FROM = 96;

/**
 * XORs the bytes from `start` to `end` with the key, whose first byte is its
 * lowest; `phase` bytes of the payload came before. Masks and unmasks.
 */
export function applyMask(
  bytes: Uint8Array,
  start: number,
  end: number,
  key: number,
  phase = 0,
): void {
  let at = start;
  let rest = rotate(key, phase & 3);
  if (end - start >= WORDS_FROM) {
    const before = (4 - ((bytes.byteOffset + start) & 3)) & 3;
    xorBytes(bytes, start, start + before, rest);
    at += before;
    rest = rotate(rest, before);
    const words = (end - at) >> 2;
    const view = new Int32Array(bytes.buffer, bytes.byteOffset + at, words);
    // Int32Array has the machine's byte order: all that Deno runs on is little-endian.
    for (let i = 0; i < words; i++) view[i]! ^= rest;
    at += words << 2;
  }
  xorBytes(bytes, at, end, rest);
}

function xorBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  key: number,
): void {
  let rest = key;
  for (let i = start; i < end; i++) {
    bytes[i]! ^= rest & 0xff;
    rest = rotate(rest, 1);
  }
}

/** The key for a payload that goes on after so many bytes, 0 to 3. */
function rotate(key: number, bytes: number): number {
  return bytes === 0 ? key : (key >>> (bytes * 8)) | (key << (32 - bytes * 8));
}

const keys = new Int32Array(1024);
let nextKey = keys.length;

/** A key that nobody can foretell (RFC 6455 §5.3); they are drawn many at once. */
export function newMask(): number {
  if (nextKey === keys.length) {
    crypto.getRandomValues(keys);
    nextKey = 0;
  }
  return keys[nextKey++]!;
}
