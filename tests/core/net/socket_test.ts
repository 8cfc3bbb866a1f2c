import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import { HEADROOM } from "../../../core/message/body.ts";
import { Buffers } from "../../../core/net/buffer_pool.ts";
import type { ByteConn } from "../../../core/net/byte_conn.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { createPipe } from "../../../core/net/pipe.ts";
import { Socket, type SocketOptions } from "../../../core/net/socket.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../support/assert.ts";
import {
  bytesOf,
  patternBytes,
  readAll,
  readExactly,
  textOf,
  writeAll,
} from "../../support/byte_streams.ts";
import { FakeClock } from "../../support/clock.ts";

/** A socket on one end of a pipe, with everything that a test looks at. */
function setUp(
  {
    conn,
    buffer = "small",
    closedCode = "client_closed",
  }: Partial<SocketOptions> & { readonly conn?: ByteConn } = {},
) {
  const clock = new FakeClock();
  const buffers = new Buffers();
  const deadlines = new Deadlines(clock);
  const total = { in: 0, out: 0 };
  const [near, peer] = createPipe();
  const socket = new Socket(conn ?? near, {
    buffers,
    deadlines,
    closedCode,
    total,
    buffer,
  });
  return { clock, buffers, deadlines, total, peer, socket };
}

/** Everything that was taken is back, and no timer runs. */
function assertNothingLeft(
  { buffers, clock }: { buffers: Buffers; clock: FakeClock },
): void {
  const { tiny, small, medium, large } = buffers;
  assertEquals(
    [tiny, small, medium, large].map(({ inUse }) => inUse),
    [0, 0, 0, 0],
  );
  assertEquals(clock.pending, 0);
}

/** Runs what is runnable. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function heldText(socket: Socket): string {
  return textOf(socket.bytes.subarray(socket.start, socket.end));
}

/** A connection that takes a few bytes a write and tells how it was closed. */
class MeanConn implements ByteConn {
  readonly written: number[] = [];
  closes = 0;
  endings = 0;
  readonly #step: number;

  constructor(step: number) {
    this.#step = step;
  }

  read(): Promise<number | null> {
    return Promise.resolve(null);
  }

