import { asProxyError } from "../../../core/errors.ts";
import type { Initiator } from "../../../core/listener/initiator.ts";
import { type AcceptRules, Listener } from "../../../core/listener/listener.ts";
import { createLog } from "../../../core/observe/log.ts";
import {
  SeatCounts,
  seatCountsBytes,
} from "../../../core/shared/seat_counts.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { ResettableConn } from "../../support/resettable_conn.ts";

/** A socket whose connections come when the test says so. */
class ManualSocket {
  readonly addr: Deno.NetAddr = {
    transport: "tcp",
    hostname: "127.0.0.1",
    port: 8080,
  };
  accepts = 0;
  closed = false;
  #next = Promise.withResolvers<Deno.Conn>();

  accept(): Promise<Deno.Conn> {
    this.accepts++;
    return this.#next.promise;
  }

  close(): void {
    this.closed = true;
    // Nobody may wait for it.
    this.#next.promise.catch(() => {});
    this.#next.reject(new Deno.errors.BadResource("closed"));
  }

  /** A connection comes. */
  arrive(hostname: string) {
    const conn = {
      remoteAddr: { transport: "tcp", hostname, port: 1 },
      localAddr: this.addr,
      closed: false,
      close() {
        conn.closed = true;
      },
    };
    this.#take().resolve(conn as unknown as Deno.Conn);
    return conn;
  }

  fail(reason: Error): void {
    this.#take().reject(reason);
  }

  #take(): PromiseWithResolvers<Deno.Conn> {
    const taken = this.#next;
    this.#next = Promise.withResolvers();
    return taken;
  }
}

/** `clients` are for whom some peers speak. */
function setUp(
  rules: Partial<AcceptRules> = {},
  clients: Readonly<Record<string, string>> = {},
  real?: Deno.Listener,
  fellows?: SeatCounts,
) {
  const socket = new ManualSocket();
  const clock = new FakeClock();
  const logged: string[] = [];
  const sessions: {
    readonly initiator: Initiator;
    /** Why it was refused. */
    readonly refusal: string | undefined;
    readonly end: () => void;
  }[] = [];
  const current: { -readonly [K in keyof AcceptRules]: AcceptRules[K] } = {
    connections: 100,
    connectionsPerAddress: undefined,
    noDelay: true,
    keepAlive: true,
    ...rules,
  };
  const state = { serves: true };
  const bound = real ?? socket as unknown as Deno.Listener;
  const listener = new Listener(bound, {
    rules: () => current,
    serves: () => state.serves,
    session(initiator, guest) {
      let refusal: string | undefined;
      try {
        const { address } = initiator.remote;
        guest.admit(clients[address] ?? address);
      } catch (thrown) {
        const { code, message } = asProxyError(thrown);
        refusal = `${code}: ${message}`;
      }
      sessions.push({ initiator, refusal, end: () => guest.left() });
    },
  }, {
    clock,
    log: createLog({ write: (line) => logged.push(line) }),
    fellows,
  });
  return { socket, clock, logged, sessions, rules: current, state, listener };
}

/** Runs what is runnable. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("Listener: accepts nothing before it is activated", async () => {
  const { socket, listener } = setUp();
  await settle();
  assertEquals([socket.accepts, listener.state], [0, "warming"]);
  listener.activate();
  assertEquals([socket.accepts, listener.state], [1, "active"]);
  await listener.close();
});

Deno.test("Listener: hands each connection on with both addresses", async () => {
  const { socket, sessions, listener } = setUp();
  listener.activate();
  const conn = socket.arrive("10.0.0.1");
  await eventually("the session", () => sessions.length === 1);
  const { initiator, refusal } = sessions[0]!;
  assert(initiator.conn === conn as unknown);
  assertEquals(initiator.remote, { address: "10.0.0.1", port: 1 });
  assertEquals(initiator.local, { address: "127.0.0.1", port: 8080 });
  assertEquals([initiator.internal, refusal, listener.open], [
    false,
    undefined,
    1,
  ]);
  sessions[0]!.end();
  await eventually("its end", () => listener.open === 0);
  await listener.close();
});

Deno.test("Listener: at the limit it does not accept until a connection ends", async () => {
  const { socket, sessions, listener } = setUp({ connections: 1 });
  listener.activate();
  socket.arrive("10.0.0.1");
  await eventually("the session", () => sessions.length === 1);
  await settle();
  assertEquals(socket.accepts, 1);
  sessions[0]!.end();
  await eventually("another accept", () => socket.accepts === 2);
  await listener.close();
});

/** Two workers' listeners of one address. */
function setUpTwo(connections: number) {
  const memory = new SharedArrayBuffer(seatCountsBytes(2));
  return [0, 1].map((seat) =>
    setUp({ connections }, {}, undefined, new SeatCounts(memory, seat))
  ) as [ReturnType<typeof setUp>, ReturnType<typeof setUp>];
}

