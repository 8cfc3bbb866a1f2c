/**
 * MurmurHash3 and the buckets made of it.
 *
 * @module
 */
import fc from "fast-check";
import {
  bucketOf,
  matchBuckets,
} from "../../../core/conditions/hash_buckets.ts";
import { murmur3 } from "../../../core/conditions/murmur3.ts";
import { assert, assertEquals } from "../../support/assert.ts";

function hash(text: string): bigint {
  const { high, low } = murmur3(new TextEncoder().encode(text));
  return BigInt(high) << 32n | BigInt(low);
}

// Known values of the x64 variant, as the Go library that BFE uses tests them.
const KNOWN: readonly (readonly [string, bigint])[] = [
  ["", 0n],
  ["hello", 0xcbd8a7b341bd9b02n],
  ["hello, world", 0x342fac623a5ebc8en],
  ["19 Jan 2038 at 3:14:07 AM", 0xb89e5988b737affcn],
  ["The quick brown fox jumps over the lazy dog.", 0xcd99481f9ee902c9n],
];

for (const [text, expected] of KNOWN) {
  Deno.test(`murmur3 of ${JSON.stringify(text)} is the known value`, () => {
    assertEquals(hash(text), expected);
  });
}

Deno.test("murmur3 changes with every byte, at every length of the last block", () => {
  const seen = new Set<bigint>();
  for (let length = 0; length < 64; length++) {
    seen.add(hash("a".repeat(length)));
  }
  for (let i = 0; i < 48; i++) {
    seen.add(hash("a".repeat(i) + "b" + "a".repeat(63 - i)));
  }
  assertEquals(seen.size, 64 + 48);
});

Deno.test("bucketOf is the hash modulo 10,000", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    assertEquals(BigInt(bucketOf(text)), hash(text) % 10_000n);
  }));
});

Deno.test("matchBuckets takes the buckets and ranges that it names", () => {
  const bucket = bucketOf("hello");
  const test = (...sections: string[]) => matchBuckets(sections)("hello");
  assert(test(`${bucket}`));
  assert(test(`${bucket - 1}-${bucket}`));
  assert(test("0", ` ${bucket} - ${bucket + 1} `));
  assert(!test(`${bucket + 1}-9999`, `0-${bucket - 1}`));
});

Deno.test("matchBuckets chooses a share of values near to the buckets' share", () => {
  const test = matchBuckets(["0-999"]);
  let chosen = 0;
  for (let i = 0; i < 10_000; i++) if (test(`user-${i}`)) chosen++;
  assert(chosen > 850 && chosen < 1_150, `${chosen} of 10000`);
});
