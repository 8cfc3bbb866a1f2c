import { ProxyError } from "../../../core/errors.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import type { BackendConnection, WsClosure } from "../../../core/plugin.ts";
import { ChannelLink } from "../../../core/websocket/channel_link.ts";
import { DialChannels } from "../../../core/websocket/dial_channels.ts";
import type { LinkEnd } from "../../../core/websocket/link.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { bytesOf, textOf } from "../../support/byte_streams.ts";
import { FakeClock } from "../../support/clock.ts";
import { message } from "../../support/fake_dialer.ts";

const TAKE_TIMEOUT = 30_000;

/** A link whose session and dialer are the test. */
function stage(connection: Partial<BackendConnection> = {}) {
  const clock = new FakeClock();
  const channels = new DialChannels(1_000);
  const calls: string[] = [];
  const failures: string[] = [];
  const link = new ChannelLink(
    {
      id: "c",
      backendId: "b",
      start: () => void calls.push("start"),
      close: () => void calls.push("close"),
      ...connection,
    },
    channels,
    {
      deadlines: new Deadlines(clock),
      takeTimeout: TAKE_TIMEOUT,
      failed: (call) => failures.push(call),
      over: () => calls.push("over"),
    },
  );
  const told: string[] = [];
  let end: LinkEnd | undefined;
  let blocking: Promise<void> | undefined;
  return {
    clock,
    calls,
    failures,
    told,
    link,
    dialer: { from: channels.fromFrontend, to: channels.sender },
    get end() {
      return end;
    },
    /** The session waits for this after each batch. */
    block(promise: Promise<void> | undefined) {
      blocking = promise;
    },
    start() {
      link.start({
        message: (kind, bytes, start, end) =>
          told.push(`${kind} ${textOf(bytes.subarray(start, end))}`),
        pong: (bytes, start, end) =>
          told.push(`pong ${textOf(bytes.subarray(start, end))}`),
        batchEnd: () => {
          told.push("batch");
          return blocking;
        },
        ended: (said) => end = said,
      });
    },
    send(text: string, kind: 1 | 2 = 1) {
      const bytes = bytesOf(`<${text}>`);
      link.send(kind, bytes, 1, bytes.length - 1);
    },
    async settle() {
      for (let i = 0; i < 20; i++) await Promise.resolve();
    },
    /** What the dialer can take at once. */
    async take(count: number): Promise<string[]> {
      const texts: string[] = [];
      for (let i = 0; i < count; i++) {
        const item = await channels.fromFrontend.receive();
        texts.push(
          item === undefined
            ? "nothing"
            : item.type === 32
            ? `closure ${item.code} ${item.reason}`
            : `${item.type} ${textOf(item.data)}`,
        );
      }
      return texts;
    },
    untaken(): string[] {
      const texts: string[] = [];
      link.giveBack((kind, bytes, start, end) => {
        texts.push(`${kind} ${textOf(bytes.subarray(start, end))}`);
      });
      return texts;
    },
  };
}

Deno.test("ChannelLink: messages go both ways with their kinds, in batches", async () => {
  const s = stage();
  s.start();
  s.send("a");
  s.send("b", 2);
  assertEquals(s.link.buffered, 2);
  assertEquals(await s.take(2), ["1 a", "2 b"]);
  assertEquals(s.link.buffered, 0);
  s.dialer.to.send(message("c"));
  s.dialer.to.send(message("d", 2));
  assertEquals(s.told, []);
  await s.settle();
  assertEquals(s.told, ["1 c", "2 d", "batch"]);
  s.link.abort(new ProxyError("client_closed", "over"));
  assertEquals(s.calls, ["start", "close", "over"]);
});

Deno.test("ChannelLink: the dialer iterates up to the closure", async () => {
  const s = stage();
  s.start();
  s.send("a");
  s.link.close(4000, "bye");
  s.send("ignored");
  const items: unknown[] = [];
  for await (const item of s.dialer.from) {
    items.push(item.type === 32 ? item : textOf(item.data));
  }
  assertEquals(items, ["a", { type: 32, code: 4000, reason: "bye" }]);
  s.link.abort(new ProxyError("client_closed", "over"));
});

Deno.test("ChannelLink: it starts with the first use, and what the dialer said before waits", async () => {
  const s = stage();
  await s.dialer.to.send(message("early"));
  await s.settle();
  assertEquals([s.calls, s.told], [[], []]);
  s.send("a");
  assertEquals(s.calls, ["start"]);
  await s.settle();
  assertEquals(s.told, []);
  s.start();
  await s.settle();
  assertEquals([s.calls, s.told], [["start"], ["1 early", "batch"]]);
  s.link.abort(new ProxyError("client_closed", "over"));
});

