import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import { Buffers } from "../../../core/net/buffer_pool.ts";
import type { ByteConn } from "../../../core/net/byte_conn.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { createPipe } from "../../../core/net/pipe.ts";
import { Relay } from "../../../core/net/relay.ts";
import { Socket } from "../../../core/net/socket.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import {
  bytesOf,
  patternBytes,
  readAll,
  readExactly,
  textOf,
  writeAll,
} from "../../support/byte_streams.ts";
import { FakeClock } from "../../support/clock.ts";

const IDLE = 10_000;

/** A relay between two pipes: `client` and `backend` are the peers' ends. */
function setUp(wrap: (conn: ByteConn) => ByteConn = (conn) => conn) {
  const clock = new FakeClock();
  const buffers = new Buffers();
  const deadlines = new Deadlines(clock);
  const total = { in: 0, out: 0 };
  const [client, clientSide] = createPipe();
  const [backend, backendSide] = createPipe();
  const shared = { buffers, deadlines, total };
  const clientSocket = new Socket(clientSide, {
    ...shared,
    closedCode: "client_closed",
    buffer: "small",
  });
  const backendSocket = new Socket(wrap(backendSide), {
    ...shared,
    closedCode: "backend_closed",
    buffer: "medium",
  });
  return {
    clock,
    buffers,
    client,
    backend,
    clientSocket,
    backendSocket,
    async run() {
      const relay = new Relay(clientSocket, backendSocket, {
        idle: IDLE,
        idleCode: "client_idle",
      });
      await relay.ended;
      return relay.failure;
    },
  };
}

function assertNothingLeft({ buffers, clock }: ReturnType<typeof setUp>) {
  assertEquals(
    [buffers.small.inUse, buffers.medium.inUse, buffers.large.inUse],
    [0, 0, 0],
  );
  assertEquals(clock.pending, 0);
}

