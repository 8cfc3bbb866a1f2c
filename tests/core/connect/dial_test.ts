import { dial } from "../../../core/connect/dial.ts";
import { ProxyError } from "../../../core/errors.ts";
import { systemClock } from "../../../core/net/clock.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import type { SocketEnds } from "../../../core/net/socket_address.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { bytesOf, readExactly, textOf } from "../../support/byte_streams.ts";
import { FakeClock } from "../../support/clock.ts";
import { inTime } from "../../support/eventually.ts";
import { latin1Bytes } from "../../support/latin1.ts";
import { echo, serveTcpBackend } from "../../support/tcp_backend.ts";

/** A port of 127.0.0.1 where nobody listens. */
function deadPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** An address where connects neither succeed nor fail: its queue is full. */
async function fullAddress() {
  const listener = Deno.listen({
    hostname: "127.0.0.1",
    port: 0,
    tcpBacklog: 1,
  });
  const { port } = listener.addr;
  const held: Deno.Conn[] = [];
  // The queue takes one or two more than it says; the next connect hangs.
  for (;;) {
    try {
      held.push(
        await Deno.connect({
          hostname: "127.0.0.1",
          port,
          signal: AbortSignal.timeout(300),
        }),
      );
    } catch {
      break;
    }
  }
  return {
    address: { address: "127.0.0.1", port },
    [Symbol.dispose]() {
      for (const conn of held) conn.close();
      listener.close();
    },
  };
}

function options(timeout = 5_000) {
  return { timeout, deadlines: new Deadlines(new FakeClock()) };
}

Deno.test("dial: connects to a port, and says where it leads", async () => {
  await using backend = serveTcpBackend(echo);
  const remote = { address: "127.0.0.1", port: backend.port };
  const dialled = await dial([remote], options());
  assertEquals(dialled.remote, remote);
  await dialled.conn.write(bytesOf("hi"));
  assertEquals(textOf(await readExactly(dialled.conn, 2)), "hi");
  dialled.conn.close();
});

Deno.test("dial: connects to an IPv6 address", async () => {
  await using backend = serveTcpBackend(echo, { hostname: "::1" });
  const { conn } = await dial(
    [{ address: "::1", port: backend.port }],
    options(),
  );
  await conn.write(bytesOf("six"));
  assertEquals(textOf(await readExactly(conn, 3)), "six");
  conn.close();
});

