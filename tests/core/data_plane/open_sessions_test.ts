/** How a plane's sessions are waited for, and cut where they take too long. */
import { OpenSessions } from "../../../core/data_plane/open_sessions.ts";
import { Tally } from "../../../core/data_plane/tally.ts";
import { NOWHERE } from "../../../core/net/roster.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import type { PlaneEnv } from "../../../core/session/env.ts";
import type { Session } from "../../../core/session/session.ts";
import { assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { metricValue } from "../../support/metric_value.ts";

/** Sessions by name, which end only where a test says so. */
function setUp(inOrder: readonly string[] = []) {
  const registry = new MetricRegistry();
  const clock = new FakeClock();
  const metrics = createProxyMetrics(registry);
  const tally = new Tally();
  const told: string[] = [];
  const known = new Map<string, Session>();
  const sessions = new OpenSessions({
    env: { metrics, clock } as unknown as PlaneEnv,
    tally,
    closeInOrder() {
      told.push("close in order");
      return new Set(inOrder.map((name) => known.get(name)!));
    },
  });
  return {
    clock,
    sessions,
    tally,
    told,
    count: (metric: string) => metricValue(registry.snapshot(), metric),
    opens(name: string, listener = "web") {
      const session = {
        place: NOWHERE,
        listener,
        drain: () => told.push(`drain ${name}`),
        abort: () => told.push(`abort ${name}`),
      } as unknown as Session;
      known.set(name, session);
      sessions.add(session);
    },
    ends: (name: string) => sessions.delete(known.get(name)!),
    /** Whether nobody waits any more. */
    async drains(timeout: number) {
      let over = false;
      sessions.over(timeout).then(() => over = true);
      await Promise.resolve();
      return async () => {
        for (let i = 0; i < 10; i++) await Promise.resolve();
        return over;
      };
    },
  };
}

Deno.test("OpenSessions: counts those that are there and those that came", () => {
  const t = setUp();
  t.opens("a");
  t.opens("b");
  t.ends("a");
  assertEquals([t.sessions.size, t.tally.sessions], [1, 1]);
  assertEquals(t.count("headrace_sessions_open"), 1);
  assertEquals(t.count("headrace_sessions_total"), 2);
});

Deno.test("OpenSessions: those that are meant drain", () => {
  const t = setUp();
  t.opens("a", "gone");
  t.opens("b", "web");
  t.sessions.drain(({ listener }) => listener === "gone");
  assertEquals(t.told, ["drain a"]);
  t.sessions.drain();
  assertEquals(t.told.toSorted(), ["drain a", "drain a", "drain b"]);
});

Deno.test("OpenSessions: are over at once where there are none, else with the last one, and no timer is left", async () => {
  const t = setUp();
  const none = await t.drains(1_000);
  assertEquals(await none(), true);
  t.opens("a");
  t.opens("b");
  const over = await t.drains(1_000);
  t.ends("a");
  assertEquals(await over(), false);
  t.ends("b");
  assertEquals([await over(), t.told, t.clock.pending], [true, [], 0]);
});

Deno.test("OpenSessions: who outlasts the drain is cut, who can be told so is closed in order and cut a second later", async () => {
  const t = setUp(["socket"]);
  t.opens("socket");
  t.opens("a");
  const over = await t.drains(1_000);
  t.clock.advance(999);
  assertEquals(t.told, []);
  t.clock.advance(1);
  assertEquals(t.told, ["close in order", "abort a"]);
  t.ends("a");
  t.clock.advance(999);
  assertEquals(await over(), false);
  t.clock.advance(1);
  assertEquals(t.told, ["close in order", "abort a", "abort socket"]);
  assertEquals([await over(), t.clock.pending], [true, 0]);
});

Deno.test("OpenSessions: a cut within a drain ends both, once they have unwound or after a second", async () => {
  const t = setUp();
  t.opens("a");
  t.opens("b");
  const drained = await t.drains(30_000);
  let cut = false;
  t.sessions.cut().then(() => cut = true);
  assertEquals(t.told.toSorted(), ["abort a", "abort b"]);
  t.ends("a");
  assertEquals([await drained(), cut], [false, false]);
  t.ends("b");
  assertEquals([await drained(), cut], [true, true]);
  assertEquals(t.clock.pending, 0);
});

Deno.test("OpenSessions: a cut waits a second for one that does not unwind", async () => {
  const t = setUp();
  t.opens("a");
  const cut = t.sessions.cut();
  t.clock.advance(1_000);
  await cut;
  assertEquals(t.sessions.size, 1);
  assertEquals(t.clock.pending, 0);
});
