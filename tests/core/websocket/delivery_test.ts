/** Where a client's messages are, and when the client is held back. */
import { Buffers } from "../../../core/net/buffer_pool.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { BackendSide } from "../../../core/websocket/backend_side.ts";
import { Delivery } from "../../../core/websocket/delivery.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { bytesOf } from "../../support/byte_streams.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeLink } from "../../support/fake_link.ts";

/** A delivery to the backend `b0`; each message's bytes are counted when it is first sent. */
function stage({ replay }: { readonly replay: number | undefined }) {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  const sizes: number[] = [];
  const backend = (backendId: string) => {
    const link = new FakeLink();
    const side = new BackendSide({ link, backendId }, {
      toBackend: { observe: (bytes) => void sizes.push(bytes) },
      fromBackend: { observe() {} },
    });
    const fences: boolean[] = [];
    link.start({
      message() {},
      pong: (bytes, start, end) =>
        void fences.push(delivery.pong(side, bytes, start, end)),
      batchEnd: () => undefined,
      ended() {},
    });
    return { link, side, fences };
  };
  const first = backend("b0");
  const delivery: Delivery = new Delivery(first.side, {
    replay,
    pongTimeout: 1_000,
    buffers: new Buffers(),
    clock,
    deadlines,
  });
  return {
    passes(milliseconds: number) {
      clock.advance(milliseconds);
      deadlines.now += milliseconds;
    },
    sizes,
    delivery,
    backend,
    first,
    says(...messages: string[]) {
      for (const message of messages) {
        const bytes = bytesOf(message);
        delivery.put(1, bytes, 0, bytes.length);
      }
      return delivery.batchEnd();
    },
  };
}

/** What lies before a peer, without Pings. */
function messagesOf({ inbox }: FakeLink): unknown[] {
  return inbox.filter((sent) => typeof sent === "string");
}

Deno.test("Delivery: keeps what is sent until a fence behind it is answered", () => {
  const s = stage({ replay: 1 << 20 });
  s.says("a", "bc");
  assertEquals(s.delivery.unread(s.first.side), 2);
  assert(s.delivery.memory > 0);
  s.first.link.readSome();
  assertEquals(s.first.link.read, ["a", "bc"]);
  assertEquals([s.delivery.unread(s.first.side), s.delivery.memory], [0, 0]);
  assertEquals(s.sizes, [1, 2]);
});

Deno.test("Delivery: another Pong than its fence's proves nothing", () => {
  const s = stage({ replay: 1 << 20 });
  const other = s.backend("b1");
  s.delivery.moveTo(other.side, s.first.side);
  s.says("a");
  assertEquals(
    s.delivery.pong(other.side, new Uint8Array(12), 0, 12),
    false,
  );
  assertEquals(s.delivery.unread(other.side), 1);
  other.link.readSome();
  assertEquals([other.fences, s.delivery.unread(other.side)], [[true], 0]);
});

Deno.test("Delivery: who takes a backend's place gets what was not read, then what waited, counted once", () => {
  const s = stage({ replay: 1 << 20 });
  s.says("a");
  s.first.link.readSome();
  s.passes(100);
  s.says("b");
  s.delivery.pause();
  s.says("c");
  assertEquals(messagesOf(s.first.link), ["b"]);
  assertEquals(s.delivery.unread(s.first.side), 1);
  const next = s.backend("b1");
  s.delivery.moveTo(next.side, s.first.side);
  s.says("d");
  assertEquals(messagesOf(next.link), ["b", "c", "d"]);
  assertEquals(s.sizes, [1, 1, 1, 1]);
  s.delivery.end();
  assertEquals(s.delivery.memory, 0);
});

Deno.test("Delivery: without replay nothing is kept but what waits for a backend", () => {
  const s = stage({ replay: undefined });
  s.says("a");
  assertEquals([s.delivery.memory, s.delivery.unread(s.first.side)], [0, 0]);
  s.delivery.pause();
  s.says("b");
  assert(s.delivery.memory > 0);
  const next = s.backend("b1");
  s.delivery.moveTo(next.side, s.first.side);
  assertEquals([next.link.inbox, s.delivery.memory], [["b"], 0]);
});

Deno.test("Delivery: without replay, what a link gives back goes first", () => {
  const s = stage({ replay: undefined });
  s.first.link.knowsUnread();
  s.says("a", "b");
  s.first.link.readSome(1);
  s.delivery.pause();
  s.says("c");
  s.delivery.settle(s.first.side);
  const next = s.backend("b1");
  s.delivery.moveTo(next.side, s.first.side);
  assertEquals(next.link.inbox, ["b", "c"]);
});

Deno.test("Delivery: with replay, a link that knows what was not read has the rest forgotten", () => {
  const s = stage({ replay: 1 << 20 });
  s.first.link.knowsUnread();
  s.says("a", "b", "c");
  s.first.link.inbox.splice(0, 1);
  s.delivery.settle(s.first.side);
  assertEquals(s.delivery.unread(s.first.side), 2);
  s.delivery.end();
});

Deno.test("Delivery: a full log holds the client back until there is room, or an end", async () => {
  for (const free of ["fence", "end"] as const) {
    const s = stage({ replay: 10 });
    let goesOn = false;
    const held = s.says("0123456789");
    assert(held !== undefined);
    const waits = held.then(() => goesOn = true);
    await Promise.resolve();
    assert(!goesOn);
    if (free === "fence") s.first.link.readSome();
    else s.delivery.end();
    await waits;
    s.delivery.end();
  }
});

Deno.test("Delivery: fences follow in intervals, one that is missing is put by a watch, one that is not answered is the backend's end", () => {
  const s = stage({ replay: 1 << 20 });
  const pings = () =>
    s.first.link.inbox.filter((sent) => typeof sent !== "string").length;
  s.says("a");
  assertEquals(pings(), 1);
  s.first.link.readSome();
  s.passes(19);
  s.says("b");
  assertEquals(pings(), 0);
  s.delivery.watch();
  assertEquals(pings(), 1);
  s.passes(1_000);
  s.delivery.watch();
  assertEquals(s.first.link.aborted, undefined);
  // Its silence is ours while nobody listens to it.
  s.first.link.listening = false;
  s.passes(1_000);
  s.delivery.watch();
  s.first.link.listening = true;
  s.passes(1_000);
  s.delivery.watch();
  assertEquals(s.first.link.aborted, undefined);
  s.passes(1);
  s.delivery.watch();
  assertEquals(s.first.link.aborted?.code, "backend_silent");
  s.delivery.end();
});