  write(bytes: Uint8Array): Promise<number> {
    const count = Math.min(this.#step, bytes.length);
    this.written.push(...bytes.subarray(0, count));
    return Promise.resolve(count);
  }

  closeWrite(): Promise<void> {
    this.endings++;
    return Promise.reject(new Deno.errors.NotConnected("gone"));
  }

  close(): void {
    this.closes++;
    if (this.closes > 1) throw new Deno.errors.BadResource("closed twice");
  }
}

Deno.test("Socket.write: loops over partial writes and counts the bytes", async () => {
  const conn = new MeanConn(3);
  const { socket, total } = setUp({ conn });
  await socket.write(bytesOf("partial writes"));
  assertEquals(textOf(new Uint8Array(conn.written)), "partial writes");
  assertEquals([socket.bytesOut, total.out], [14, 14]);
  socket.close();
});

Deno.test("Socket.write: rejects with the side's code where the peer is gone", async () => {
  for (const closedCode of ["client_closed", "backend_closed"] as const) {
    const { socket, peer } = setUp({ closedCode });
    peer.close();
    const error = await assertRejects(
      () => socket.write(bytesOf("x")),
      ProxyError,
    );
    assertEquals(error.code, closedCode);
    socket.close();
  }
});

Deno.test("Socket.fill: brings bytes behind those held, with the headroom before them", async () => {
  const { socket, peer, total } = setUp();
  await peer.write(bytesOf("one"));
  assert(await socket.fill());
  assertEquals([socket.start, socket.end], [HEADROOM, HEADROOM + 3]);
  await peer.write(bytesOf("two"));
  assert(await socket.fill());
  assertEquals(heldText(socket), "onetwo");
  assertEquals([socket.held, socket.bytesIn, total.in], [6, 6, 6]);
  socket.close();
});

Deno.test("Socket.fill: false at the peer's end, again and again", async () => {
  const { socket, peer } = setUp();
  await peer.closeWrite();
  assertEquals(await socket.fill(), false);
  assertEquals(await socket.fill(), false);
  assert(socket.ended);
  socket.close();
});

Deno.test("Socket.fill: starts at the front again once all is consumed", async () => {
  const { socket, peer } = setUp();
  await peer.write(bytesOf("first"));
  await socket.fill();
  socket.start = socket.end;
  await peer.write(bytesOf("second"));
  await socket.fill();
  assertEquals([socket.start, heldText(socket)], [HEADROOM, "second"]);
  socket.close();
});

Deno.test("Socket.fill: moves held bytes to the front where the buffer is full", async () => {
  const { socket, peer, buffers } = setUp();
  const room = socket.bytes.length - HEADROOM;
  await writeAll(peer, patternBytes(room));
  await socket.fill();
  assertEquals(socket.end, socket.bytes.length);
  const kept = socket.bytes.slice(-10);
  socket.start = socket.end - 10;
  await peer.write(bytesOf("more"));
  await socket.fill();
  assertEquals(socket.start, HEADROOM);
  assertEquals(socket.bytes.slice(HEADROOM, HEADROOM + 10), kept);
  assertEquals(socket.held, 14);
  assertEquals(buffers.medium.inUse, 0);
  socket.close();
});

Deno.test("Socket.fill: takes a larger buffer where a full one is all held", async () => {
  const fixture = setUp();
  const { socket, peer, buffers } = fixture;
  const sent = patternBytes(6_000);
  await writeAll(peer, sent);
  while (socket.held < sent.length) await socket.fill();
  assertEquals(
    socket.bytes.slice(socket.start, socket.end),
    sent,
  );
  assertEquals([buffers.small.inUse, buffers.medium.inUse], [0, 1]);
  socket.close();
  assertNothingLeft(fixture);
});

Deno.test("Socket.fill: grows for a stream that fills its buffers, shrinks when little comes", async () => {
  const fixture = setUp();
  const { socket, peer, buffers } = fixture;
  const writing = writeAll(peer, patternBytes(1 << 20));
  let taken = 0;
  const sizes = new Set<number>();
  while (taken < 1 << 20) {
    assert(await socket.fill());
    sizes.add(socket.bytes.length);
    taken += socket.held;
    socket.start = socket.end;
  }
  await writing;
  assert(sizes.has(buffers.medium.size), [...sizes].join());
  for (let i = 0; i < 2; i++) {
    await peer.write(bytesOf("x"));
    assert(await socket.fill());
    socket.start = socket.end;
  }
  assertEquals(socket.bytes.length, buffers.small.size);
  socket.close();
  assertNothingLeft(fixture);
});

Deno.test("Socket.fill: any split of the bytes arrives whole, whatever is consumed between", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 3_000 }),
      async (lengths, consume) => {
        const fixture = setUp();
        const { socket, peer } = fixture;
        const sent = patternBytes(lengths.reduce((a, b) => a + b, 0), 7);
        const writing = (async () => {
          let at = 0;
          for (const length of lengths) {
            await writeAll(peer, sent.subarray(at, at += length));
          }
          await peer.closeWrite();
        })();
        const got: number[] = [];
        while (await socket.fill()) {
          const count = Math.min(consume, socket.held);
          got.push(
            ...socket.bytes.subarray(socket.start, socket.start + count),
          );
          socket.start += count;
          // Nobody holds more than a large buffer.
          if (socket.held > 30_000) {
            got.push(...socket.bytes.subarray(socket.start, socket.end));
            socket.start = socket.end;
          }
        }
        got.push(...socket.bytes.subarray(socket.start, socket.end));
        await writing;
        assertEquals(new Uint8Array(got), sent);
        socket.close();
        assertNothingLeft(fixture);
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("Socket.fill: rejects after a close and takes no buffer", async () => {
  const fixture = setUp();
  const { socket, peer } = fixture;
  // A read that filled the buffer: the next one would want a larger one.
  await writeAll(peer, patternBytes(socket.bytes.length - HEADROOM));
  await socket.fill();
  socket.start = socket.end;
  socket.close();
  const error = await assertRejects(() => socket.fill(), ProxyError);
  assertEquals(error.code, "client_closed");
  assertNothingLeft(fixture);
});

Deno.test("Socket.fill: rejects where the socket is closed while it waits", async () => {
  const fixture = setUp();
  const waiting = assertRejects(() => fixture.socket.fill(), ProxyError);
  fixture.socket.abort(new ProxyError("shutting_down", "bye"));
  assertEquals((await waiting).code, "shutting_down");
  await settle();
  assertNothingLeft(fixture);
});

Deno.test("Socket.close: once, whoever calls it how often", () => {
  const conn = new MeanConn(1);
  const { socket } = setUp({ conn });
  let told = 0;
  socket.onClosed = () => told++;
  socket.close();
  socket.close();
  socket.abort(new ProxyError("internal", "late"));
  assertEquals([conn.closes, told], [1, 1]);
  assertEquals(socket.failure, undefined);
});

Deno.test("Socket.close: the buffer of a posted read stays out until that read has ended", async () => {
  const pending = Promise.withResolvers<number | null>();
  class SlowConn extends MeanConn {
    override read() {
      return pending.promise;
    }
  }
  const fixture = setUp({ conn: new SlowConn(1) });
  fixture.socket.post();
  fixture.socket.close();
  assertEquals(fixture.buffers.small.inUse, 1);
  pending.reject(new Deno.errors.Interrupted("closed"));
  await settle();
  assertNothingLeft(fixture);
});

Deno.test("Socket.closeWrite: ends our direction, the peer's goes on", async () => {
  const { socket, peer } = setUp();
  await socket.write(bytesOf("last"));
  await socket.closeWrite();
  assertEquals(textOf(await readAll(peer)), "last");
  await peer.write(bytesOf("still"));
  assert(await socket.fill());
  assertEquals(heldText(socket), "still");
  socket.close();
});

Deno.test("Socket.closeWrite: a peer that is gone is the reader's to see, a closed socket nobody's", async () => {
  const conn = new MeanConn(1);
  const { socket } = setUp({ conn });
  await socket.closeWrite();
  socket.close();
  await socket.closeWrite();
  assertEquals(conn.endings, 1);
});

Deno.test("Socket.pin: a pinned head stays in place while more is read", async () => {
  const fixture = setUp();
  const { socket, peer } = fixture;
  await peer.write(bytesOf("HEAD"));
  await socket.fill();
  const headBuffer = socket.bytes;
  socket.start = socket.end;
  socket.pin();
  await writeAll(peer, patternBytes(20_000));
  let taken = 0;
  while (taken < 20_000) {
    await socket.fill();
    taken += socket.held;
    socket.start = socket.end;
  }
  assertEquals(textOf(headBuffer.slice(HEADROOM, HEADROOM + 4)), "HEAD");
  assert(socket.bytes !== headBuffer);
  socket.unpin();
  socket.close();
  assertNothingLeft(fixture);
});

Deno.test("Socket.unpin: gives back what a close left to the head's reader", async () => {
  const fixture = setUp();
  const { socket, peer, buffers } = fixture;
  await peer.write(bytesOf("HEAD"));
  await socket.fill();
  socket.pin();
  socket.close();
  assertEquals(buffers.small.inUse, 1);
  assertEquals(heldText(socket), "HEAD");
  socket.unpin();
  socket.unpin();
  assertNothingLeft(fixture);
});

Deno.test("Socket.enlarge: keeps what is held; false where there is no larger buffer", async () => {
  const fixture = setUp();
  const { socket, peer, buffers } = fixture;
  await peer.write(bytesOf("held"));
  await socket.fill();
  assert(socket.enlarge());
  assertEquals([socket.bytes.length, heldText(socket)], [
    buffers.medium.size,
    "held",
  ]);
  assert(socket.enlarge());
  assertEquals(socket.bytes.length, buffers.large.size);
  assertEquals(socket.enlarge(), false);
  assertEquals(heldText(socket), "held");
  socket.close();
  assertNothingLeft(fixture);
});

Deno.test("Socket.enlarge: false where the large buffers are all out", () => {
  const { socket, buffers } = setUp({ buffer: "medium" });
  while (!buffers.large.exhausted) buffers.large.take();
  assertEquals(socket.enlarge(), false);
  assertEquals(socket.bytes.length, buffers.medium.size);
  socket.close();
});

Deno.test("Socket.enlarge: throws after a close and takes no buffer", () => {
  const fixture = setUp();
  fixture.socket.close();
  assertThrows(() => fixture.socket.enlarge(), ProxyError, "closed");
  fixture.socket.shrink();
  assertNothingLeft(fixture);
});

Deno.test("Socket.shrink: back to the smallest buffer, but not under held bytes, a pinned head or a posted read", async () => {
  const fixture = setUp();
  const { socket, peer, buffers } = fixture;
  const size = () => socket.bytes.length;
  socket.enlarge();
  await peer.write(bytesOf("held"));
  await socket.fill();
  socket.shrink();
  assertEquals(size(), buffers.medium.size);
  socket.start = socket.end;
  socket.pin();
  socket.shrink();
  assertEquals(size(), buffers.medium.size);
  socket.unpin();
  socket.post();
  socket.shrink();
  assertEquals(size(), buffers.medium.size);
  await peer.write(bytesOf("x"));
  await socket.fill();
  socket.start = socket.end;
  socket.shrink();
  assertEquals(size(), buffers.small.size);
  socket.close();
  assertNothingLeft(fixture);
});

Deno.test("Socket.post: tells of bytes before whoever waits goes on", async () => {
  const { socket, peer } = setUp();
  const order: string[] = [];
  socket.onReadable = () => order.push("readable");
  socket.post();
  socket.post();
  const filled = socket.fill().then(() => order.push("filled"));
  await peer.write(bytesOf("x"));
  await filled;
  assertEquals(order, ["readable", "filled"]);
  assertEquals(heldText(socket), "x");
  socket.close();
});

Deno.test("Socket.post: tells of a reset, not of its own close", async () => {
  const reset = Promise.withResolvers<number | null>();
  class ResetConn extends MeanConn {
    override read() {
      return reset.promise;
    }
  }
  for (const close of [false, true]) {
    const { socket } = setUp({ conn: new ResetConn(1) });
    let lost = 0;
    socket.onLost = () => lost++;
    socket.post();
    if (close) socket.close();
    else reset.reject(new Deno.errors.ConnectionReset("reset"));
    await settle();
    assertEquals(lost, close ? 0 : 1);
    socket.close();
  }
});

Deno.test("Socket.post: does nothing where no room is free", async () => {
  const { socket, peer } = setUp();
  await writeAll(peer, patternBytes(10_000));
  await socket.fill();
  assertEquals(socket.end, socket.bytes.length);
  socket.post();
  assertEquals(socket.bytesIn, socket.bytes.length - HEADROOM);
  socket.start = socket.end;
  assert(await socket.fill());
  socket.close();
});

Deno.test("Socket.armRead: ends a read that comes too late with the code, and closes", async () => {
  const fixture = setUp();
  const { socket, clock } = fixture;
  socket.armRead(1_000, "request_timeout");
  const waiting = assertRejects(() => socket.fill(), ProxyError);
  clock.advance(1_000);
  assertEquals(socket.closed, false);
  clock.advance(200);
  assertEquals((await waiting).code, "request_timeout");
  assert(socket.closed);
  await settle();
  assertNothingLeft(fixture);
});

Deno.test("Socket.disarmRead: the read may wait for ever", async () => {
  const { socket, clock, peer } = setUp();
  socket.armRead(1_000, "request_timeout");
  const filled = socket.fill();
  socket.disarmRead();
  clock.advance(1e9);
  await peer.write(bytesOf("x"));
  assert(await filled);
  socket.close();
});

Deno.test("Socket.limitWrites: ends a write that gets nothing through with the code", async () => {
  const fixture = setUp();
  const { socket, clock } = fixture;
  socket.limitWrites(1_000, "client_write_timeout");
  const writing = assertRejects(
    () => socket.write(patternBytes(1 << 20)),
    ProxyError,
  );
  await settle();
  clock.advance(1_200);
  assertEquals((await writing).code, "client_write_timeout");
  assert(socket.closed);
  assertNothingLeft(fixture);
});

Deno.test("Socket.deadline: the earlier of both directions counts, and is told as itself", async () => {
  for (
    const [read, write, code] of [
      [5_000, 1_000, "client_write_timeout"],
      [1_000, 5_000, "request_timeout"],
    ] as const
  ) {
    const { socket, clock } = setUp();
    socket.armRead(read, "request_timeout");
    socket.limitWrites(write, "client_write_timeout");
    const writing = assertRejects(
      () => socket.write(patternBytes(1 << 20)),
      ProxyError,
    );
    await settle();
    clock.advance(1_200);
    assertEquals((await writing).code, code);
  }
});

Deno.test("Socket.fillInterruptibly: a deadline ends the wait and not the connection", async () => {
  const fixture = setUp();
  const { socket, clock, peer } = fixture;
  socket.armRead(1_000, "request_timeout");
  const waiting = assertRejects(() => socket.fillInterruptibly(), ProxyError);
  clock.advance(1_200);
  assertEquals((await waiting).code, "request_timeout");
  assertEquals(socket.closed, false);
  await socket.write(bytesOf("408"));
  assertEquals(textOf(await readExactly(peer, 3)), "408");
  // The read is still posted: its bytes are not lost.
  await peer.write(bytesOf("late"));
  assert(await socket.fill());
  assertEquals(heldText(socket), "late");
  socket.close();
  assertNothingLeft(fixture);
});

Deno.test("Socket.interruptRead: releases who waits, with the reason", async () => {
  const { socket, peer } = setUp();
  const waiting = assertRejects(() => socket.fillInterruptibly(), ProxyError);
  socket.interruptRead(new ProxyError("client_closed", "not wanted"));
  assertEquals((await waiting).message, "not wanted");
  await peer.write(bytesOf("x"));
  assert(await socket.fillInterruptibly());
  socket.interruptRead(new ProxyError("client_closed", "nobody waits"));
  socket.close();
});

Deno.test("Socket.watchAfter: posts a read after a while, so that a reset is noticed", async () => {
  let reads = 0;
  class CountingConn extends MeanConn {
    override read() {
      reads++;
      return Promise.reject(new Deno.errors.ConnectionReset("reset"));
    }
  }
  const { socket, clock } = setUp({ conn: new CountingConn(1) });
  let lost = 0;
  socket.onLost = () => lost++;
  socket.watchAfter(200);
  clock.advance(200);
  assertEquals(reads, 0);
  clock.advance(200);
  await settle();
  assertEquals([reads, lost, socket.closed], [1, 1, false]);
  socket.close();
});

Deno.test("Socket.abort: pending and later reads and writes reject with the reason", async () => {
  const { socket } = setUp();
  const reason = new ProxyError("shutting_down", "bye");
  const reading = assertRejects(() => socket.fill(), ProxyError);
  socket.abort(reason);
  assert(await reading === reason);
  assert(await assertRejects(() => socket.write(bytesOf("x"))) === reason);
  assert(socket.failure === reason);
});

Deno.test("Socket.settle: waits with the tiniest buffer while little comes, with a small one while it talks", async () => {
  const fixture = setUp();
  const { socket, peer, buffers, clock } = fixture;
  const { tiny, small } = buffers;
  socket.settle();
  const say = async (bytes: number) => {
    await peer.write(new Uint8Array(bytes));
    let left = bytes;
    while (left > 0) {
      await socket.fill();
      left -= socket.held;
      socket.start = socket.end;
    }
    socket.fill().catch(() => {});
    return socket.bytes.length;
  };
  assertEquals(await say(100), tiny.size);
  assertEquals(await say(20_000), tiny.size, "all in one sweep");
  clock.advance(100);
  assertEquals(await say(100), small.size, "again in the next one");
  assertEquals(await say(10), small.size, "a Pong between is no silence");
  for (let i = 0; i < 5; i++) clock.advance(100);
  assertEquals(await say(10), tiny.size, "a Pong after a silence");
  socket.close();
  await settle();
  assertNothingLeft(fixture);
});

Deno.test("Socket.armRest: tells of a rest after a second, and ends the read when its whole time is over", async () => {
  const { clock, socket } = setUp();
  let rests = 0;
  socket.armRest(10_000, "client_idle", { rests: () => rests++ });
  const read = assertRejects(() => socket.fill(), ProxyError);
  clock.advance(900);
  assertEquals(rests, 0);
  clock.advance(400);
  assertEquals([rests, socket.closed], [1, false]);
  clock.advance(8_600);
  assertEquals([rests, socket.closed], [1, false]);
  clock.advance(400);
  assertEquals([rests, (await read).code], [1, "client_idle"]);
  socket.close();
});

Deno.test("Socket.armRest: who reads within a second does not rest", async () => {
  const { clock, peer, socket } = setUp();
  let rests = 0;
  socket.armRest(10_000, "client_idle", { rests: () => rests++ });
  await peer.write(bytesOf("GET"));
  await socket.fill();
  socket.disarmRead();
  clock.advance(20_000);
  assertEquals([rests, socket.closed], [0, false]);
  socket.close();
});

Deno.test("Socket.shrinkForRest: the next read is of the smallest buffer, the ones behind it are not", async () => {
  const { buffers, peer, socket } = setUp();
  await peer.write(bytesOf("a"));
  await socket.fill();
  socket.start = socket.end;
  socket.shrinkForRest();
  const read = socket.fill();
  assertEquals([buffers.tiny.inUse, buffers.small.inUse], [1, 0]);
  await peer.write(patternBytes(1_000));
  await read;
  assertEquals(socket.held, buffers.tiny.size - HEADROOM);
  socket.enlarge();
  await socket.fill();
  assertEquals(socket.held, 1_000);
  assertEquals([buffers.tiny.inUse, buffers.small.inUse], [0, 1]);
  socket.close();
});
