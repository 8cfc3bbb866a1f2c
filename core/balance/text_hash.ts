/**
 * Hashes of text for balancing: the same in every worker, process and machine,
 * so that all of them send a key to the same backend.
 *
 * Rules hash by BFE's 128 bits (`conditions/murmur3.ts`); that takes bytes and
 * 64-bit arithmetic. Here 32 bits do, and a key is hashed for each request.
 *
 * @module
 */

/**
 * MurmurHash3, the x86 variant of 32 bits
 * (https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp), of the
 * text's UTF-16 code units, the lower byte first: that needs no encoding.
 */
export function hashText(text: string, seed = 0): number {
  const { length } = text;
  let hash = seed | 0;
  let at = 0;
  for (; at + 1 < length; at += 2) {
    hash ^= scramble(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  if (at < length) hash ^= scramble(text.charCodeAt(at));
  return mix(hash ^ (2 * length));
}

/** Every bit of the result depends on every bit of `bits`; an unsigned 32-bit number. */
export function mix(bits: number): number {
  let mixed = bits ^ (bits >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function scramble(block: number): number {
  const scrambled = Math.imul(block, 0xcc9e2d51);
  return Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
}
