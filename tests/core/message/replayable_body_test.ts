import fc from "fast-check";
import { ReplayableBody } from "../../../core/message/replayable_body.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { pieces, PiecesBody } from "../../support/pieces_body.ts";

/** Reads at most so many pieces; all of it where that is left out. */
async function read(
  body: ReplayableBody,
  pieces = Infinity,
): Promise<number[]> {
  const bytes: number[] = [];
  for (let i = 0; i < pieces; i++) {
    if (!(body.advance() || await body.next())) break;
    bytes.push(...body.bytes.subarray(body.start, body.end));
    if (body.last) break;
  }
  return bytes;
}

Deno.test("ReplayableBody: whatever was read of it, it reads the same again", async () => {
  await fc.assert(fc.asyncProperty(
    pieces,
    fc.boolean(),
    fc.array(fc.nat(8), { maxLength: 3 }),
    async (pieces, lastKnown, readings) => {
      const whole = pieces.flatMap(({ bytes }) => bytes);
      const body = new ReplayableBody(
        new PiecesBody(pieces, lastKnown),
        whole.length,
      );
      for (const count of readings) {
        const some = await read(body, count);
        assertEquals(some, whole.slice(0, some.length));
        assert(body.replayable);
        body.rewind();
      }
      assertEquals(await read(body), whole);
      body.rewind();
      assertEquals(await read(body), whole);
    },
  ));
});

Deno.test("ReplayableBody: one that exceeds the bound passes through whole, and can't be read again", async () => {
  await fc.assert(fc.asyncProperty(
    pieces.filter((pieces) => pieces.length > 0),
    fc.boolean(),
    async (pieces, lastKnown) => {
      const whole = pieces.flatMap(({ bytes }) => bytes);
      const body = new ReplayableBody(
        new PiecesBody(pieces, lastKnown),
        whole.length - 1,
      );
      assertEquals(await read(body), whole);
      assertEquals(body.replayable, false);
      assertThrows(() => body.rewind(), RangeError, "exceeds");
    },
  ));
});

Deno.test("ReplayableBody: who reads it again takes back what gave it up", async () => {
  const source = new PiecesBody([{ bytes: [1], atHand: true }], true);
  const body = new ReplayableBody(source, 10);
  body.cancel();
  assert(source.cancelled);
  body.rewind();
  assert(!source.cancelled);
  assertEquals(await read(body), [1]);
});
