import type { ByteConn } from "../../../core/net/byte_conn.ts";
import type { Socket } from "../../../core/net/socket.ts";
import { OPCODE } from "../../../core/websocket/frame_header.ts";
import { FrameQueue } from "../../../core/websocket/frame_queue.ts";
import { FrameReader } from "../../../core/websocket/frame_reader.ts";
import type { LinkEnd } from "../../../core/websocket/link.ts";
import { WebSocketLink } from "../../../core/websocket/websocket_link.ts";
import { Buffers } from "../../../core/net/buffer_pool.ts";
import { closePayload } from "../../../core/websocket/close_payload.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { bytesOf, textOf } from "../../support/byte_streams.ts";
import { inTime } from "../../support/eventually.ts";
import { pipedSocket } from "../../support/piped_socket.ts";

/** The other end of a link's pipe: frames by hand. */
class Peer {
  readonly frames: [number, string][] = [];
  readonly #conn: ByteConn;
  readonly #queue: FrameQueue;
  readonly #reader: FrameReader;
  readonly #buffer = new Uint8Array(1 << 20);
  #end = 0;

  constructor(conn: ByteConn, side: "client" | "server") {
    this.#conn = conn;
    this.#queue = new FrameQueue(new Buffers(), { masked: side === "client" });
    const take = (
      opcode: number,
      bytes: Uint8Array,
      start: number,
      end: number,
    ) => {
      const payload = bytes.slice(start, end);
      this.frames.push([
        opcode,
        opcode === OPCODE.close && payload.length >= 2
          ? `${payload[0]! << 8 | payload[1]!} ${textOf(payload.subarray(2))}`
          : textOf(payload),
      ]);
    };
    this.#reader = new FrameReader({ message: take, control: take }, {
      sender: side === "client" ? "server" : "client",
      maxMessage: 1 << 24,
    });
  }

  async raw(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) at += await this.#conn.write(bytes.subarray(at));
  }

  async send(...frames: [number, string | Uint8Array][]): Promise<void> {
    for (const [opcode, payload] of frames) {
      const bytes = typeof payload === "string" ? bytesOf(payload) : payload;
      this.#queue.add(opcode, bytes, 0, bytes.length);
    }
    for (let out = this.#queue.take(); out; out = this.#queue.take()) {
      await this.raw(out.bytes.subarray(0, out.end));
    }
  }

  /** Reads until so many frames are there; fewer at the end of the connection. */
  async read(count: number): Promise<[number, string][]> {
    while (this.frames.length < count) {
      const got = await this.#conn.read(this.#buffer.subarray(this.#end));
      if (got === null) break;
      this.#end += got;
      const start = this.#reader.read(this.#buffer, 0, this.#end, 1 << 20);
      this.#buffer.copyWithin(0, start, this.#end);
      this.#end -= start;
    }
    return this.frames.splice(0, count);
  }

  async readEnd(): Promise<boolean> {
    return await this.#conn.read(this.#buffer) === null;
  }

  close(): void {
    this.#conn.close();
  }
}

function linked(peer: "client" | "server" = "client", maxMessage = 1 << 20) {
  const piped = pipedSocket(
    peer === "client" ? "client_closed" : "backend_closed",
  );
  const { socket, buffers, deadlines, clock } = piped;
  const link = new WebSocketLink(socket, {
    peer,
    buffers,
    deadlines,
    maxMessage,
    pingInterval: 20_000,
    pongTimeout: 10_000,
    writeTimeout: 30_000,
  });
  const messages: string[] = [];
  const pongs: string[] = [];
  const ended = Promise.withResolvers<LinkEnd>();
  let hold: Promise<void> | undefined;
  link.start({
    message: (kind, bytes, start, end) =>
      messages.push(`${kind} ${textOf(bytes.subarray(start, end))}`),
    pong: (bytes, start, end) => pongs.push(textOf(bytes.subarray(start, end))),
    batchEnd: () => hold,
    ended: (end) => ended.resolve(end),
  });
  return {
    piped,
    link,
    clock,
    socket: socket as Socket,
    peer: new Peer(piped.peer, peer),
    messages,
    pongs,
    ended: ended.promise,
    holdBack(promise: Promise<void> | undefined) {
      hold = promise;
    },
    /** Everything is given back in the end. */
    async over() {
      await inTime("the link's end", link.done);
      await Promise.resolve();
      assertEquals([piped.taken, clock.pending], [0, 0]);
    },
  };
}

for (const side of ["client", "server"] as const) {
  Deno.test(`WebSocketLink to a ${side}: messages of every length pass both ways`, async () => {
    const l = linked(side);
    const lengths = [0, 1, 125, 126, 4_000, 40_000, 65_535, 65_536, 300_000];
    for (const length of lengths) {
      const text = "x".repeat(length);
      const sent = l.peer.send([OPCODE.text, text]);
      const bytes = bytesOf(text);
      l.link.send(2, bytes, 0, bytes.length);
      const flushed = l.link.flush();
      assertEquals((await l.peer.read(1))[0], [OPCODE.binary, text]);
      await flushed;
      await sent;
    }
    await l.peer.send([OPCODE.close, closePayload(1000, "done")]);
    assertEquals(await l.ended, {
      code: 1000,
      reason: "done",
      error: undefined,
    });
    assertEquals(l.messages, lengths.map((n) => `1 ${"x".repeat(n)}`));
    assertEquals(await l.peer.read(1), [[OPCODE.close, "1000 "]]);
    assert(await l.peer.readEnd());
    l.peer.close();
    await l.over();
  });
}

