/**
 * HalfSipHash-2-4 with 64 bits of result (https://github.com/veorq/SipHash,
 * `halfsiphash.c`): clients choose keys, and who does not know the seed can't
 * choose them so that they meet.
 *
 * @module
 */

/** The hash of texts under one seed. */
export class KeyHash {
  /** One half of the last result, a signed 32-bit number. */
  low = 0;
  /** The other half. */
  high = 0;
  readonly #seed0: number;
  readonly #seed1: number;

  constructor(seed0: number, seed1: number) {
    this.#seed0 = seed0;
    this.#seed1 = seed1;
  }

  /** Hashes the text's UTF-16 code units, the lower byte first, into `low` and `high`: that needs no encoding and no object. */
  hash(text: string): void {
    const { length } = text;
    const k0 = this.#seed0;
    const k1 = this.#seed1;
    let v0 = k0;
    let v1 = k1 ^ 0xee;
    let v2 = 0x6c796765 ^ k0;
    let v3 = 0x74656462 ^ k1;
    const words = (length >> 1) + 1;
    // Two rounds for each word, then twice four for the result.
    const rounds = 2 * words + 8;
    let word = 0;
    for (let round = 0; round < rounds; round++) {
      if (round < 2 * words) {
        if ((round & 1) === 0) {
          const at = round;
          word = at + 1 < length
            ? text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16)
            : (length * 2) << 24 | (at < length ? text.charCodeAt(at) : 0);
          v3 ^= word;
        }
      } else if (round === 2 * words) v2 ^= 0xee;
      else if (round === 2 * words + 4) {
        this.low = v1 ^ v3;
        v1 ^= 0xdd;
      }
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5) | (v1 >>> 27);
      v1 ^= v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8) | (v3 >>> 24);
      v3 ^= v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7) | (v3 >>> 25);
      v3 ^= v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13) | (v1 >>> 19);
      v1 ^= v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      if (round < 2 * words && (round & 1) === 1) v0 ^= word;
    }
    this.high = v1 ^ v3;
  }
}