Deno.test("ChannelLink: one that nobody wants is closed and never started", async () => {
  const s = stage();
  s.link.abort(new ProxyError("client_closed", "not wanted"));
  s.link.abort(new ProxyError("client_closed", "not wanted"));
  assertEquals(s.calls, ["close", "over"]);
  assertEquals(await s.take(1), ["nothing"]);
  await s.dialer.to.send(message("ignored"));
  s.start();
  await s.settle();
  assertEquals([s.calls, s.told], [["close", "over"], []]);
  assertEquals([s.end?.code, s.end?.failed], [1006, true]);
});

Deno.test("ChannelLink: more than ten messages that nobody takes hold the client back", async () => {
  const s = stage();
  s.start();
  for (let i = 0; i < 10; i++) s.send(`${i}`);
  assertEquals(s.link.flush(), undefined);
  s.send("10");
  let flushed = false;
  s.link.flush()!.then(() => flushed = true);
  await s.settle();
  assert(!flushed);
  await s.take(1);
  await s.settle();
  assert(flushed);
  s.link.abort(new ProxyError("client_closed", "over"));
});

Deno.test("ChannelLink: a slow client holds the dialer back", async () => {
  const s = stage();
  s.start();
  const slow = Promise.withResolvers<void>();
  s.block(slow.promise);
  await s.dialer.to.send(message("first"));
  await s.settle();
  assertEquals([s.told, s.link.listening], [["1 first", "batch"], false]);
  for (let i = 0; i < 10; i++) {
    assertEquals(await s.dialer.to.send(message(`${i}`)), undefined);
  }
  let sent = false;
  const waiting = s.dialer.to.send(message("10")).then(() => sent = true);
  await s.settle();
  assertEquals([sent, s.told.length], [false, 2]);
  s.block(undefined);
  slow.resolve();
  await waiting;
  await s.settle();
  assertEquals([s.told.length, s.link.listening], [14, true]);
  s.link.abort(new ProxyError("client_closed", "over"));
});

Deno.test("ChannelLink: a Ping is answered once all before it was taken", async () => {
  const s = stage();
  s.start();
  s.link.ping(bytesOf("nothing before"));
  await s.settle();
  assertEquals(s.told.splice(0), ["pong nothing before"]);
  s.send("a");
  s.send("b");
  s.link.ping(bytesOf("two"));
  s.send("c");
  s.link.ping(bytesOf("three"));
  await s.take(1);
  await s.settle();
  assertEquals(s.told, []);
  await s.take(1);
  await s.settle();
  assertEquals(s.told.splice(0), ["pong two"]);
  await s.take(1);
  await s.settle();
  assertEquals(s.told, ["pong three"]);
  s.link.abort(new ProxyError("client_closed", "over"));
});

Deno.test("ChannelLink: closes in order, what the dialer still sends is given, then it is over", async () => {
  const s = stage();
  s.start();
  s.send("a");
  s.link.close(1000, "");
  s.link.close(1001, "again");
  s.dialer.to.send(message("last"));
  await s.settle();
  assertEquals([s.told, s.end], [["1 last", "batch"], undefined]);
  assertEquals(await s.take(2), ["1 a", "closure 1000 "]);
  s.dialer.to.send({ type: 32 });
  s.dialer.to.send(message("too late"));
  await s.settle();
  assertEquals(s.told.length, 3);
  assertEquals(s.end, { code: 1000, reason: "", error: undefined });
  assertEquals(s.calls, ["start", "close", "over"]);
  assertEquals([s.untaken(), s.clock.pending], [[], 0]);
});

Deno.test("ChannelLink: what a Close said is told: no code as none, one that is not for the wire as 1001", async () => {
  const cases: [number, string, string][] = [
    [1000, "x", "closure 1000 x"],
    [4999, "", "closure 4999 "],
    [1005, "", "closure undefined undefined"],
    [1006, "", "closure 1001 The client is gone"],
    [1006, "broken frame", "closure 1001 broken frame"],
    [1015, "", "closure 1001 "],
  ];
  for (const [code, reason, said] of cases) {
    const s = stage();
    s.start();
    s.link.close(code, reason);
    assertEquals(await s.take(2), [said, "nothing"]);
    s.link.abort(new ProxyError("client_closed", "over"));
  }
});

