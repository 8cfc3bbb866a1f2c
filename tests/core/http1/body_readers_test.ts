import {
  type BodyReadOptions,
  ChunkedBody,
  LengthBody,
  type SocketBody,
  UntilEndBody,
} from "../../../core/http1/body_readers.ts";
import { ChunkDecoder } from "../../../core/http1/chunk_decoder.ts";
import { ProxyError } from "../../../core/errors.ts";
import type { Socket } from "../../../core/net/socket.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { writeAll } from "../../support/byte_streams.ts";
import { latin1Bytes, latin1Text } from "../../support/latin1.ts";
import { pipedSocket } from "../../support/piped_socket.ts";

const OPTIONS: BodyReadOptions = {
  idle: 5_000,
  idleCode: "request_timeout",
  truncatedCode: "client_closed",
  limit: Infinity,
  interruptible: true,
};

const LIMITS = { headerBytes: 1000, headers: 10 };

function chunkedBody(
  socket: Socket,
  options: Partial<BodyReadOptions> = {},
): ChunkedBody {
  const decoder = new ChunkDecoder("bad_request", LIMITS);
  return new ChunkedBody(socket, decoder, { ...OPTIONS, ...options });
}

function piece(body: SocketBody): string {
  return latin1Text(body.bytes.subarray(body.start, body.end));
}

/** Reads to the end. */
async function readWhole(body: SocketBody): Promise<string> {
  let text = "";
  while (!body.last && await body.next()) text += piece(body);
  return text;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, ProxyError)).code;
}

Deno.test("LengthBody ends at its length and leaves what follows", async () => {
  const { socket, peer } = pipedSocket();
  const body = new LengthBody(socket, 8, OPTIONS);
  assertEquals(body.advance(), false);
  await writeAll(peer, latin1Bytes("hello"));
  assertEquals(await body.next(), true);
  assertEquals([piece(body), body.last, body.remaining], ["hello", false, 3]);
  await writeAll(peer, latin1Bytes("you!GET"));
  assertEquals(await body.next(), true);
  assertEquals([piece(body), body.last], ["you", true]);
  assertEquals(await body.next(), false);
  assertEquals(
    latin1Text(socket.bytes.subarray(socket.start, socket.end)),
    "!GET",
  );
  socket.close();
});

Deno.test("ChunkedBody gives data without framing and leaves what follows", async () => {
  const { socket, peer } = pipedSocket();
  const body = chunkedBody(socket);
  await writeAll(
    peer,
    latin1Bytes("3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: x\r\n\r\nGET"),
  );
  assertEquals(await readWhole(body), "abcde");
  assertEquals(socket.held, 3);
  socket.close();
});

Deno.test("UntilEndBody ends with the connection", async () => {
  const { socket, peer } = pipedSocket();
  const body = new UntilEndBody(socket, OPTIONS);
  await writeAll(peer, latin1Bytes("hello"));
  await body.next();
  assertEquals([piece(body), body.last], ["hello", false]);
  await peer.closeWrite();
  assertEquals([await body.next(), body.last], [false, true]);
  socket.close();
});

Deno.test("a body that the peer ends too early is broken", async () => {
  for (const chunked of [false, true]) {
    const { socket, peer } = pipedSocket();
    const body = chunked
      ? chunkedBody(socket)
      : new LengthBody(socket, 8, OPTIONS);
    await writeAll(peer, latin1Bytes("5\r\nab"));
    await peer.closeWrite();
    assertEquals(await codeOf(readWhole(body)), "client_closed");
    assertEquals([body.broken, body.last], [true, false]);
    socket.close();
  }
});

Deno.test("ChunkedBody refuses more than its limit and chunks that are none", async () => {
  const refused = { "5\r\nhello\r\n": "body_too_large", "x": "bad_request" };
  for (const [sent, code] of Object.entries(refused)) {
    const { socket, peer } = pipedSocket();
    const body = chunkedBody(socket, { limit: 4 });
    await writeAll(peer, latin1Bytes(sent));
    assertEquals(await codeOf(readWhole(body)), code);
    assertEquals(body.broken, true);
    socket.close();
  }
});

Deno.test("a late piece is a timeout that leaves an interruptible connection open, and ends another", async () => {
  for (const interruptible of [true, false]) {
    const { socket, clock, peer } = pipedSocket();
    const body = new LengthBody(socket, 8, { ...OPTIONS, interruptible });
    const next = body.next();
    clock.advance(4_900);
    await writeAll(peer, latin1Bytes("x"));
    assertEquals(await next, true);
    const late = codeOf(body.next());
    clock.advance(5_300);
    assertEquals(await late, "request_timeout");
    assertEquals(socket.closed, !interruptible);
    assertEquals(body.broken, true);
    socket.close();
  }
});

Deno.test("limitIdle() shortens a wait that has begun, and sets no deadline where nobody waits", async () => {
  const { socket, clock } = pipedSocket();
  const body = new LengthBody(socket, 8, { ...OPTIONS, idle: Infinity });
  body.limitIdle(60_000);
  assertEquals(socket.deadline, Infinity);
  const late = codeOf(body.next());
  body.limitIdle(1_000);
  clock.advance(1_300);
  assertEquals(await late, "request_timeout");
  socket.close();
});

Deno.test("cancel() ends a wait, also one that begins later, until resume()", async () => {
  const { socket, peer } = pipedSocket();
  const body = new LengthBody(socket, 8, OPTIONS);
  const waiting = codeOf(body.next());
  body.cancel();
  assertEquals(await waiting, "client_closed");
  assertEquals(await codeOf(body.next()), "client_closed");
  assertEquals([body.broken, socket.closed], [false, false]);
  // Who drops the rest reads on where the others stopped.
  body.resume();
  const rest = readWhole(body);
  await writeAll(peer, latin1Bytes("12345678"));
  assertEquals(await rest, "12345678");
  socket.close();
});

Deno.test("onComplete is called once, when the last of several pieces is there", async () => {
  const { socket, peer } = pipedSocket();
  let complete = 0;
  const onComplete = () => complete++;
  const body = new LengthBody(socket, 4, { ...OPTIONS, onComplete });
  await writeAll(peer, latin1Bytes("ab"));
  await body.next();
  assertEquals(complete, 0);
  await writeAll(peer, latin1Bytes("cd"));
  await body.next();
  await body.next();
  assertEquals(complete, 1);
  socket.close();
});

Deno.test("tailroom is where nothing lies and nothing is about to be read", async () => {
  for (const interruptible of [true, false]) {
    const { socket, peer } = pipedSocket();
    const body = new LengthBody(socket, 4, { ...OPTIONS, interruptible });
    await writeAll(peer, latin1Bytes("abcdGET"));
    await body.next();
    // The bytes of the next message follow at once.
    assertEquals(body.tailroom, 0);
    socket.start = socket.end;
    // A client's socket may have a read posted there at any time.
    if (interruptible) assertEquals(body.tailroom, 0);
    else assert(body.tailroom > 1000, `${body.tailroom}`);
    socket.close();
  }
});
