/**
 * Bodies that both ends can compute: each byte follows from a seed and its
 * place, so that a client knows what a backend it never met must have sent.
 * All bytes are lower case letters, which can be compressed by half.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** What is computed at once, in bytes; a multiple of 4. */
const BLOCK = 64 << 10;

/** Fills the words with those from the place of `first` on. */
function fillWords(words: Int32Array, seed: number, first: number): void {
  const start = Math.imul(seed ^ 0x5bd1e995, 0x85ebca6b) + first | 0;
  for (let i = 0; i < words.length; i++) {
    let word = Math.imul(start + i, 0x9e3779b1);
    word = Math.imul(word ^ (word >>> 15), 0x85ebca6b);
    // 16 letters from "a" on.
    words[i] = ((word ^ (word >>> 13)) & 0x0f0f0f0f) + 0x61616161;
  }
}

/** The bytes of a seed, piece by piece. */
export class SeededBytes {
  readonly #seed: number;
  readonly #words = new Int32Array(BLOCK / 4);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  /** The place of the block that is at hand; -1 for none. */
  #block = -1;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Bytes from a place on, at least 1 and at most `limit`; valid until the next call. */
  from(place: number, limit: number): Uint8Array<ArrayBuffer> {
    const block = Math.floor(place / BLOCK);
    const offset = place - block * BLOCK;
    const end = Math.min(BLOCK, offset + limit);
    if (block !== this.#block) {
      // Of short bodies no more is computed than is wanted.
      const whole = place > 0 || limit >= BLOCK;
      const words = whole
        ? this.#words
        : this.#words.subarray(0, Math.ceil(end / 4));
      fillWords(words, this.#seed, block * (BLOCK / 4));
      this.#block = whole ? block : -1;
    }
    return this.#bytes.subarray(offset, end);
  }
}

/** Compares what comes with what a seed says. */
export class ByteCheck {
  /** The place of the next byte. */
  place: number;
  readonly #expected: SeededBytes;

  /** `place` is that of the first byte. */
  constructor(seed: number, place = 0) {
    this.#expected = new SeededBytes(seed);
    this.place = place;
  }

  /** Whether these are the next ones. */
  take(piece: Uint8Array): boolean {
    for (let at = 0; at < piece.length;) {
      const expected = this.#expected.from(this.place, piece.length - at);
      const { length } = expected;
      if (Buffer.compare(expected, piece.subarray(at, at + length)) !== 0) {
        return false;
      }
      at += length;
      this.place += length;
    }
    return true;
  }
}

/** All bytes of a short body. */
export function seededBytes(
  seed: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const source = new SeededBytes(seed);
  for (let at = 0; at < length;) {
    const piece = source.from(at, length - at);
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** A number for a text: the seed of what a path names. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash | 0;
}