Deno.test("ChannelLink: how the dialer ended it", async () => {
  const cases: [WsClosure, number, string, boolean | undefined][] = [
    [{ type: 32 }, 1000, "", undefined],
    [{ type: 32, code: 1012, reason: "restart" }, 1012, "restart", undefined],
    [{ type: 64 }, 1006, "", true],
    [{ type: 64, code: 1000, reason: "reset" }, 1000, "reset", true],
  ];
  for (const [closure, code, reason, failed] of cases) {
    const s = stage();
    s.start();
    s.dialer.to.send(message("before"));
    await s.dialer.to.send(closure);
    await s.settle();
    assertEquals(s.told, ["1 before", "batch"]);
    const { end } = s;
    assertEquals([end?.code, end?.reason, end?.failed], [code, reason, failed]);
    assertEquals(end?.error?.code, failed ? "backend_closed" : undefined);
    assertEquals(s.clock.pending, 0);
  }
});

Deno.test("ChannelLink: does not wait for ever for the dialer's end", async () => {
  const s = stage();
  s.start();
  s.link.close(1000, "");
  await s.take(1);
  s.clock.advance(4_900);
  assertEquals(s.end, undefined);
  s.clock.advance(500);
  await s.settle();
  assertEquals(s.end?.error?.code, "backend_silent");
  assertEquals([s.calls, s.clock.pending], [["start", "close", "over"], 0]);
});

Deno.test("ChannelLink: a dialer that takes nothing for too long has failed, one that has nothing to take has not", async () => {
  const s = stage();
  s.start();
  s.clock.advance(10 * TAKE_TIMEOUT);
  assertEquals(s.end, undefined);
  s.send("a");
  s.send("b");
  s.clock.advance(TAKE_TIMEOUT - 1_000);
  await s.take(1);
  s.clock.advance(TAKE_TIMEOUT - 1_000);
  await s.settle();
  assertEquals(s.end, undefined);
  s.clock.advance(2_000);
  await s.settle();
  assertEquals([s.end?.error?.code, s.end?.failed], ["backend_silent", true]);
  assertEquals(s.untaken(), ["1 b"]);
});

Deno.test("ChannelLink: gives back what was not taken, in order, once", async () => {
  const s = stage();
  s.start();
  for (const text of ["a", "b", "c"]) s.send(text);
  s.send("d", 2);
  assertEquals(await s.take(1), ["1 a"]);
  await s.dialer.to.send({ type: 64 });
  await s.settle();
  assertEquals(s.end?.failed, true);
  assertEquals(s.untaken(), ["1 b", "1 c", "2 d"]);
  assertEquals(s.untaken(), []);
  assertEquals(await s.take(1), ["nothing"]);
});

Deno.test("ChannelLink: a start that fails is an end, a close that fails is told", async () => {
  const fails = () => {
    throw new Error("a bug");
  };
  for (const start of [fails, () => Promise.reject(new Error("a bug"))]) {
    const s = stage({ start, close: fails });
    s.start();
    await s.settle();
    assertEquals(s.failures, ["start", "close"]);
    assertEquals([s.end?.failed, s.end?.error?.code], [true, "handler_error"]);
  }
});

Deno.test("ChannelLink: refuses what is no message, and sends none of it", async () => {
  const s = stage();
  s.start();
  const wrong: unknown[] = [
    undefined,
    null,
    {},
    { type: 3, data: bytesOf("x") },
    { type: 1 },
    { type: 1, data: "text" },
    { type: 1, data: new Uint8Array([0xc3]) },
    { type: 32, code: 999 },
    { type: 64, code: "1000" },
    { type: 32, reason: 1 },
  ];
  for (const item of wrong) {
    await assertRejects(() => s.dialer.to.send(item as never), TypeError);
  }
  const large = { type: 2 as const, data: new Uint8Array(1_001) };
  await assertRejects(() => s.dialer.to.send(large), RangeError);
  await s.dialer.to.send(message("x".repeat(1_000)));
  await s.settle();
  assertEquals(s.told.length, 2);
  s.link.abort(new ProxyError("client_closed", "over"));
});

Deno.test("ChannelLink: an abort while the client is slow is told at once", async () => {
  const s = stage();
  s.start();
  const slow = Promise.withResolvers<void>();
  s.block(slow.promise);
  await s.dialer.to.send(message("a"));
  await s.settle();
  await s.dialer.to.send(message("b"));
  s.link.abort(new ProxyError("backend_silent", "left"));
  await s.settle();
  assertEquals(s.end?.error?.code, "backend_silent");
  slow.resolve();
  await s.settle();
  assertEquals(s.told, ["1 a", "batch"]);
});
