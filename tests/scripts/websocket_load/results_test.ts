/** Which figures of the load harness miss a goal. */
import { assertEquals } from "../../support/assert.ts";
import { FAILOVER_ROWS } from "../../../scripts/websocket_load/failover_rows.ts";
import { RELAY_ROWS } from "../../../scripts/websocket_load/relay_rows.ts";
import { misses } from "../../../scripts/websocket_load/results.ts";
import type { FailoverFigures } from "../../../scripts/websocket_load/run_failover.ts";

/** Figures of a row that meet every goal. */
const GOOD: FailoverFigures = {
  sent: 40_000,
  upLost: 0,
  upDuplicated: 0,
  upReordered: 0,
  pushed: 40_000,
  downLost: 0,
  downDuplicated: 0,
  downReordered: 0,
  unanswered: 0,
  closed: [],
  replayed: 0,
  promised: 0,
  moved: 10,
  stuck: 0,
  dying: 8,
  gapMedian: 15,
  gapLongest: 40,
  ownGap: 10,
  othersMedian: 3,
  late: 50,
};

/** What a row misses with such figures. */
function missedBy(name: string, figures: Partial<FailoverFigures>): string[] {
  const row = FAILOVER_ROWS.find((one) => one.name === name)!;
  const result = { row, figures: { ...GOOD, ...figures } };
  return misses({ failover: [result], relay: [], idle: [] });
}

Deno.test("goals: good figures miss none", () => {
  for (const { name } of FAILOVER_ROWS) assertEquals(missedBy(name, {}), []);
});

Deno.test("goals: whatever is lost, doubled downwards, out of order, stuck or closed misses one", () => {
  for (
    const key of [
      "upLost",
      "upReordered",
      "downLost",
      "downDuplicated",
      "downReordered",
      "stuck",
    ] as const
  ) {
    assertEquals(missedBy("kill", { [key]: 2 }), [`kill: ${key} 2, not 0`]);
    assertEquals(missedBy("drain", { [key]: 2 }), [`drain: ${key} 2, not 0`]);
  }
  assertEquals(missedBy("kill", { closed: [1006] }), ["kill: closed 1"]);
  assertEquals(missedBy("kill", { moved: 0 }), ["kill: no session moved"]);
});

Deno.test("goals: a crash may double what is replayed and leave requests unanswered, a planned move may not", () => {
  const after = { upDuplicated: 3, replayed: 3, unanswered: 2 };
  assertEquals(missedBy("kill", after), []);
  assertEquals(missedBy("drain", after), [
    "drain: upDuplicated 3, not 0",
    "drain: unanswered 2, not 0",
  ]);
  assertEquals(missedBy("kill", { ...after, replayed: 2 }), [
    "kill: upDuplicated 3, 2 replayed",
  ]);
});

Deno.test("goals: a gap counts beyond what the trigger itself takes, and only where another backend is up", () => {
  assertEquals(missedBy("kill", { gapMedian: 15.2 }), [
    "kill: gap 15.2 ms, at most 15",
  ]);
  assertEquals(missedBy("kill-stalled-500", { gapMedian: 515 }), []);
  assertEquals(missedBy("kill-stalled-500", { gapMedian: 516 }), [
    "kill-stalled-500: gap 516.0 ms, at most 515",
  ]);
  assertEquals(
    missedBy("kill-stalled-500", { gapMedian: 523, dying: 508 }),
    [],
  );
  assertEquals(missedBy("kill-stalled-500", { gapMedian: 524, dying: 508.4 }), [
    "kill-stalled-500: gap 524.0 ms, at most 523.4",
  ]);
  assertEquals(missedBy("single", { gapMedian: 600 }), []);
});

Deno.test("goals: a row without figures is told", () => {
  const row = FAILOVER_ROWS[0]!;
  const result = { row, failure: "NOT RUN: there is no route" };
  assertEquals(misses({ failover: [result], relay: [], idle: [] }), [
    "kill: NOT RUN: there is no route",
  ]);
});

Deno.test("goals: CPU and memory, Headrace's own alone", () => {
  const figures = { perSecond: 1, median: 1, p99: 1 };
  const relay = RELAY_ROWS.map((row) => ({
    row,
    figures: [
      { target: "Headrace", cpu: 25, ...figures },
      { target: "nginx", cpu: 100, ...figures },
    ],
  }));
  const idle = [
    { target: "Headrace", fresh: 24, small: 24.3, large: 20 },
    { target: "nginx", fresh: 50, small: 50, large: 50 },
  ];
  assertEquals(misses({ failover: [], relay, idle }), [
    "64b-16: 25.00 µs, at most 3.3",
    "idle, small: 24.3 KB, at most 24",
  ]);
});
