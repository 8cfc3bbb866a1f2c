/**
 * Which idle connection is taken, and how many are kept.
 *
 * @module
 */
import { ConnectionPool, type Pooled } from "../../../core/connect/pool.ts";
import type { SocketAddress } from "../../../core/plugin.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const A: SocketAddress = { address: "10.0.0.1", port: 80 };
const B: SocketAddress = { address: "10.0.0.2", port: 80 };

/** A connection that leaves its pool as it closes, as the real ones do. */
class Connection implements Pooled {
  readonly facts: { readonly remote: SocketAddress };
  readonly key: string | undefined;
  readonly generation: number;
  closed = false;
  readonly #pool: ConnectionPool<Connection>;

  constructor(pool: ConnectionPool<Connection>, remote = A, key?: string) {
    this.facts = { remote };
    this.key = key;
    this.generation = pool.generation;
    this.#pool = pool;
  }

  close(): void {
    this.closed = true;
    this.#pool.remove(this);
  }
}

/** A pool with so many connections, the coldest first. */
function filled(number: number, maxIdle = number) {
  const pool = new ConnectionPool<Connection>(maxIdle);
  const connections = Array.from(
    { length: number },
    () => new Connection(pool),
  );
  for (const connection of connections) assert(pool.put(connection));
  return { pool, connections };
}

Deno.test("ConnectionPool.take gives the connection used last", () => {
  const { pool, connections: [first, second] } = filled(2);

  assertEquals(pool.take([A]), second);
  assertEquals(pool.take([A]), first);
  assertEquals(pool.take([A]), undefined);
});

Deno.test("ConnectionPool.take gives only connections to the addresses wanted", () => {
  const { pool, connections: [toA] } = filled(1, 2);
  const toB = new Connection(pool, B);
  pool.put(toB);

  assertEquals(pool.take([{ ...A, port: 81 }]), undefined);
  assertEquals(pool.take([A]), toA);
  assertEquals(pool.take([A, B]), toB);
  assertEquals(pool.idle, 0);
});

Deno.test("ConnectionPool.put keeps no more than may wait", () => {
  const { pool } = filled(2);

  assert(!pool.put(new Connection(pool)));
  assertEquals(pool.idle, 2);
});

Deno.test("ConnectionPool.take gives one that began with a preface only to who would begin with the same", () => {
  const { pool, connections: [plain] } = filled(1, 3);
  const one = new Connection(pool, A, "one");
  const other = new Connection(pool, A, "other");
  pool.put(one);
  pool.put(other);

  assertEquals(pool.take([A], "third"), undefined);
  assertEquals(pool.take([B], "one"), undefined);
  assertEquals(pool.take([A]), plain);
  assertEquals(pool.take([A]), undefined);
  assertEquals(pool.take([A], "one"), one);
  assertEquals(pool.take([A], "one"), undefined);
  assertEquals(pool.take([A], "other"), other);
});

Deno.test("ConnectionPool.put closes the coldest where prefaces fill it: its client may have left", () => {
  const pool = new ConnectionPool<Connection>(2);
  const [one, two, three] = ["one", "two", "three"].map((key) =>
    new Connection(pool, A, key)
  );
  for (const connection of [one, two, three]) assert(pool.put(connection!));

  assertEquals([one!.closed, two!.closed, three!.closed], [true, false, false]);
  assertEquals([pool.idle, pool.take([A], "one")], [2, undefined]);
  // All of one key serve each other: the newest is not needed.
  const crowded = new ConnectionPool<Connection>(1);
  const kept = new Connection(crowded, A, "one");
  assert(crowded.put(kept));
  assert(!crowded.put(new Connection(crowded, A, "one")));
  assert(!kept.closed);
  // A reload changed the header: those of before are of no use any more.
  assert(crowded.put(new Connection(crowded)));
  assert(kept.closed);
});

Deno.test("ConnectionPool with maxIdle 0 keeps none", () => {
  const pool = new ConnectionPool<Connection>(0);

  assert(!pool.put(new Connection(pool)));
});

Deno.test("ConnectionPool.remove forgets a connection that closed while it waited", () => {
  const { pool, connections: [first, second] } = filled(2);
  second!.close();

  assertEquals(pool.take([A]), first);
});

Deno.test("ConnectionPool.resize closes the coldest that are too many", () => {
  const { pool, connections } = filled(3);
  pool.resize(1);

  assertEquals(connections.map(({ closed }) => closed), [true, true, false]);
  assertEquals(pool.idle, 1);
  pool.resize(2);
  assert(pool.put(new Connection(pool)));
  assert(!pool.put(new Connection(pool)));
});

Deno.test("ConnectionPool.renew closes what waits, and takes back only what was dialled since", () => {
  const { pool, connections } = filled(2, 4);
  const busy = pool.take([A])!;
  const dialledBefore = new Connection(pool);
  pool.renew();

  assertEquals([connections[0]!.closed, busy.closed], [true, false]);
  assert(!pool.put(busy));
  assert(!pool.put(dialledBefore));
  assertEquals(pool.idle, 0);
  assert(pool.put(new Connection(pool)));
});

Deno.test("ConnectionPool.close closes what waits, and takes nothing more", () => {
  const { pool, connections } = filled(2);
  pool.close();

  assert(connections.every(({ closed }) => closed));
  assert(!pool.put(new Connection(pool)));
});
