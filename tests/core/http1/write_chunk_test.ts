import { chunkPrefix, LAST_CHUNK } from "../../../core/http1/write_chunk.ts";
import { decodeLatin1 } from "../../../core/http1/text.ts";
import { HEADROOM } from "../../../core/message/body.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

const SIZES: readonly (readonly [number, string])[] = [
  [1, "1\r\n"],
  [15, "f\r\n"],
  [16, "10\r\n"],
  [0xabcdef, "abcdef\r\n"],
  [2 ** 32, "100000000\r\n"],
  [Number.MAX_SAFE_INTEGER, "1fffffffffffff\r\n"],
];

for (const [length, line] of SIZES) {
  Deno.test(`chunkPrefix() writes ${JSON.stringify(line)} before the data`, () => {
    const bytes = new Uint8Array(32).fill(35);
    const start = chunkPrefix(bytes, 20, length);
    assertEquals(decodeLatin1(bytes, start, 21), `${line}#`);
    assertEquals(bytes[start - 1], 35);
    assert(20 - start <= HEADROOM);
  });
}

for (const length of [0, -1, NaN, 2 ** 53]) {
  Deno.test(`chunkPrefix() refuses a length of ${length}`, () => {
    assertThrows(() => chunkPrefix(new Uint8Array(32), 20, length), RangeError);
  });
}

Deno.test("LAST_CHUNK ends a body without trailers", () => {
  assertEquals(decodeLatin1(LAST_CHUNK, 0, LAST_CHUNK.length), "0\r\n\r\n");
});
