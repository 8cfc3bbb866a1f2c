/**
 * Bytes that are kept: all of them, and in few pieces.
 *
 * @module
 */
import fc from "fast-check";
import { HEADROOM } from "../../../core/message/body.ts";
import { KeptPieces } from "../../../core/message/kept_pieces.ts";
import { assert, assertEquals } from "../../support/assert.ts";

function contents({ pieces }: KeptPieces): number[] {
  return pieces.flatMap((piece) => [...piece.subarray(HEADROOM)]);
}

Deno.test("KeptPieces keeps copies of all bytes in their order", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (added) => {
      const kept = new KeptPieces();
      for (const bytes of added) {
        const given = bytes.slice();
        kept.add(given);
        // Whoever gave it uses its memory for what follows.
        given.fill(0xee);
      }
      assertEquals(contents(kept), added.flatMap((bytes) => [...bytes]));
      // Who frames a piece writes before it, and must not write into another.
      for (const piece of kept.pieces) piece.fill(0, 0, HEADROOM);
      assertEquals(contents(kept), added.flatMap((bytes) => [...bytes]));
    }),
  );
});

Deno.test("KeptPieces makes few pieces of many bytes that come one by one", () => {
  const kept = new KeptPieces();
  for (let i = 0; i < 1 << 20; i++) kept.add(Uint8Array.of(i));
  const { pieces } = kept;
  assert(pieces.length < 40, `${pieces.length} pieces`);
  assertEquals(
    pieces.reduce((sum, { length }) => sum + length - HEADROOM, 0),
    1 << 20,
  );
  const room = pieces.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  assert(room < 1.1 * (1 << 20) + (64 << 10), `${room} bytes`);
  // What comes at once takes no more than itself.
  const once = new KeptPieces();
  once.add(new Uint8Array(10));
  assertEquals(once.pieces[0]!.buffer.byteLength, HEADROOM + 10);
});
