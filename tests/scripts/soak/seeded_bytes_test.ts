import { assert, assertEquals } from "../../support/assert.ts";
import {
  ByteCheck,
  SeededBytes,
  seededBytes,
} from "../../../scripts/soak/seeded_bytes.ts";

/** Over several of the blocks that are computed at once. */
const LENGTH = 200_003;

Deno.test("seeded bytes: bytes are the same from whichever place they are read", () => {
  const whole = seededBytes(7, LENGTH);
  for (const start of [0, 1, 3, 65_535, 65_536, 65_537, 131_071, 200_000]) {
    const source = new SeededBytes(7);
    const read: number[] = [];
    for (let at = start; at < Math.min(LENGTH, start + 70_000);) {
      const piece = source.from(at, Math.min(333, LENGTH - at));
      read.push(...piece);
      at += piece.length;
    }
    assertEquals(
      new Uint8Array(read),
      whole.slice(start, start + read.length),
      `from ${start}`,
    );
  }
});

Deno.test("seeded bytes: what is compared in any pieces is right", () => {
  const whole = seededBytes(8, LENGTH);
  const check = new ByteCheck(8, 5);
  let size = 1;
  for (let at = 5; at < LENGTH;) {
    const piece = whole.subarray(at, at + size);
    assert(check.take(piece));
    at += piece.length;
    size = size * 3 % 40_009;
  }
  assertEquals(check.place, LENGTH);
});

Deno.test("seeded bytes: one wrong byte is seen wherever it is", () => {
  for (const place of [0, 1, 65_535, 65_536, LENGTH - 1]) {
    const bytes = seededBytes(9, LENGTH);
    bytes[place]! ^= 1;
    assertEquals(new ByteCheck(9).take(bytes), false, `at ${place}`);
  }
});

Deno.test("seeded bytes: another seed's bytes, and those of another place, are others", () => {
  const bytes = seededBytes(10, 64);
  assertEquals(new ByteCheck(11).take(bytes), false);
  assertEquals(new ByteCheck(10, 1).take(bytes), false);
});
