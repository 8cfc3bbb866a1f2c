import fc from "fast-check";
import type { RequestBody } from "../../../core/message/body.ts";
import { ReplayableBody } from "../../../core/message/replayable_body.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

/** Pieces, each at hand at once or only for who waits. */
class PiecesBody implements RequestBody {
  bytes = new Uint8Array(0);
  start = 0;
  end = 0;
  last = false;
  readonly headroom = 0;
  readonly tailroom = 0;
  cancelled = false;
  readonly #pieces: { readonly bytes: number[]; readonly atHand: boolean }[];
  readonly #lastKnown: boolean;

  constructor(
    pieces: { readonly bytes: number[]; readonly atHand: boolean }[],
    lastKnown: boolean,
  ) {
    this.#pieces = [...pieces];
    this.#lastKnown = lastKnown;
  }

  advance(): boolean {
    if (this.last) return true;
    if (this.#pieces[0]?.atHand !== true) return false;
    this.#shift();
    return true;
  }

  next(): Promise<boolean> {
    if (this.last) return Promise.resolve(false);
    if (this.#pieces.length === 0) {
      this.start = this.end = 0;
      this.last = true;
      return Promise.resolve(false);
    }
    this.#shift();
    return Promise.resolve(true);
  }

  cancel(): void {
    this.cancelled = true;
  }

  resume(): void {
    this.cancelled = false;
  }

  #shift(): void {
    // The bytes before belong to who reads next: whoever keeps them must copy.
    this.bytes.fill(0xee);
    this.bytes = new Uint8Array(this.#pieces.shift()!.bytes);
    this.start = 0;
    this.end = this.bytes.length;
    this.last = this.#lastKnown && this.#pieces.length === 0;
  }
}

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

const pieces = fc.array(
  fc.record({
    bytes: fc.array(fc.integer({ min: 0, max: 255 }), {
      minLength: 1,
      maxLength: 8,
    }),
    atHand: fc.boolean(),
  }),
  { maxLength: 8 },
);

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
