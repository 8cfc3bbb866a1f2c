/**
 * WebSocket sessions over a dialer's connections: messages, ends, failover.
 *
 * @module
 */
import type { BackendDialer } from "../../core/plugin.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  dialerPlugin,
  failuresOf,
  handshake,
  startDialing,
} from "../support/dialer_proxy.ts";
import { eventually, inTime, stalled } from "../support/eventually.ts";
import { FakeDialer } from "../support/fake_dialer.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { startPlane } from "../support/plane.ts";
import {
  FrameTexts,
  maskedFrame,
  maskedTexts,
  textFor,
} from "../support/raw_frames.ts";
import { WebSocketClient } from "../support/websocket_backend.ts";

/** For so many milliseconds. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

Deno.test("dialer: messages go both ways, and a client's Close arrives with its code and reason", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startDialing(dialer);
  await using client = await WebSocketClient.open(proxy.url("/a?b"));
  assertEquals(await client.ask("hi"), "b1:hi");
  const large = "x".repeat(300_000);
  assertEquals(await client.ask(large), `b1:${large}`);
  const [connection] = dialer.connections;
  await connection!.say("unasked");
  assertEquals((await client.until(3))[2], "unasked");
  client.socket.close(4001, "bye");
  assertEquals((await client.closed).code, 4001);
  await inTime("its end", connection!.done);
  assertEquals(
    [connection!.closure, connection!.started, connection!.closed],
    [{ type: 32, code: 4001, reason: "bye" }, 1, 1],
  );
});

Deno.test("dialer: a client that is lost is a normal closure with 1001, one without a code has none", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startDialing(dialer);
  const raw = await HttpClient.connect(proxy.port());
  await raw.send(handshake());
  assertEquals((await raw.response()).status, 101);
  raw.close();
  const first = await dialer.connection(1);
  await inTime("its end", first.done);
  assertEquals(first.closure, {
    type: 32,
    code: 1001,
    reason: "The client is gone",
  });
  using second = await HttpClient.connect(proxy.port());
  await second.send(handshake());
  assertEquals((await second.response()).status, 101);
  // A masked Close without a payload.
  await second.send(new Uint8Array([0x88, 0x80, 1, 2, 3, 4]));
  const closing = await dialer.connection(2);
  await inTime("its end", closing.done);
  assertEquals(closing.closure, { type: 32 });
});

Deno.test("dialer: one that fails is replaced, the client stays, and it learns of the old one", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startDialing(dialer);
  await using client = await WebSocketClient.open(proxy.url("/x?y"));
  assertEquals(await client.ask("1"), "b1:1");
  const [first] = dialer.connections;
  await first!.fail("gone");
  const second = await dialer.connection(2);
  assertEquals(await client.ask("2"), "b2:2");
  assertEquals(
    [
      first!.closed,
      second.context.oldConnection === first,
      second.context.leaving,
      second.context.headers.get("x-balancer-reconnect"),
      second.context.headers.get("x-headrace-replayed"),
    ],
    [1, true, "b1", "1", null],
  );
  const { metrics } = await proxy.report();
  const value = (name: string, labels: Record<string, string>) =>
    metricValue(metrics, `headrace_websocket_${name}`, labels);
  assertEquals(
    [
      value("sessions_open", { cluster: "main", backend: "b2" }),
      value("sessions_open", { cluster: "main", backend: "b1" }),
      value("failovers_total", { cluster: "main", reason: "lost" }),
    ],
    [1, 0, 1],
  );
});

Deno.test("dialer: what a lost connection did not take goes to the next one, in order, once", async () => {
  const dialer = new FakeDialer();
  dialer.answer = () => null;
  await using proxy = await startDialing(dialer);
  await using client = await WebSocketClient.open(proxy.url());
  const first = await dialer.connection(1);
  const resume = Promise.withResolvers<void>();
  client.send("0");
  await eventually("the first message", () => first.got.length === 1);
  first.pause = resume.promise;
  for (let i = 1; i <= 40; i++) client.send(String(i));
  // One more is taken by whoever waits already.
  await eventually("one more", () => first.got.length === 2);
  await first.fail();
  const second = await dialer.connection(2);
  for (let i = 41; i <= 50; i++) client.send(String(i));
  await eventually("all the others", () => second.got.at(-1) === "50");
  resume.resolve();
  await first.done;
  const all = Array.from({ length: 51 }, (_, i) => String(i));
  assertEquals([...first.got, ...second.got], all);
});

Deno.test("dialer: a normal closure reaches the client, without a code as 1000, with an abnormal code it fails over", async () => {
  const cases = [
    [{ type: 32 }, 1000, ""],
    [{ type: 32, code: 4000, reason: "why" }, 4000, "why"],
  ] as const;
  for (const [closure, code, reason] of cases) {
    const dialer = new FakeDialer();
    await using proxy = await startDialing(dialer);
    await using client = await WebSocketClient.open(proxy.url());
    await (await dialer.connection(1)).context.toFrontend.send(closure);
    assertEquals(await inTime("a Close", client.closed), { code, reason });
    await eventually("its end", () => dialer.connections[0]!.closed === 1);
  }
  const dialer = new FakeDialer();
  await using proxy = await startDialing(dialer);
  await using client = await WebSocketClient.open(proxy.url());
  const first = await dialer.connection(1);
  await first.context.toFrontend.send({ type: 32, code: 1012 });
  assertEquals(await client.ask("1"), "b2:1");
});

Deno.test("dialer: 64 fails over whatever the cluster's abnormal codes are", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startDialing(dialer, {
    cluster: { websocket: { abnormalCodes: [1012] } },
  });
  await using client = await WebSocketClient.open(proxy.url());
  await (await dialer.connection(1)).fail();
  assertEquals(await client.ask("1"), "b2:1");
});

Deno.test("dialer: 10,000 messages in order, both sides slow", async () => {
  const dialer = new FakeDialer();
  const total = 10_000;
  // Bursts of pauses: the backend takes nothing, the client reads nothing.
  let taken = 0;
  dialer.answer = async (text) => {
    if (++taken % 1_000 === 0) await pause(5);
    return text;
  };
  await using proxy = await startDialing(dialer);
  using client = await HttpClient.connect(proxy.port());
  await client.send(handshake());
  assertEquals((await client.response()).status, 101);
  const sending = (async () => {
    for (let first = 0; first < total; first += 500) {
      await client.send(maskedTexts(first, first + 500));
    }
  })();
  const reader = new FrameTexts();
  const chunk = new Uint8Array(8 << 10);
  for (let reads = 0; reader.texts.length < total; reads++) {
    const count = await client.conn.read(chunk);
    assert(count !== null, `an end after ${reader.texts.length}`);
    reader.push(chunk.subarray(0, count));
    if (reads % 20 === 0) await pause(2);
  }
  await sending;
  const all = Array.from({ length: total }, (_, i) => textFor(i));
  assertEquals(reader.texts, all);
  assertEquals(dialer.connections[0]!.got, all);
});

Deno.test("dialer: a backend that takes nothing holds its client back, and loses nothing", async () => {
  const dialer = new FakeDialer();
  dialer.answer = () => null;
  await using plane = await startPlane({
    cluster: { dialer: "fake" },
    plugins: [dialerPlugin(dialer)],
  });
  using client = await HttpClient.connect(plane.port);
  await client.send(handshake());
  await client.response();
  const connection = await dialer.connection(1);
  const resume = Promise.withResolvers<void>();
  connection.pause = resume.promise;
  // 64 MiB: far more than all buffers on the way.
  const frame = maskedFrame("x".repeat(60_000));
  let sent = 0;
  const sending = (async () => {
    for (; sent < 1_000; sent++) await client.send(frame);
  })();
  await stalled(() => sent);
  const [session] = plane.plane.websockets.values();
  assert(sent < 600, `${sent} of 1,000 were taken`);
  assert(session!.proxy.buffered < 2 << 20, `${session!.proxy.buffered} bytes`);
  resume.resolve();
  await sending;
  await eventually("all messages", () => connection.got.length === 1_000);
});

Deno.test("dialer: a client that reads nothing holds its backend back", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startDialing(dialer);
  using client = await HttpClient.connect(proxy.port());
  await client.send(handshake());
  await client.response();
  const connection = await dialer.connection(1);
  await eventually("its start", () => connection.started === 1);
  const text = "x".repeat(60_000);
  let sent = 0;
  const saying = (async () => {
    for (; sent < 1_000; sent++) await connection.say(text);
  })();
  await stalled(() => sent);
  assert(sent < 600, `${sent} of 1,000 were taken`);
  const reader = new FrameTexts();
  const chunk = new Uint8Array(64 << 10);
  while (reader.count < 1_000) {
    const count = await client.conn.read(chunk);
    assert(count !== null);
    reader.push(chunk.subarray(0, count));
  }
  await saying;
});

Deno.test("dialer: a start that fails is a lost backend, a close that fails is only counted", async () => {
  const dialer = new FakeDialer();
  const made: string[] = [];
  const failing: BackendDialer = {
    async dialUpstream(context) {
      const connection = await dialer.dialUpstream(context);
      const { backendId } = connection;
      made.push(backendId);
      if (backendId === "b1") {
        connection.start = () => {
          throw new Error("no start");
        };
      } else if (backendId === "b2") {
        connection.start = () => Promise.reject(new Error("no start")) as never;
      } else {
        connection.close = () => {
          throw new Error("no close");
        };
      }
      return connection;
    },
  };
  await using proxy = await startDialing(failing);
  const client = await WebSocketClient.open(proxy.url());
  assertEquals(await inTime("an answer", client.ask("1")), "b3:1");
  await client[Symbol.asyncDispose]();
  await eventually(
    "a failed close",
    async () => await failuresOf(proxy, "close") === 1,
  );
  assertEquals(await failuresOf(proxy, "start"), 2);
});