Deno.test("WebSocketLink: answers the latest Ping, and hands on Pongs", async () => {
  const l = linked();
  await l.peer.send([OPCODE.ping, "a"], [OPCODE.ping, "b"], [
    OPCODE.pong,
    "fence",
  ]);
  assertEquals(await l.peer.read(1), [[OPCODE.pong, "b"]]);
  assertEquals(l.pongs, ["fence"]);
  await l.peer.send([OPCODE.close, ""]);
  assertEquals((await l.ended).code, 1005);
  assertEquals(await l.peer.read(1), [[OPCODE.close, ""]]);
  l.peer.close();
  await l.over();
});

Deno.test("WebSocketLink: a peer that pings on and on and reads nothing gets a Pong for the latest, and holds no memory", async () => {
  const l = linked();
  // More than the pipe holds.
  l.link.send(2, new Uint8Array(200_000), 0, 200_000);
  const flushed = l.link.flush();
  for (let i = 0; i < 1_000; i++) {
    await l.peer.send([OPCODE.ping, `${i}`.padEnd(100, ".")]);
    for (let j = 0; j < 20; j++) await Promise.resolve();
  }
  assert(l.link.buffered <= 200_200, `${l.link.buffered} bytes`);
  assertEquals((await l.peer.read(1))[0]![0], OPCODE.binary);
  await flushed;
  const [pong] = await inTime("the Pong", l.peer.read(1));
  assertEquals(pong, [OPCODE.pong, "999".padEnd(100, ".")]);
  l.peer.close();
  await l.over();
});

Deno.test("WebSocketLink: closes in order, and gives what the peer still sends before its Close", async () => {
  const l = linked();
  const bytes = bytesOf("last");
  l.link.send(1, bytes, 0, 4);
  l.link.close(4000, "bye");
  assertEquals(await l.peer.read(2), [[OPCODE.text, "last"], [
    OPCODE.close,
    "4000 bye",
  ]]);
  await l.peer.send([OPCODE.text, "late"], [
    OPCODE.close,
    closePayload(4000, "bye"),
  ]);
  assertEquals((await l.ended).code, 4000);
  assertEquals(l.messages, ["1 late"]);
  l.peer.close();
  await l.over();
});

Deno.test("WebSocketLink: does not wait for ever for the peer's Close", async () => {
  const l = linked();
  l.link.close(1000, "");
  await l.peer.read(1);
  l.clock.advance(5_300);
  const end = await l.ended;
  assertEquals([end.code, end.error?.code], [1006, "client_silent"]);
  l.peer.close();
  await l.over();
});

Deno.test("WebSocketLink: pings a silent peer, and gives up one that says nothing then", async () => {
  const l = linked("server");
  l.clock.advance(20_300);
  assertEquals(await l.peer.read(1), [[OPCODE.ping, ""]]);
  await l.peer.send([OPCODE.text, "alive"]);
  while (l.messages.length === 0) await l.piped.peer.write(new Uint8Array(0));
  l.clock.advance(19_000);
  l.clock.advance(1_300);
  assertEquals(await l.peer.read(1), [[OPCODE.ping, ""]]);
  l.clock.advance(10_300);
  const end = await l.ended;
  assertEquals([end.code, end.error?.code], [1006, "backend_silent"]);
  l.peer.close();
  await l.over();
});

Deno.test("WebSocketLink: silence means nothing while the other side holds it back", async () => {
  const l = linked("server");
  const gate = Promise.withResolvers<void>();
  l.holdBack(gate.promise);
  await l.peer.send([OPCODE.text, "a"]);
  while (l.messages.length === 0) await l.piped.peer.write(new Uint8Array(0));
  assert(!l.link.listening);
  for (let i = 0; i < 10; i++) l.clock.advance(20_000);
  assertEquals(l.socket.closed, false);
  l.holdBack(undefined);
  gate.resolve();
  await l.peer.send([OPCODE.close, closePayload(1000, "")]);
  assertEquals((await l.ended).code, 1000);
  l.peer.close();
  await l.over();
});

const VIOLATIONS: [string, number[], string][] = [
  ["an unmasked frame", [0x81, 0x01, 0x61], "1002 incorrect mask flag"],
  [
    "text that is no UTF-8",
    [0x81, 0x81, 0, 0, 0, 0, 0xff],
    "1007 text is no UTF-8",
  ],
  ["a message over the limit", [
    0x82,
    0xff,
    0,
    0,
    0,
    0,
    0,
    0x10,
    0,
    1,
    0,
    0,
    0,
    0,
  ], "1009 message over 1048576 bytes"],
  [
    "a close code of 1005",
    [0x88, 0x82, 0, 0, 0, 0, 3, 0xed],
    "1002 close code 1005",
  ],
  ["half a close code", [0x88, 0x81, 0, 0, 0, 0, 3], "1002 half a close code"],
];

for (const [what, bytes, close] of VIOLATIONS) {
  Deno.test(`WebSocketLink: ${what} is answered with its Close, and is the end`, async () => {
    const l = linked();
    await l.peer.raw(new Uint8Array(bytes));
    assertEquals(await l.peer.read(1), [[OPCODE.close, close]]);
    const end = await l.ended;
    assertEquals([end.code, end.error?.code], [1006, "client_bad_frame"]);
    l.peer.close();
    await l.over();
  });
}

Deno.test("WebSocketLink: an end without a Close is 1006, and what came before is given", async () => {
  const l = linked("server");
  await l.peer.send([OPCODE.text, "a"]);
  l.peer.close();
  assertEquals((await l.ended).code, 1006);
  assertEquals(l.messages, ["1 a"]);
  await l.over();
});

Deno.test("WebSocketLink: nothing after a Close is given", async () => {
  const l = linked();
  await l.peer.send([OPCODE.close, closePayload(1000, "")], [OPCODE.text, "x"]);
  assertEquals((await l.ended).code, 1000);
  assertEquals(l.messages, []);
  l.peer.close();
  await l.over();
});