Deno.test("dial: connects to a unix socket's path", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/b.sock`;
  {
    await using _backend = serveTcpBackend(echo, { path });
    const { conn } = await dial([{ address: path, port: 0 }], options());
    await conn.write(bytesOf("unix"));
    assertEquals(textOf(await readExactly(conn, 4)), "unix");
    conn.close();
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("dial: goes on to the next address where one refuses", async () => {
  await using backend = serveTcpBackend(echo);
  const good = { address: "127.0.0.1", port: backend.port };
  const { conn, remote } = await dial(
    [{ address: "127.0.0.1", port: deadPort() }, good],
    options(),
  );
  assertEquals(remote, good);
  conn.close();
});

Deno.test("dial: connect_refused with the address, safe to retry", async () => {
  const port = deadPort();
  const error = await assertRejects(
    () => dial([{ address: "127.0.0.1", port }], options()),
    ProxyError,
    `127.0.0.1:${port}`,
  );
  assertEquals([error.code, error.retry], ["connect_refused", "always"]);
});

Deno.test("dial: an IPv6 address stands in brackets before its port", async () => {
  const listener = Deno.listen({ hostname: "::1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await assertRejects(
    () => dial([{ address: "::1", port }], options()),
    ProxyError,
    `[::1]:${port}`,
  );
});

Deno.test("dial: connect_refused for a unix socket that is not there", async () => {
  const error = await assertRejects(
    () => dial([{ address: "/nowhere/x.sock", port: 0 }], options()),
    ProxyError,
    "/nowhere/x.sock",
  );
  assertEquals(error.code, "connect_refused");
});

Deno.test("dial: connect_failed where there is no address", async () => {
  const error = await assertRejects(() => dial([], options()), ProxyError);
  assertEquals(error.code, "connect_failed");
});

Deno.test("dial: connect_timeout for each address that does not answer, then the next", async () => {
  using full = await fullAddress();
  await using backend = serveTcpBackend(echo);
  const deadlines = new Deadlines(systemClock);
  const slow = await assertRejects(
    () => inTime("a dial", dial([full.address], { timeout: 100, deadlines })),
    ProxyError,
    "100 ms",
  );
  assertEquals([slow.code, slow.status], ["connect_timeout", 504]);
  const good = { address: "127.0.0.1", port: backend.port };
  const { conn, remote } = await inTime(
    "a dial",
    dial([full.address, good], { timeout: 100, deadlines }),
  );
  assertEquals(remote, good);
  conn.close();
});

Deno.test("dial: no timer is left, whatever came out", async () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  await using backend = serveTcpBackend(echo);
  const { conn } = await dial(
    [{ address: "127.0.0.1", port: backend.port }],
    { timeout: 1_000, deadlines },
  );
  conn.close();
  await assertRejects(() =>
    dial([{ address: "127.0.0.1", port: deadPort() }], {
      timeout: 1_000,
      deadlines,
    })
  );
  assert(clock.pending === 0);
});

/** A connection that takes three bytes a write, or none. */
class MeanConn {
  written = "";
  closed = 0;
  readonly #broken: boolean;

  constructor(broken: boolean) {
    this.#broken = broken;
  }

  readonly localAddr = { transport: "tcp", hostname: "10.0.0.9", port: 4711 };

  setNoDelay(): void {}

  write(bytes: Uint8Array): Promise<number> {
    if (this.#broken) return Promise.reject(new Deno.errors.BrokenPipe("gone"));
    const piece = bytes.subarray(0, 3);
    this.written += textOf(piece);
    return Promise.resolve(piece.length);
  }

  close(): void {
    this.closed++;
  }
}

/** Dials where each connect gives the next of these connections. */
async function dialOver<T>(
  conns: readonly MeanConn[],
  run: () => Promise<T>,
): Promise<T> {
  const { connect } = Deno;
  const left = [...conns];
  Deno.connect = (() => Promise.resolve(left.shift())) as never;
  try {
    return await run();
  } finally {
    Deno.connect = connect;
  }
}

const PREFACE = latin1Bytes("PROXY UNKNOWN\r\n");
const TWO = [
  { address: "10.0.0.1", port: 80 },
  { address: "10.0.0.2", port: 80 },
];

Deno.test("dial: all of a preface is written, in as many writes as that takes", async () => {
  const conn = new MeanConn(false);
  const dialled = await dialOver(
    [conn],
    () => dial(TWO, { ...options(), preface: PREFACE }),
  );
  assert(dialled.conn === conn as unknown);
  assertEquals([conn.written, conn.closed], ["PROXY UNKNOWN\r\n", 0]);
});

Deno.test("dial: a preface may be made of the connection's own ends", async () => {
  const conn = new MeanConn(false);
  const preface = ({ source, destination }: SocketEnds) =>
    latin1Bytes(`${source.address}:${source.port} ${destination.address}`);
  await dialOver([conn], () => dial(TWO, { ...options(), preface }));
  assertEquals(conn.written, "10.0.0.9:4711 10.0.0.1");
});

Deno.test("dial: a connection that takes no preface is closed, and the next address tried", async () => {
  const [broken, good] = [new MeanConn(true), new MeanConn(false)];
  const { remote } = await dialOver(
    [broken, good],
    () => dial(TWO, { ...options(), preface: PREFACE }),
  );
  assertEquals(remote, TWO[1]);
  assertEquals([broken.closed, good.closed], [1, 0]);
  const error = await assertRejects(
    () =>
      dialOver(
        [new MeanConn(true), new MeanConn(true)],
        () => dial(TWO, { ...options(), preface: PREFACE }),
      ),
    ProxyError,
    "10.0.0.2:80",
  );
  assertEquals([error.code, error.retry], ["connect_failed", "always"]);
});

Deno.test("dial: an address that hangs is overtaken, and told of", async () => {
  using full = await fullAddress();
  await using backend = serveTcpBackend(echo);
  const good = { address: "127.0.0.1", port: backend.port };
  const slow: unknown[] = [];
  const began = performance.now();
  const { conn, remote } = await inTime(
    "a dial",
    dial([full.address, good], {
      timeout: 20_000,
      deadlines: new Deadlines(systemClock),
      slow: (address) => slow.push(address),
    }),
  );
  assertEquals([remote, slow], [good, [full.address]]);
  assert(performance.now() - began < 5_000);
  conn.close();
});
