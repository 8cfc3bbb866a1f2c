/** The step from an accepted connection to its client, over a pipe and a clock that the test turns. */
import { ProxyError } from "../../../core/errors.ts";
import type { Initiator } from "../../../core/listener/initiator.ts";
import {
  introduce,
  type ProxyHeaderOptions,
} from "../../../core/listener/proxy_header.ts";
import { Buffers } from "../../../core/net/buffer_pool.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { createPipe } from "../../../core/net/pipe.ts";
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
  textOf,
  writeAll,
} from "../../support/byte_streams.ts";
import { FakeClock } from "../../support/clock.ts";
import { tlv, v2Header } from "../../support/proxy_headers.ts";

const LINE = "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n";

/** An initiator on one end of a pipe, whose other end a test holds. */
function setUp(options: Partial<ProxyHeaderOptions> = {}) {
  const clock = new FakeClock();
  const buffers = new Buffers();
  const [near, peer] = createPipe();
  const initiator: Initiator = {
    conn: near,
    remote: { address: "10.0.0.1", port: 4711 },
    local: { address: "10.0.0.2", port: 8080 },
    internal: false,
    proxy: undefined,
    tls: undefined,
  };
  let closed = 0;
  return {
    clock,
    peer,
    initiator,
    get closed() {
      return closed;
    },
    /** Buffers that are out, and timers that run. */
    get left() {
      const { small, medium, large } = buffers;
      return [small.inUse + medium.inUse + large.inUse, clock.pending];
    },
    introduced: () =>
      introduce(initiator, {
        mode: "require",
        trusted: true,
        timeout: 1_000,
        buffers,
        deadlines: new Deadlines(clock),
        close() {
          closed++;
          near.close();
        },
        ...options,
      }),
  };
}