Deno.test("Listener: the limit is that of all workers; who came to a worker too late waits until one leaves in another", async () => {
  const [one, other] = setUpTwo(1);
  one.listener.activate();
  other.listener.activate();
  one.socket.arrive("10.0.0.1");
  await eventually("the first session", () => one.sessions.length === 1);
  // The other worker's accept was on its way.
  const late = other.socket.arrive("10.0.0.2");
  await settle();
  assertEquals([other.sessions.length, late.closed], [0, false]);
  assertEquals([one.socket.accepts, other.socket.accepts], [1, 1]);
  one.sessions[0]!.end();
  await eventually("the second session", () => other.sessions.length === 1);
  assertEquals([one.listener.open, other.listener.open], [0, 1]);
  other.sessions[0]!.end();
  await eventually(
    "both accept again",
    () => one.socket.accepts === 2 && other.socket.accepts === 2,
  );
  await Promise.all([one.listener.close(), other.listener.close()]);
});

Deno.test("Listener: who waits for a place is closed with the listener where a reload took the address away, else served", async () => {
  for (const serves of [false, true]) {
    const [one, other] = setUpTwo(1);
    one.listener.activate();
    other.listener.activate();
    one.socket.arrive("10.0.0.1");
    await eventually("the first session", () => one.sessions.length === 1);
    const late = other.socket.arrive("10.0.0.2");
    await settle();
    other.state.serves = serves;
    await other.listener.close();
    assertEquals([late.closed, other.sessions.length], [!serves, +serves]);
    for (const { end } of [...one.sessions, ...other.sessions]) end();
    await one.listener.close();
  }
});

Deno.test("Listener.rulesChanged: a higher limit counts at once", async () => {
  const { socket, sessions, rules, listener } = setUp({ connections: 1 });
  listener.activate();
  socket.arrive("10.0.0.1");
  await eventually("the session", () => sessions.length === 1);
  await settle();
  rules.connections = 2;
  listener.rulesChanged();
  await eventually("another accept", () => socket.accepts === 2);
  await listener.close();
});

Deno.test("Listener: one too many of an address is refused with the number, others are not", async () => {
  const { socket, sessions, listener } = setUp({ connectionsPerAddress: 1 });
  listener.activate();
  for (const address of ["10.0.0.1", "10.0.0.1", "10.0.0.2"]) {
    const before = sessions.length;
    socket.arrive(address);
    await eventually("the session", () => sessions.length > before);
  }
  assertEquals(sessions.map(({ refusal }) => refusal), [
    undefined,
    "too_many_connections: 10.0.0.1 has 1 connections open already",
    undefined,
  ]);
  for (const { end } of sessions) end();
  await eventually("all ends", () => listener.open === 0);
  await listener.close();
});

