import {
  type ExchangeRunner,
  Http1ClientConnection,
} from "../../../core/http1/client_connection.ts";
import { HeadIndexPool } from "../../../core/http1/head_index_pool.ts";
import { DateLine } from "../../../core/http1/http_date.ts";
import { ListFields } from "../../../core/message/list_fields.ts";
import { Buffers } from "../../../core/net/buffer_pool.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { createPipe } from "../../../core/net/pipe.ts";
import { Socket } from "../../../core/net/socket.ts";
import type { ClientExchange } from "../../../core/session/exchange.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { bytesOf, textOf } from "../../support/byte_streams.ts";
import { FakeClock } from "../../support/clock.ts";

/** A served connection whose every request is answered with its target. */
function setUp() {
  const clock = new FakeClock();
  const buffers = new Buffers();
  const [near, peer] = createPipe();
  const socket = new Socket(near, {
    buffers,
    deadlines: new Deadlines(clock),
    closedCode: "client_closed",
    total: { in: 0, out: 0 },
    buffer: "small",
  });
  const connection = new Http1ClientConnection(socket, {
    buffers,
    indexes: new HeadIndexPool(100),
    clock,
    date: new DateLine(),
    limits: {
      headerBytes: 16_384,
      headers: 100,
      targetBytes: 8_192,
      bodyBytes: Infinity,
    },
    timeouts: { header: 5_000, body: 5_000, write: 5_000, keepAlive: 60_000 },
  });
  let rests = 0;
  const runner: ExchangeRunner = {
    async run(exchange: ClientExchange) {
      const head = await exchange.readHead();
      const fields = new ListFields();
      fields.append("x-target", head.target);
      await exchange.send(
        {
          status: 204,
          reason: "No Content",
          fields,
          bodyLength: undefined,
          hasBody: false,
        },
        null,
        { close: false },
      );
      return undefined;
    },
    ended() {},
    rests: () => rests++,
  };
  const done = connection.serve(runner);
  const ask = async (target: string) => {
    const head = `GET ${target} HTTP/1.1\r\nHost: ${"h".repeat(100)}\r\n\r\n`;
    await peer.write(bytesOf(head));
    const bytes = new Uint8Array(4_096);
    const count = await peer.read(bytes);
    await new Promise((resolve) => setTimeout(resolve));
    return textOf(bytes.subarray(0, count!));
  };
  return {
    clock,
    peer,
    done,
    ask,
    get rests() {
      return rests;
    },
    /** Which buffer the standing read has. */
    get reads() {
      return buffers.tiny.inUse === 1 ? "tiny" : "small";
    },
  };
}

Deno.test("a client's connection: who was answered once is taken for one that rests, who asks again at once is not", async () => {
  const fixture = setUp();
  assertEquals(fixture.reads, "small");
  assert((await fixture.ask("/1")).includes("x-target: /1\r\n"));
  assertEquals(fixture.reads, "tiny");
  assert((await fixture.ask("/2")).includes("x-target: /2\r\n"));
  assertEquals(fixture.reads, "small");
  assert((await fixture.ask("/3")).includes("x-target: /3\r\n"));
  assertEquals([fixture.reads, fixture.rests], ["small", 0]);
  fixture.peer.close();
  await fixture.done;
});

Deno.test("a client's connection: after a second of silence it rests, and still answers", async () => {
  const fixture = setUp();
  await fixture.ask("/1");
  await fixture.ask("/2");
  fixture.clock.advance(1_500);
  assertEquals([fixture.rests, fixture.reads], [1, "small"]);
  assert((await fixture.ask("/3")).includes("x-target: /3\r\n"));
  assertEquals(fixture.reads, "tiny");
  assert((await fixture.ask("/4")).includes("x-target: /4\r\n"));
  assertEquals([fixture.reads, fixture.rests], ["small", 1]);
  fixture.clock.advance(62_000);
  await fixture.done;
});
