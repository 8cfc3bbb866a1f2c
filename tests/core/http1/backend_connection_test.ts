import {
  Http1BackendConnection,
  type Http1BackendOptions,
} from "../../../core/http1/backend_connection.ts";
import { ConnectionPool } from "../../../core/connect/pool.ts";
import { ProxyError } from "../../../core/errors.ts";
import type { BodyReader } from "../../../core/message/body.ts";
import type { OutgoingRequest } from "../../../core/message/head.ts";
import { ListFields } from "../../../core/message/list_fields.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { readAll, writeAll } from "../../support/byte_streams.ts";
import { latin1Bytes, latin1Text } from "../../support/latin1.ts";
import { type PipedSocket, pipedSocket } from "../../support/piped_socket.ts";

const OK = latin1Bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

function setUp(pool?: ConnectionPool<Http1BackendConnection>) {
  const piped = pipedSocket("backend_closed", "medium");
  const connection = new Http1BackendConnection(
    piped.socket,
    { address: "127.0.0.1", port: 1 },
    optionsOf(piped),
    pool,
  );
  return { ...piped, piped, connection };
}

function optionsOf({ buffers, deadlines }: PipedSocket): Http1BackendOptions {
  return {
    buffers,
    deadlines,
    limits: { headerBytes: 64 << 10, headers: 100 },
    writeTimeout: 60_000,
    idleTimeout: 60_000,
  };
}

function request(parts: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: "GET",
    target: "/",
    fields: new ListFields([["host", "a"]]),
    bodyLength: 0,
    upgrade: undefined,
    prepared: undefined,
    ...parts,
  };
}

/** A body that fails when its second piece is asked for. */
function failing(error: unknown): BodyReader {
  return {
    bytes: new Uint8Array(100),
    start: 20,
    end: 25,
    headroom: 16,
    tailroom: 0,
    last: false,
    advance: () => true,
    next: () => Promise.reject(error),
    cancel() {},
  };
}

Deno.test("send() gives its buffer back where the head can't be written", async () => {
  const { connection, piped } = setUp();
  const before = piped.taken;
  await assertRejects(
    async () => await connection.send(request({ method: "G\nT" }), null),
    TypeError,
  );
  const large = new ListFields([["x", "y".repeat(300_000)]]);
  const { code } = await assertRejects(
    async () => await connection.send(request({ fields: large }), null),
    ProxyError,
  );
  assertEquals(code, "head_overflow");
  assertEquals(piped.taken, before);
  connection.close();
});

Deno.test("a body that fails, by whoever's fault but the backend's, ends the wait for a response", async (t) => {
  const failures = {
    client: new ProxyError("client_closed", "gone"),
    plugin: new ProxyError("handler_error", "thrown"),
    proxy: new RangeError("a bug"),
  };
  for (const [side, thrown] of Object.entries(failures)) {
    await t.step(side, async () => {
      const { connection, peer } = setUp();
      const all = readAll(peer);
      await connection.send(
        request({ method: "POST", bodyLength: -1 }),
        failing(thrown),
      );
      await assertRejects(
        async () => await connection.readHead(60_000),
        ProxyError,
      );
      await connection.upload;
      assertEquals(connection.uploadError?.side as string, side);
      // Neither may what came look like a whole request.
      const sent = latin1Text(await all);
      assertEquals(sent.endsWith("0\r\n\r\n"), false);
      connection.close();
    });
  }
});

Deno.test("release() pools a connection whose messages are complete, and reuse() takes it out", async () => {
  const pool = new ConnectionPool<Http1BackendConnection>(10);
  const { connection, peer, piped } = setUp(pool);
  for (let i = 0; i < 2; i++) {
    assertEquals([pool.active, pool.idle], [1, 0]);
    await connection.send(request(), null);
    await writeAll(peer, OK);
    assertEquals((await connection.readHead(1_000)).status, 200);
    const body = connection.body(1_000)!;
    assertEquals([body.advance(), body.last], [true, true]);
    connection.release();
    assertEquals([pool.active, pool.idle], [0, 1]);
    assertEquals(pool.take([connection.facts.remote]), connection);
    connection.reuse();
  }
  connection.close();
  assertEquals([pool.active, pool.idle], [0, 0]);
  peer.close();
  assertEquals(piped.clock.pending, 0);
});

Deno.test("release() closes a connection whose response is not read to its end", async () => {
  const pool = new ConnectionPool<Http1BackendConnection>(10);
  const { connection, peer, socket } = setUp(pool);
  await connection.send(request(), null);
  await writeAll(peer, OK.subarray(0, OK.length - 1));
  await connection.readHead(1_000);
  connection.body(1_000)!.advance();
  connection.release();
  assertEquals([socket.closed, pool.active, pool.idle], [true, 0, 0]);
  peer.close();
});
