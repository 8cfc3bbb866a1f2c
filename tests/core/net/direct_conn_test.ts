/** Reads and writes by the runtime's own operations, on real sockets. */
import type { ByteConn } from "../../../core/net/byte_conn.ts";
import { directConn, directIoProblem } from "../../../core/net/direct_conn.ts";
import { createPipe } from "../../../core/net/pipe.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { bytesOf, textOf, writeAll } from "../../support/byte_streams.ts";

/** Both ends of a connection, of which this one is read and written directly. */
async function connect(): Promise<{ direct: ByteConn; peer: Deno.TcpConn }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [conn, peer] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  const direct = directConn(conn);
  assert(direct !== conn, "the runtime's own connection is stood for");
  return { direct, peer };
}

Deno.test("directConn() carries bytes both ways, and each direction's end", async () => {
  const { direct, peer } = await connect();
  using _ = peer;
  const buffer = new Uint8Array(16);
  await peer.write(bytesOf("to us"));
  assertEquals(await direct.read(buffer), 5);
  assertEquals(textOf(buffer.subarray(0, 5)), "to us");
  assertEquals(await direct.write(bytesOf("to them")), 7);
  assertEquals(await peer.read(buffer), 7);
  await direct.closeWrite();
  assertEquals(await peer.read(buffer), null);
  await writeAll(peer, bytesOf("still"));
  assertEquals(await direct.read(buffer), 5);
  await peer.closeWrite();
  assertEquals(await direct.read(buffer), 0);
  direct.close();
});

Deno.test("directConn(): what is closed ends a pending read, as with the connection itself", async () => {
  const { direct, peer } = await connect();
  using _ = peer;
  const pending = assertRejects(
    () => direct.read(new Uint8Array(1)),
    Deno.errors.Interrupted,
  );
  direct.close();
  await pending;
  await assertRejects(
    () => Promise.resolve(direct.write(bytesOf("late"))),
    Deno.errors.BadResource,
  );
});

Deno.test("directConn() leaves what is none of the runtime's own as it is", () => {
  const [near, far] = createPipe();
  assert(directConn(near) === near);
  near.close();
  far.close();
});

Deno.test("directIoProblem() tells of a runtime without the operations", () => {
  assertEquals(directIoProblem(), undefined);
  const internal = Symbol("internal");
  const core = { read() {}, write() {}, internalRidSymbol: Symbol("rid") };
  assertEquals(directIoProblem({ internal, [internal]: { core } }), undefined);
  const without: object[] = [
    {},
    { internal: "text" },
    { internal },
    { internal, [internal]: {} },
    { internal, [internal]: { core: { ...core, read: undefined } } },
    { internal, [internal]: { core: { ...core, write: 1 } } },
    { internal, [internal]: { core: { ...core, internalRidSymbol: "rid" } } },
  ];
  for (const runtime of without) {
    assertEquals(
      directIoProblem(runtime),
      "this version of Deno has not the operations that it is made of",
    );
  }
});