/** Runs what is runnable. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("relay: bytes that were read before go first", async () => {
  const fixture = setUp();
  await fixture.client.write(bytesOf("early "));
  await fixture.clientSocket.fill();
  const done = fixture.run();
  await fixture.client.write(bytesOf("late"));
  assertEquals(textOf(await readExactly(fixture.backend, 10)), "early late");
  fixture.client.close();
  fixture.backend.close();
  await done;
  assertNothingLeft(fixture);
});

Deno.test("relay: the client's FIN is passed on, and it still gets the rest", async () => {
  const fixture = setUp();
  const done = fixture.run();
  await fixture.client.write(bytesOf("question"));
  await fixture.client.closeWrite();
  assertEquals(textOf(await readAll(fixture.backend)), "question");
  await fixture.backend.write(bytesOf("answer"));
  await fixture.backend.closeWrite();
  assertEquals(textOf(await readAll(fixture.client)), "answer");
  assertEquals(await done, undefined);
  assertNothingLeft(fixture);
});

Deno.test("relay: the backend's FIN is passed on, and it still gets the rest", async () => {
  const fixture = setUp();
  const done = fixture.run();
  await fixture.backend.write(bytesOf("greeting"));
  await fixture.backend.closeWrite();
  assertEquals(textOf(await readAll(fixture.client)), "greeting");
  await fixture.client.write(bytesOf("all the rest"));
  await fixture.client.closeWrite();
  assertEquals(textOf(await readAll(fixture.backend)), "all the rest");
  assertEquals(await done, undefined);
  assertNothingLeft(fixture);
});

Deno.test("relay: a broken side ends the other, and says which", async () => {
  const fixture = setUp();
  const done = fixture.run();
  fixture.backend.close();
  await fixture.client.write(bytesOf("nobody reads it"));
  assertEquals((await done)?.code, "backend_closed");
  assert(fixture.clientSocket.closed && fixture.backendSocket.closed);
  assertNothingLeft(fixture);
});

Deno.test("relay: silence of both directions ends it, bytes of either keep it", async () => {
  const fixture = setUp();
  const { clock, client, backend } = fixture;
  const done = fixture.run();
  for (let i = 0; i < 4; i++) {
    clock.advance(IDLE - 1_000);
    const [from, to] = i % 2 === 0 ? [client, backend] : [backend, client];
    await from.write(bytesOf("x"));
    await readExactly(to, 1);
    await settle();
  }
  clock.advance(IDLE - 1_000);
  assertEquals(fixture.clientSocket.closed, false);
  clock.advance(1_500);
  assertEquals((await done)?.code, "client_idle");
  await settle();
  assertNothingLeft(fixture);
});

Deno.test("relay: a peer that never reads counts as silent", async () => {
  const fixture = setUp();
  const done = fixture.run();
  const writing = writeAll(fixture.backend, patternBytes(4 << 20)).catch(
    (thrown) => thrown,
  );
  await settle();
  fixture.clock.advance(IDLE + 500);
  assertEquals((await done)?.code, "client_idle");
  assert(await writing instanceof Deno.errors.BrokenPipe);
  await settle();
  assertNothingLeft(fixture);
});

Deno.test("relay: what is on its way out stays untouched when its socket is closed", async () => {
  // A write that looks at its bytes only later, as the kernel may.
  const gate = Promise.withResolvers<void>();
  const seen: Uint8Array[] = [];
  const fixture = setUp((conn) => ({
    read: (buffer) => conn.read(buffer),
    closeWrite: () => conn.closeWrite(),
    close: () => conn.close(),
    async write(bytes) {
      await gate.promise;
      seen.push(bytes.slice());
      return bytes.length;
    },
  }));
  const done = fixture.run();
  await fixture.client.write(bytesOf("mine"));
  await settle();
  fixture.clientSocket.abort(new ProxyError("shutting_down", "bye"));
  // Another connection takes whatever buffer is free, and reads into it.
  fixture.buffers.small.take().fill(42);
  gate.resolve();
  await done;
  assertEquals(seen.map(textOf), ["mine"]);
  await settle();
  assertEquals(fixture.buffers.small.inUse, 1);
});

Deno.test("relay: any bytes in any pieces arrive both ways, ends in any order", async () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 100_000 }), {
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(pieces, pieces, fc.boolean(), async (up, down, wait) => {
      const fixture = setUp();
      const done = fixture.run();
      const sum = (lengths: number[]) => lengths.reduce((a, b) => a + b, 0);
      const sentUp = patternBytes(sum(up), 3);
      const sentDown = patternBytes(sum(down), 5);
      const send = async (
        conn: ByteConn,
        bytes: Uint8Array,
        lengths: number[],
      ) => {
        let at = 0;
        for (const length of lengths) {
          await writeAll(conn, bytes.subarray(at, at += length));
        }
        await conn.closeWrite();
      };
      const first = send(fixture.client, sentUp, up);
      const gotUp = readAll(fixture.backend);
      if (wait) await gotUp;
      const second = send(fixture.backend, sentDown, down);
      assertEquals(await readAll(fixture.client), sentDown);
      assertEquals(await gotUp, sentUp);
      await Promise.all([first, second]);
      assertEquals(await done, undefined);
      assertNothingLeft(fixture);
    }),
    { numRuns: 25 },
  );
});

Deno.test("relay: while nothing comes, each side's standing read is the smallest", async () => {
  const fixture = setUp();
  const { buffers } = fixture;
  const done = fixture.run();
  const out =
    () => [buffers.tiny.inUse, buffers.small.inUse, buffers.medium.inUse];
  assertEquals(out(), [2, 0, 0]);
  const sent = patternBytes(20_000);
  const writing = writeAll(fixture.backend, sent);
  assertEquals(await readExactly(fixture.client, sent.length), sent);
  await writing;
  await fixture.backend.write(bytesOf("!"));
  await readExactly(fixture.client, 1);
  await settle();
  assertEquals(out(), [2, 0, 0]);
  fixture.client.close();
  fixture.backend.close();
  await done;
  assertNothingLeft(fixture);
});