/** Runs what is runnable. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("introduce: the header's ends and facts, and the connection behind it", async () => {
  const t = setUp();
  await writeAll(t.peer, bytesOf(`${LINE}GET /`));
  await t.peer.closeWrite();
  const { conn, remote, local, proxy, internal } = (await t.introduced())!;
  assertEquals(remote, { address: "1.2.3.4", port: 1111 });
  assertEquals(local, { address: "5.6.7.8", port: 80 });
  assertEquals([proxy!.version, proxy!.local, internal], [1, false, false]);
  assertEquals(proxy!.peer, { address: "10.0.0.1", port: 4711 });
  assertEquals(textOf(await readAll(conn)), "GET /");
  assertEquals([t.left, t.closed], [[0, 0], 0]);
});

Deno.test("introduce: where the header names nobody the connection's own ends stand", async () => {
  for (const header of [bytesOf("PROXY UNKNOWN\r\n"), LOCAL]) {
    const t = setUp();
    await writeAll(t.peer, header);
    const { conn, remote, local, proxy } = (await t.introduced())!;
    assertEquals([remote, local], [t.initiator.remote, t.initiator.local]);
    assertEquals(proxy!.peer, remote);
    assertEquals(proxy!.local, header === LOCAL);
    // Nothing came behind it: no wrapper is needed.
    assert(conn === t.initiator.conn);
  }
});

const LOCAL = v2Header({ versionAndCommand: 0x20 });

Deno.test("introduce: a header and what follows in pieces of any size", async () => {
  for (const size of [1, 2, 3, 7, 16, 50]) {
    const t = setUp();
    const introduced = t.introduced()!;
    const all = bytesOf(`${LINE}the rest, and more of it`);
    for (let at = 0; at < all.length; at += size) {
      await writeAll(t.peer, all.subarray(at, at + size));
      await settle();
    }
    await t.peer.closeWrite();
    const { conn, remote } = (await introduced)!;
    assertEquals(remote.address, "1.2.3.4");
    assertEquals(textOf(await readAll(conn)), "the rest, and more of it");
    assertEquals(t.left, [0, 0]);
  }
});

Deno.test("introduce: a header that outgrows a small buffer, up to 16 KiB", async () => {
  const padding = (16 << 10) - 16 - 12 - 3;
  const header = v2Header({ tlvs: [tlv(4, Array(padding).fill(1))] });
  assertEquals(header.length, 16 << 10);
  const t = setUp();
  const rest = patternBytes(30_000);
  const introduced = t.introduced()!;
  await writeAll(t.peer, header);
  await writeAll(t.peer, rest);
  await t.peer.closeWrite();
  const { conn, remote, proxy } = (await introduced)!;
  assertEquals(remote.address, "1.2.3.4");
  assertEquals(proxy!.tlvs[0]!.value.length, padding);
  assertEquals(await readAll(conn), rest);
  assertEquals(t.left, [0, 0]);
});

Deno.test("introduce: one time for all of the header, however it trickles", async () => {
  const t = setUp();
  const introduced = t.introduced()!;
  const refused = assertRejects(() => introduced, ProxyError, "1000 ms");
  for (const character of "PROXY TCP") {
    await writeAll(t.peer, bytesOf(character));
    await settle();
    t.clock.advance(100);
  }
  assertEquals(t.closed, 0);
  t.clock.advance(400);
  assertEquals((await refused).code, "proxy_header_timeout");
  assertEquals([t.closed, t.left], [1, [0, 0]]);
});

Deno.test("introduce: silence is closed once, in either mode", async () => {
  for (const mode of ["accept", "require"] as const) {
    const t = setUp({ mode });
    const introduced = t.introduced()!;
    const refused = assertRejects(() => introduced, ProxyError);
    t.clock.advance(5_000);
    assertEquals((await refused).code, "proxy_header_timeout");
    assertEquals([t.closed, t.left], [1, [0, 0]]);
  }
});

for (
  const { mode, sent, code } of [
    { mode: "require", sent: "", code: "client_closed" },
    { mode: "require", sent: "PRO", code: "proxy_header_missing" },
    { mode: "require", sent: "PROXY TCP4", code: "proxy_header_invalid" },
    { mode: "require", sent: "GET /", code: "proxy_header_missing" },
    { mode: "require", sent: "PROXY X\r\n", code: "proxy_header_invalid" },
    { mode: "accept", sent: "PROXY TCP4", code: "proxy_header_invalid" },
    { mode: "accept", sent: "PROXY X\r\n", code: "proxy_header_invalid" },
    {
      mode: "accept",
      sent: "\r\n\r\n\0\r\nQUIT\n",
      code: "proxy_header_invalid",
    },
  ] as const
) {
  Deno.test(`introduce: ${mode} refuses ${JSON.stringify(sent)} and the end with ${code}`, async () => {
    const t = setUp({ mode });
    await writeAll(t.peer, bytesOf(sent));
    await t.peer.closeWrite();
    const error = await assertRejects(
      async () => await t.introduced()!,
      ProxyError,
    );
    assertEquals([error.code, error.side, error.status], [
      code,
      "client",
      error.code === "client_closed" ? 499 : 0,
    ]);
    // To close is the caller's.
    assertEquals([t.closed, t.left], [0, [0, 0]]);
  });
}

for (
  const sent of ["", "P", "PRO", "\r", "\r\n\r\n", "GET / HTTP/1.1", "\x16"]
) {
  Deno.test(`introduce: accept serves ${JSON.stringify(sent)} as it is`, async () => {
    const t = setUp({ mode: "accept" });
    const introduced = t.introduced()!;
    for (const character of sent) {
      await writeAll(t.peer, bytesOf(character));
      await settle();
    }
    await t.peer.closeWrite();
    const { conn, remote, proxy } = (await introduced)!;
    assertEquals([remote.address, proxy], ["10.0.0.1", undefined]);
    assertEquals(textOf(await readAll(conn)), sent);
    assertEquals(t.left, [0, 0]);
  });
}

Deno.test("introduce: accept waits no longer than until bytes can't be a header", async () => {
  const t = setUp({ mode: "accept" });
  const introduced = t.introduced()!;
  await writeAll(t.peer, bytesOf("PO"));
  const { conn } = (await introduced)!;
  await writeAll(t.peer, bytesOf("ST"));
  await t.peer.closeWrite();
  assertEquals(textOf(await readAll(conn)), "POST");
});

Deno.test("introduce: of who is not trusted nothing is read", () => {
  const accept = setUp({ mode: "accept", trusted: false });
  assertEquals(accept.introduced(), undefined);
  const require = setUp({ trusted: false });
  const error = assertThrows(
    () => require.introduced(),
    ProxyError,
    "10.0.0.1",
  );
  assertEquals(error.code, "proxy_header_untrusted");
  assertEquals([accept.left, require.left], [[0, 0], [0, 0]]);
});

Deno.test("introduce: a connection that its owner closes meanwhile ends the wait", async () => {
  const t = setUp();
  const introduced = t.introduced()!;
  const refused = assertRejects(() => introduced, ProxyError);
  t.initiator.conn.close();
  assertEquals((await refused).code, "client_closed");
  assertEquals([t.closed, t.left], [0, [0, 0]]);
});
