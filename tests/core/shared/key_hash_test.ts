import { KeyHash } from "../../../core/shared/key_hash.ts";
import { assertEquals } from "../../support/assert.ts";

/** The published vectors' key: bytes 0 to 7. */
const hash = new KeyHash(0x03020100, 0x07060504);

/** The result's bytes for a message of the bytes 0, 1, 2, …, as text of two bytes a character. */
function hashBytes(length: number): string {
  let text = "";
  for (let i = 0; i < length; i += 2) {
    text += String.fromCharCode(i | (i + 1) << 8);
  }
  hash.hash(text);
  const bytes = new Uint8Array(new Int32Array([hash.low, hash.high]).buffer);
  return bytes.toHex();
}

Deno.test("KeyHash – gives the reference implementation's vectors of even lengths", () => {
  // github.com/veorq/SipHash, vectors.h: vectors_hsip64.
  assertEquals([0, 2, 4, 6, 8, 10].map(hashBytes), [
    "218d1f59b9b83cc8",
    "064f39ef7c50eb57",
    "d5e78a175be52ea1",
    "ce3e91358aa2bc25",
    "edfee820bce4858c",
    "95b0469f06a6f2ee",
  ]);
});

Deno.test("KeyHash – every character and the length count", () => {
  const seen = new Set<string>();
  const texts = [
    "",
    "\0",
    "\0\0",
    "\0\0\0",
    "a",
    "b",
    "ab",
    "ba",
    "abc",
    "acb",
  ];
  for (
    const text of [...texts, "ā", "a\u0100", "x".repeat(127), "x".repeat(255)]
  ) {
    hash.hash(text);
    seen.add(`${hash.low} ${hash.high}`);
  }
  assertEquals(seen.size, 14);
});

Deno.test("KeyHash – another seed is another hash", () => {
  const other = new KeyHash(0x03020100, 0x07060505);
  hash.hash("key");
  other.hash("key");
  assertEquals(hash.low === other.low || hash.high === other.high, false);
});
