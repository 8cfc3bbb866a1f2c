/**
 * Bodies on their way from one worker to another.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import { Inflow } from "../../../core/shared_cache/inflow.ts";
import { Outflow } from "../../../core/shared_cache/outflow.ts";
import { STREAM_WINDOW } from "../../../core/shared_cache/protocol.ts";
import { Slab, SLOT, type SlotPiece } from "../../../core/shared_cache/slab.ts";
import { runsOf } from "../../support/property.ts";
import { bytesOf, pattern, SentBody } from "./proxy_of_workers.ts";

/** Both ends, without a channel between them. */
function pipe(body: SentBody, slab = new Slab()) {
  const state = { sent: 0, most: 0, read: 0, stopped: false };
  const inflow: Inflow = new Inflow({
    more(count) {
      state.read += count;
      outflow.more(count);
    },
    stop() {
      state.stopped = true;
      outflow.stop();
    },
  });
  const outflow = new Outflow(body, {
    pack(bytes) {
      const pieces = slab.pack(bytes, 1);
      for (const piece of pieces) {
        if ("slot" in piece) piece.slab = slab;
      }
      return pieces;
    },
    bytes(pieces, last) {
      for (const { length } of pieces) state.sent += length;
      state.most = Math.max(state.most, state.sent - state.read);
      inflow.take(pieces, last);
    },
    broken: (error) => inflow.fail(error),
  });
  return { inflow, state, slab, over: outflow.run() };
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

Deno.test("a body arrives as it was, however it is cut, and never more than a window ahead", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 400_000 }), { maxLength: 8 }),
      fc.boolean(),
      async (cuts, late) => {
        const length = cuts.reduce((a, b) => a + b, 0);
        const all = pattern(length);
        const body = new SentBody();
        const { inflow, state, slab, over } = pipe(body);
        const read = bytesOf(inflow);
        let at = 0;
        for (const cut of cuts) {
          body.send(all.subarray(at, at += cut));
          if (late) await turn();
        }
        body.finish();
        assertEquals(await read, all);
        await over;
        // A message may go beyond it by what was at hand.
        assert(state.most <= STREAM_WINDOW * 5 / 4 + 400_000 + (256 << 10));
        assertEquals([state.stopped, slab.held], [false, 0]);
      },
    ),
    runsOf("bodies between workers", 60),
  );
});

Deno.test("who does not read is sent a window, and goes on where he left off", async () => {
  const body = new SentBody();
  const all = pattern(3_000_000);
  for (let at = 0; at < all.length; at += 60_000) {
    body.send(all.subarray(at, at + 60_000));
  }
  body.finish();
  const { inflow, state } = pipe(body);
  await turn();
  assert(state.sent >= STREAM_WINDOW);
  assert(state.sent <= STREAM_WINDOW + (256 << 10) + 60_000, `${state.sent}`);
  const before = state.sent;
  await turn();
  assertEquals(state.sent, before);
  assertEquals(await bytesOf(inflow), all);
});

Deno.test("an empty body is over at once", async () => {
  const body = SentBody.of(new Uint8Array(0));
  const { inflow } = pipe(body);
  await turn();
  assertEquals([inflow.advance(), inflow.last], [true, true]);
  assertEquals([inflow.start, inflow.end], [0, 0]);
  assertEquals(await inflow.next(), false);
});

Deno.test("a body that breaks off gives what came, and then the reason", async () => {
  const body = new SentBody();
  const { inflow } = pipe(body);
  body.send(pattern(100));
  await turn();
  body.break();
  await turn();
  assertEquals(await inflow.next(), true);
  assertEquals([inflow.end - inflow.start, inflow.last], [100, false]);
  const error = await assertRejects(() => inflow.next(), ProxyError);
  assertEquals(error.code, "response_truncated");
  assertEquals(inflow.last, true);
  assertEquals(await inflow.next(), false);
});

Deno.test("who leaves stops it at its source, also while he waits, and once", async () => {
  for (const how of ["cancel", "giveUp"] as const) {
    const body = new SentBody();
    const { inflow, state, slab, over } = pipe(body);
    body.send(pattern(10));
    await turn();
    await inflow.next();
    const waiting = inflow.next();
    waiting.catch(() => {});
    const gone = new ProxyError("client_closed", "gone");
    if (how === "cancel") inflow.cancel();
    else inflow.giveUp(gone);
    if (how === "cancel") assertEquals(await waiting, false);
    else assertEquals(await assertRejects(() => waiting), gone);
    await over;
    assertEquals([state.stopped, body.cancelled], [true, true]);
    // What was on its way is not shown any more.
    const late = slab.pack(pattern(10_000), 1) as SlotPiece[];
    for (const piece of late) piece.slab = slab;
    inflow.take(late, true);
    assertEquals(slab.held, 0);
    assertEquals(inflow.advance(), true);
    assertEquals(inflow.end - inflow.start, 0);
  }
});

Deno.test("who leaves gives back what he has not read", async () => {
  for (const how of ["cancel", "giveUp"] as const) {
    const { inflow, slab } = pipe(SentBody.of(pattern(200_000)));
    await turn();
    inflow.advance();
    // One is read, and a short end needs none.
    assertEquals(slab.held, 2);
    if (how === "cancel") inflow.cancel();
    else inflow.giveUp(new ProxyError("client_closed", "gone"));
    assertEquals(slab.held, 0);
  }
});

Deno.test("where no slot is free bytes go with their message; a worker that is gone gives its slots back", () => {
  const slab = new Slab();
  const all = pattern(70 * SLOT + 100);
  const pieces = slab.pack(all, 1);
  assertEquals(slab.held, 64);
  assertEquals(pieces.length, 71);
  const read = pieces.map((piece) => {
    if (!("slot" in piece)) return piece;
    const bytes = new Uint8Array(piece.length);
    slab.unpack(piece, bytes);
    return bytes;
  });
  assertEquals(new Uint8Array(read.flatMap((part) => [...part])), all);
  assertEquals(slab.held, 0);
  slab.pack(pattern(3 * SLOT), 1);
  slab.pack(pattern(2 * SLOT), 2);
  slab.freeOf(1);
  assertEquals(slab.held, 2);
});
