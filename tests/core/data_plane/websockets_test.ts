/** Which WebSocket sessions of a plane are listed, and which leave their backend. */
import { Tally } from "../../../core/data_plane/tally.ts";
import { WebSocketSessions } from "../../../core/data_plane/websockets.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import type { BackendEvent } from "../../../core/plugin.ts";
import type { WebSocketSession } from "../../../core/session/websocket_session.ts";
import type { Snapshot } from "../../../core/snapshot/snapshot.ts";
import { assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { metricValue } from "../../support/metric_value.ts";

interface Shape {
  readonly backend?: string;
  readonly url?: string;
  readonly cluster?: string;
  readonly state?: string;
  readonly dialer?: boolean;
}

/** A plane with the cluster `main`, whose backends are in the states of `backends`. */
function setUp(backends: Readonly<Record<string, string>> = { a: "up" }) {
  const registry = new MetricRegistry();
  const clock = new FakeClock();
  const tally = new Tally();
  const told: string[] = [];
  const cluster = {
    find: (id: string) =>
      backends[id] === undefined
        ? undefined
        : { health: { state: backends[id] }, url: { href: `http://${id}` } },
    servesWithout: (id: string) =>
      Object.keys(backends).some((each) => each !== id),
  };
  const current = {
    cluster: (name: string) => name === "main" ? cluster : undefined,
  } as unknown as Snapshot;
  const sessions = new WebSocketSessions({
    worker: 2,
    env: { clock, metrics: createProxyMetrics(registry) },
    tally,
    current: () => current,
  });
  const opens = (
    id: string,
    {
      backend = "a",
      url = `http://${backend}`,
      cluster = "main",
      state = "open",
      dialer,
    }: Shape = {},
  ): WebSocketSession => {
    const session = {
      id,
      cluster,
      backendId: backend,
      backend: {
        backendId: backend,
        url: dialer ? undefined : url,
        dialer: dialer ? {} : undefined,
      },
      uri: "/",
      startedAt: 0,
      movedAt: 0,
      transaction: {
        session: {
          listener: "web",
          initiator: { remote: { address: "10.0.0.1", port: 1 } },
          env: { clock },
        },
      },
      proxy: {
        state,
        buffered: 10,
        close: (code: number) => told.push(`close ${id} ${code}`),
        retry: () => told.push(`retry ${id}`),
        move(reason: string, { must }: { must: boolean }) {
          told.push(`move ${id} ${reason}${must ? " must" : ""}`);
          return true;
        },
        leaveDeleted: (backend: string) =>
          told.push(`leaveDeleted ${id} ${backend}`),
      },
    } as unknown as WebSocketSession;
    sessions.add(session);
    return session;
  };
  return {
    sessions,
    tally,
    told,
    opens,
    count: (metric: string) => metricValue(registry.snapshot(), metric),
  };
}

Deno.test("WebSocketSessions: are counted, listed as asked for, and no more one by one than wanted", () => {
  const t = setUp({ a: "up", b: "up" });
  t.opens("1");
  t.opens("2", { backend: "b", state: "holding" });
  t.opens("3", { state: "closed" });
  const gone = t.opens("4");
  t.sessions.delete(gone);
  assertEquals(t.tally.websockets, 3);
  assertEquals(t.count("headrace_websocket_buffered_bytes"), 30);
  const ids = (query: Parameters<typeof t.sessions.list>[0]) => {
    const { open, sessions } = t.sessions.list(query);
    return [open, ...sessions.map(({ id }) => id)];
  };
  assertEquals(ids({ limit: 9 }), [2, "1", "2"]);
  assertEquals(ids({ limit: 1 }), [2, "1"]);
  assertEquals(ids({ limit: 9, backend: "b" }), [1, "2"]);
  assertEquals(ids({ limit: 9, state: "open" }), [1, "1"]);
  assertEquals(ids({ limit: 9, cluster: "other" }), [0]);
  assertEquals(ids({ limit: 9, listener: "other" }), [0]);
  assertEquals(t.sessions.list({ limit: 1 }).sessions[0]!.worker, 2);
});

Deno.test("WebSocketSessions: one is closed by its id, all with what clients get as a proxy goes", () => {
  const t = setUp();
  const first = t.opens("1");
  t.opens("2", { state: "closed" });
  assertEquals(
    ["1", "2", "3"].map((id) => t.sessions.abort(id)),
    [true, false, false],
  );
  assertEquals(t.told, ["close 1 1000"]);
  const connections = t.sessions.closeAll();
  assertEquals(t.told.slice(1), ["close 1 1001", "close 2 1001"]);
  assertEquals([...connections][0], first.transaction.session);
});

Deno.test("WebSocketSessions: who is on a backend that is gone must leave, who is on one that drains may", () => {
  const t = setUp({ a: "up", b: "drain", c: "maintenance" });
  t.opens("up");
  t.opens("drained", { backend: "b" });
  t.opens("maintained", { backend: "c" });
  t.opens("orphan", { backend: "gone" });
  t.opens("renamed", { url: "http://gone" });
  t.opens("dialled", { backend: "gone", dialer: true });
  t.opens("elsewhere", { cluster: "gone" });
  const moves = [
    "move drained drain",
    "move maintained drain",
    "move orphan drain must",
    "move renamed drain must",
  ];
  assertEquals(t.told.splice(0), moves);
  t.sessions.moveOrphans();
  assertEquals(t.told, moves);
});

Deno.test("WebSocketSessions: an operator moves one or a backend's, where others would take them", () => {
  const t = setUp({ a: "up" });
  t.opens("1");
  t.opens("2", { state: "holding" });
  t.opens("3", { dialer: true });
  // Nobody but `a` is there: one that is on it stays.
  assertEquals(t.sessions.move({ backend: "a" }), { sessions: 3, moving: 2 });
  assertEquals(t.told.splice(0), ["move 2 admin", "move 3 admin"]);
  assertEquals(t.sessions.move({ id: "?" }), { sessions: 0, moving: 0 });
});

Deno.test("WebSocketSessions: a backend's change is followed by its cluster's sessions, a deleted one by its dialer's", () => {
  const t = setUp({ a: "up", b: "up" });
  t.opens("1");
  t.opens("2", { backend: "b" });
  t.opens("3", { cluster: "other" });
  t.opens("4", { dialer: true });
  t.sessions.backendChanged(
    {
      cluster: "main",
      backend: "a",
      kind: "admin",
      to: "drain",
    } as BackendEvent,
  );
  assertEquals(t.told.splice(0), [
    "move 1 drain",
    "retry 2",
    "move 4 drain",
  ]);
  t.sessions.leaveDeleted("main", "a");
  assertEquals(t.told, ["leaveDeleted 4 a"]);
});
