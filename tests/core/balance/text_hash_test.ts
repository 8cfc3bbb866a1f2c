/**
 * Text hashes against the reference's values.
 *
 * @module
 */
import { hashText, mix } from "../../../core/balance/text_hash.ts";
import { assert, assertEquals } from "../../support/assert.ts";

/** Bytes in pairs as code units: what the reference's vectors are in this hash. */
const VECTORS: readonly (readonly [string, number, number])[] = [
  ["", 0, 0],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  ["\uffff\uffff", 0, 0x76293b50],
  ["\u4321\u8765", 0, 0xf55b516b],
  ["\u4321\u8765", 0x5082edee, 0x2362f9de],
  ["\u4321", 0, 0xa0f7b07a],
  ["\u0000\u0000", 0, 0x2362f9de],
  ["\u0000", 0, 0x30f4c306],
  // "aaaa", "abcd", "aa"
  ["\u6161\u6161", 0x9747b28c, 0x5a97808a],
  ["\u6261\u6463", 0x9747b28c, 0xf0478627],
  ["\u6161", 0x9747b28c, 0x5d211726],
];

for (const [text, seed, expected] of VECTORS) {
  Deno.test(`hashText of ${JSON.stringify(text)} with seed ${seed} is MurmurHash3's value`, () => {
    assertEquals(hashText(text, seed), expected);
  });
}

Deno.test("hashText changes with every character, at every length", () => {
  const seen = new Set<number>();
  let texts = 0;
  for (let length = 0; length < 40; length++) {
    const text = "a".repeat(length);
    for (let at = 0; at < length; at++) {
      seen.add(hashText(`${text.slice(0, at)}b${text.slice(at + 1)}`));
      texts++;
    }
    seen.add(hashText(text));
    texts++;
  }

  assertEquals(seen.size, texts);
});

Deno.test("mix spreads neighbours over all numbers of 32 bits", () => {
  const buckets = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) buckets[mix(i) >>> 28]!++;

  assert(buckets.every((count) => Math.abs(count - 1_000) < 150), `${buckets}`);
});
