/**
 * A body for two readers.
 *
 * @module
 */
import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import type { BodyReader } from "../../../core/message/body.ts";
import { type Tee, teeBody } from "../../../core/message/tee_body.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { type Piece, pieces, PiecesBody } from "../../support/pieces_body.ts";

/** A tee with a clock of its own. */
function tee(source: BodyReader, bound: number) {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  return { clock, ...teeBody(source, { bound, patience: 1_000, deadlines }) };
}

/** One step of a reader: a piece, `undefined` where none is left. */
async function step(body: BodyReader): Promise<number[] | undefined> {
  if (body.last) return undefined;
  if (!(body.advance() || await body.next())) return undefined;
  const piece = [...body.bytes.subarray(body.start, body.end)];
  // As framing does.
  body.bytes.fill(0xee, body.start - body.headroom, body.start);
  return piece;
}

async function readAll(body: BodyReader): Promise<number[]> {
  const bytes: number[] = [];
  for (;;) {
    const piece = await step(body);
    if (piece === undefined) return bytes;
    bytes.push(...piece);
  }
}

/** Whether it is still waiting after all that can be done now. */
async function waits(promise: Promise<unknown>): Promise<boolean> {
  const none = Symbol();
  const turns = (async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    return none;
  })();
  return await Promise.race([promise, turns]) === none;
}

const ONES: Piece[] = Array.from({ length: 6 }, (_, i) => ({
  bytes: [i, i],
  atHand: i % 2 === 0,
}));
const WHOLE = ONES.flatMap(({ bytes }) => bytes);

Deno.test("teeBody: both get all of it, however they take turns, and are never further apart than the bound", async () => {
  await fc.assert(fc.asyncProperty(
    pieces,
    fc.boolean(),
    fc.nat(20),
    fc.array(fc.boolean(), { maxLength: 30 }),
    async (pieces, lastKnown, more, turns) => {
      const bound = more + 1;
      const whole = pieces.flatMap(({ bytes }) => bytes);
      const { client, store } = tee(new PiecesBody(pieces, lastKnown), bound);
      const got: Record<"client" | "store", number[]> = {
        client: [],
        store: [],
      };
      const pending: Partial<Record<"client" | "store", Promise<void>>> = {};
      const over = { client: false, store: false };
      for (let i = 0; !over.client || !over.store; i++) {
        const name = turns[i] ?? i % 2 === 0 ? "client" : "store";
        const body = { client, store }[name];
        pending[name] ??= step(body).then((piece) => {
          got[name].push(...piece ?? []);
          over[name] ||= piece === undefined;
          delete pending[name];
        });
        await Promise.race([pending[name], Promise.resolve()]);
        const apart = Math.abs(got.client.length - got.store.length);
        // Up to the bound before a piece, and that piece.
        assert(apart < bound + 8, `${apart} apart`);
      }
      assertEquals(got, { client: whole, store: whole });
      assert(client.last && store.last);
    },
  ));
});

for (const ahead of ["client", "store"] as const) {
  const behind = ahead === "client" ? "store" : "client";
  Deno.test(`teeBody: the ${ahead} waits for the ${behind} at the bound`, async () => {
    const both: Tee = tee(new PiecesBody(ONES, true), 4);
    assertEquals(await step(both[ahead]), [0, 0]);
    assertEquals(await step(both[ahead]), [1, 1]);
    const third = step(both[ahead]);
    assert(await waits(third));
    assertEquals(await step(both[behind]), [0, 0]);
    assertEquals(await third, [2, 2]);
    both[behind].cancel();
    assertEquals(await readAll(both[ahead]), WHOLE.slice(6));
  });

  Deno.test(`teeBody: a ${behind} that leaves holds the ${ahead} up no longer, and the rest is read`, async () => {
    const source = new PiecesBody(ONES, true);
    const both: Tee = tee(source, 2);
    assertEquals(await step(both[ahead]), [0, 0]);
    const second = step(both[ahead]);
    assert(await waits(second));
    both[behind].cancel();
    assertEquals(await second, [1, 1]);
    assert(both[behind].last);
    assertEquals(await both[behind].next(), false);
    assertEquals(await readAll(both[ahead]), WHOLE.slice(4));
    assert(!source.cancelled);
  });
}

Deno.test("teeBody: the source is given up when both readers are, unless it is at its end", async () => {
  const source = new PiecesBody(ONES, true);
  const { client, store } = tee(source, 100);
  await step(store);
  client.cancel();
  assert(!source.cancelled);
  store.cancel();
  store.cancel();
  assert(source.cancelled);

  const read = new PiecesBody(ONES, true);
  const both = tee(read, 100);
  await readAll(both.store);
  both.store.cancel();
  both.client.cancel();
  assert(!read.cancelled);
});

Deno.test("teeBody: a store that takes nothing for its time fails, and the client goes on", async () => {
  const { client, store, clock } = tee(new PiecesBody(ONES, true), 2);
  await step(client);
  // One that is slow but works is waited for.
  for (let i = 0; i < 3; i++) {
    const next = step(client);
    assert(await waits(next));
    clock.advance(900);
    await step(store);
    assertEquals(await next, [i + 1, i + 1]);
  }
  const next = step(client);
  assert(await waits(next));
  clock.advance(1_300);
  assertEquals(await next, [4, 4]);
  assertEquals(clock.pending, 0);
  const error = await assertRejects(() => store.next(), ProxyError);
  assertEquals(error.code, "buffer_failed");
  assert(!store.last);
  assertEquals(await readAll(client), [5, 5]);
});

/** Fails after its first piece. */
class FailingBody extends PiecesBody {
  #given = 0;

  override advance(): boolean {
    return false;
  }

  override next(): Promise<boolean> {
    return this.#given++ === 0 ? super.next() : Promise.reject(
      new ProxyError("response_truncated", "The body ended early"),
    );
  }
}

Deno.test("teeBody: a failure of the source is both readers', behind what came before", async () => {
  const { client, store } = tee(new FailingBody(ONES, false), 100);
  assertEquals(await step(client), [0, 0]);
  await assertRejects(() => client.next(), ProxyError, "early");
  assertEquals(await step(store), [0, 0]);
  await assertRejects(() => store.next(), ProxyError, "early");
  await assertRejects(() => store.next(), ProxyError, "early");
  assert(!client.last && !store.last);
});

Deno.test("teeBody: an empty body is over at once for both, and framing never writes into what the other has to read", async () => {
  const empty = tee(new PiecesBody([], true), 1);
  assertEquals(await readAll(empty.client), []);
  assertEquals(await readAll(empty.store), []);
  const both = tee(new PiecesBody([{ bytes: [7], atHand: true }], true), 10);
  assertEquals(await step(both.client), [7]);
  assertEquals(await step(both.store), [7]);
});