Deno.test("Listener: counts a connection for the client that its session says, until it ends", async () => {
  const { socket, sessions, listener } = setUp(
    { connectionsPerAddress: 1 },
    { "10.0.0.1": "192.0.2.1", "10.0.0.2": "192.0.2.1" },
  );
  const arrive = async (address: string) => {
    const before = sessions.length;
    socket.arrive(address);
    await eventually("the session", () => sessions.length > before);
    return sessions.at(-1)!;
  };
  listener.activate();
  const first = await arrive("10.0.0.1");
  assertEquals(
    (await arrive("10.0.0.2")).refusal,
    "too_many_connections: 192.0.2.1 has 1 connections open already",
  );
  assertEquals((await arrive("10.0.0.3")).refusal, undefined);
  sessions[1]!.end();
  first.end();
  await eventually("both ends", () => listener.open === 1);
  assertEquals((await arrive("10.0.0.2")).refusal, undefined);
  for (const { end } of sessions.slice(2)) end();
  await eventually("all ends", () => listener.open === 0);
  await listener.close();
});

Deno.test("Listener.close: a connection that comes with it is served, but not where the config has its address no more", async () => {
  for (const serves of [true, false]) {
    const { socket, sessions, state, listener } = setUp();
    state.serves = serves;
    listener.activate();
    const conn = socket.arrive("10.0.0.1");
    const closed = listener.close();
    assertEquals(listener.state, "draining");
    await closed;
    assertEquals([conn.closed, sessions.length], [!serves, serves ? 1 : 0]);
  }
});

Deno.test("Listener.leave: closes right after a connection that came alone, and serves it", async () => {
  const { socket, sessions, listener } = setUp();
  listener.activate();
  const closed = listener.leave();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert(!socket.closed);
  socket.arrive("10.0.0.1");
  await closed;
  assertEquals([socket.closed, sessions.length], [true, 1]);
});

Deno.test("Listener.leave: where nobody comes it closes all the same", async () => {
  const { socket, listener } = setUp();
  listener.activate();
  await listener.leave();
  assert(socket.closed);
});

Deno.test("Listener.close: once, however often it is called; also before it was active and at its limit", async () => {
  const warming = setUp();
  await Promise.all([warming.listener.close(), warming.listener.close()]);
  assert(warming.socket.closed);
  const full = setUp({ connections: 1 });
  full.listener.activate();
  full.socket.arrive("10.0.0.1");
  await eventually("the session", () => full.sessions.length === 1);
  await full.listener.close();
  assertEquals(full.listener.open, 1);
});

Deno.test("Listener.handOver: at the limit too it ends, and the next socket goes on", async () => {
  const { socket, sessions, listener } = setUp({ connections: 1 });
  listener.activate();
  socket.arrive("10.0.0.1");
  await eventually("the session", () => sessions.length === 1);
  const next = new ManualSocket();
  let isOver = false;
  listener.handOver(next as unknown as Deno.Listener).then(() => isOver = true);
  await eventually("its end", () => isOver);
  assertEquals([socket.closed, next.accepts], [true, 0]);
  sessions[0]!.end();
  await eventually("another accept", () => next.accepts === 1);
  await listener.close();
});

Deno.test("Listener: an accept that fails is logged, and tried again after a pause", async () => {
  const { socket, clock, logged, sessions, listener } = setUp();
  listener.activate();
  socket.fail(new Error("Too many open files"));
  await eventually("the log", () => logged.length === 1);
  assert(logged[0]!.includes("Too many open files"));
  assertEquals(socket.accepts, 1);
  clock.advance(50);
  await eventually("another accept", () => socket.accepts === 2);
  socket.arrive("10.0.0.1");
  await eventually("the session", () => sessions.length === 1);
  await listener.close();
});

Deno.test("Listener: who is gone before he is accepted holds up nobody behind him", async () => {
  const bound = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = bound.addr;
  // The clock stands: a pause would never end.
  const { logged, sessions, listener } = setUp({}, {}, bound);
  for (let i = 0; i < 3; i++) {
    const gone = await ResettableConn.connect(port);
    await gone.reset();
  }
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  listener.activate();
  await eventually("the session", () => sessions.length === 1);
  const { remote, conn } = sessions[0]!.initiator;
  assertEquals(remote.port, client.localAddr.port);
  assertEquals(logged, []);
  conn.close();
  sessions[0]!.end();
  await listener.close();
});
