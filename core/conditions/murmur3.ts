/**
 * MurmurHash3, the x64 variant of 128 bits with seed 0
 * (https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp).
 *
 * BFE's `hash_in` primitives take the first 64 bits: the same value falls into
 * the same bucket here and there. A BigInt would read simpler, but costs an
 * allocation per step; halves of 32 bits are numbers.
 *
 * @module
 */

/** 64 bits in two halves, each a signed 32-bit integer; changed in place. */
class Word {
  high: number;
  low: number;

  constructor(high: number, low: number) {
    this.high = high;
    this.low = low;
  }

  xor(other: Word): this {
    this.high ^= other.high;
    this.low ^= other.low;
    return this;
  }

  xorLow(value: number): this {
    this.low ^= value;
    return this;
  }

  add(other: Word): this {
    const low = (this.low >>> 0) + (other.low >>> 0);
    this.high = (this.high + other.high + (low > 0xffffffff ? 1 : 0)) | 0;
    this.low = low | 0;
    return this;
  }

  multiply({ high, low }: Word): this {
    const cross = Math.imul(this.high, low) + Math.imul(this.low, high);
    this.high = (highHalf(this.low, low) + cross) | 0;
    this.low = Math.imul(this.low, low);
    return this;
  }

  rotateLeft(bits: number): this {
    let { high, low } = this;
    if (bits >= 32) [high, low] = [low, high];
    const by = bits & 31;
    if (by === 0) {
      this.high = high;
      this.low = low;
    } else {
      this.high = (high << by) | (low >>> (32 - by));
      this.low = (low << by) | (high >>> (32 - by));
    }
    return this;
  }

  /** Every bit of it comes to depend on every other. */
  mix(): this {
    this.low ^= this.high >>> 1; // x ^= x >>> 33
    this.multiply(MIX_1);
    this.low ^= this.high >>> 1;
    this.multiply(MIX_2);
    this.low ^= this.high >>> 1;
    return this;
  }
}

const C1 = new Word(0x87c37b91, 0x114253d5);
const C2 = new Word(0x4cf5ad43, 0x2745937f);
const MIX_1 = new Word(0xff51afd7, 0xed558ccd);
const MIX_2 = new Word(0xc4ceb9fe, 0x1a85ec53);
const FIVE = new Word(0, 5);
const ADD_1 = new Word(0, 0x52dce729);
const ADD_2 = new Word(0, 0x38495ab5);

/** The first 64 bits of the hash in two unsigned halves. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

/** Hashes bytes. */
export function murmur3(bytes: Uint8Array): Hash64 {
  const h1 = new Word(0, 0);
  const h2 = new Word(0, 0);
  const k = new Word(0, 0);
  const { length } = bytes;
  const blocks = length - length % 16;
  for (let at = 0; at < blocks; at += 16) {
    h1.xor(scramble1(read(k, bytes, at, 8)))
      .rotateLeft(27).add(h2).multiply(FIVE).add(ADD_1);
    h2.xor(scramble2(read(k, bytes, at + 8, 8)))
      .rotateLeft(31).add(h1).multiply(FIVE).add(ADD_2);
  }
  const rest = length - blocks;
  if (rest > 8) h2.xor(scramble2(read(k, bytes, blocks + 8, rest - 8)));
  if (rest > 0) h1.xor(scramble1(read(k, bytes, blocks, Math.min(rest, 8))));
  h1.xorLow(length).add(h2.xorLow(length));
  h2.add(h1);
  h1.mix().add(h2.mix());
  return { high: h1.high >>> 0, low: h1.low >>> 0 };
}

function scramble1(k: Word): Word {
  return k.multiply(C1).rotateLeft(31).multiply(C2);
}

function scramble2(k: Word): Word {
  return k.multiply(C2).rotateLeft(33).multiply(C1);
}

/** Reads up to 8 bytes, the lowest first. */
function read(into: Word, bytes: Uint8Array, at: number, count: number): Word {
  into.high = 0;
  into.low = 0;
  for (let i = 0; i < count; i++) {
    const byte = bytes[at + i] ?? 0;
    if (i < 4) into.low |= byte << (8 * i);
    else into.high |= byte << (8 * (i - 4));
  }
  return into;
}

/** The upper 32 bits of a product of two unsigned 32-bit integers. */
function highHalf(a: number, b: number): number {
  const [a1, a0] = [a >>> 16, a & 0xffff];
  const [b1, b0] = [b >>> 16, b & 0xffff];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carried = (middle & 0xffff) + a0 * b1;
  return (a1 * b1 + Math.floor(middle / 65_536) + (carried >>> 16)) | 0;
}
