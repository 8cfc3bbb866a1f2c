/** The soak's verdict: each thing that may be wrong is seen, and only that. */
import { assertEquals } from "../../support/assert.ts";
import { CollectionBook } from "../../../scripts/soak/gc_trace.ts";
import type { LoadReport } from "../../../scripts/soak/load_main.ts";
import { GAUGES, type Sample } from "../../../scripts/soak/proxy.ts";
import {
  type Evidence,
  problemsOf,
  tables,
} from "../../../scripts/soak/verdict.ts";
import type { Round } from "../../../scripts/soak/websocket_main.ts";

const RELOADED = {
  [`${GAUGES.reloads}{result="ok"}`]: 6,
  [`${GAUGES.reloads}{result="refused"}`]: 1,
};

function sample(at: number, more: Partial<Sample> = {}): Sample {
  return {
    at,
    resident: 100,
    descriptors: 50,
    cacheFiles: 0,
    heap: 1,
    cpu: at / 10_000,
    collections: 0,
    metrics: new Map(Object.entries(RELOADED)),
    ...more,
  };
}

const ROUND: Round = {
  happened: "kill",
  problems: [],
  sent: 10,
  upLost: 0,
  upDuplicated: 0,
  upReordered: 0,
  pushed: 10,
  downLost: 0,
  downDuplicated: 0,
  downReordered: 0,
  unanswered: 0,
  closed: [],
};

const COUNTS = { done: 5, bytes: 9, explained: 1, unexplained: 0, wrong: 0 };

function load(counts: Partial<typeof COUNTS> = {}): LoadReport {
  return {
    kinds: { GET: { ...COUNTS, ...counts } },
    explained: {},
    told: [],
    over: true,
  };
}

/** A minute, a sample every second. */
function evidence(
  more: Partial<Evidence> = {},
  at: (second: number) => Partial<Sample> = () => ({}),
): Evidence {
  return {
    began: 0,
    stopped: 60_000,
    samples: Array.from(
      { length: 60 },
      (_, i) => sample(1_000 * i, at(i)),
    ),
    before: sample(0, { descriptors: 20 }),
    idle: sample(70_000, { descriptors: 21 }),
    load: load(),
    rounds: [ROUND],
    reloads: { good: 6, refused: 1 },
    deaths: 1,
    collections: new CollectionBook(),
    complaints: new Map(),
    code: 0,
    ...more,
  };
}

Deno.test("soak's verdict: a good run has no problems", () => {
  assertEquals(problemsOf(evidence()), []);
});

Deno.test("soak's verdict: memory and descriptors count by the middle of the second and the last sixth", () => {
  // What grows while it warms up, and what one sample shows, is no finding.
  const good = (i: number) =>
    i < 10 ? { resident: 10 } : i === 55 ? { resident: 900 } : {};
  assertEquals(problemsOf(evidence({}, good)), []);
  const leaking = (i: number) => ({ resident: 100 + i, descriptors: 50 + i });
  assertEquals(problemsOf(evidence({}, leaking)), [
    "resident memory is 1.35 times the early one",
    "40 descriptors more than early",
  ]);
});

Deno.test("soak's verdict: nothing may be open in the end", () => {
  const metrics = { ...RELOADED, [GAUGES.pool]: 3 };
  const idle = sample(70_000, {
    descriptors: 24,
    metrics: new Map(Object.entries(metrics)),
  });
  assertEquals(problemsOf(evidence({ idle })), [
    "4 descriptors are left when all is over",
    "headrace_pool_connections is 3 in the end",
  ]);
});

Deno.test("soak's verdict: wrong bytes, failures without a reason, and kinds that did nothing", () => {
  assertEquals(problemsOf(evidence({ load: load({ wrong: 1 }) })), [
    "GET: 1 wrong",
  ]);
  assertEquals(problemsOf(evidence({ load: load({ unexplained: 2 }) })), [
    "GET: 2 failed unexplained",
  ]);
  assertEquals(problemsOf(evidence({ load: load({ done: 0 }) })), [
    "GET: nothing was done",
  ]);
});

Deno.test("soak's verdict: WebSocket rounds, reloads and the end of the process", () => {
  const rounds = [ROUND, { ...ROUND, problems: ["upLost 1"] }];
  assertEquals(problemsOf(evidence({ rounds })), [
    "WebSocket round 2 (kill): upLost 1",
  ]);
  assertEquals(problemsOf(evidence({ rounds: [] })), [
    "no WebSocket round came to its end",
  ]);
  assertEquals(problemsOf(evidence({ reloads: { good: 7, refused: 1 } })), [
    "6 reloads were ok, not 7",
  ]);
  assertEquals(problemsOf(evidence({ code: 1 })), ["the proxy ended with 1"]);
});

Deno.test("soak's verdict: the tables tell both ends of a run", () => {
  const text = tables(evidence({}, (i) => ({ descriptors: i })));
  const row = text.split("\n").find((line) => line.startsWith("descriptors"));
  assertEquals(row?.split(/\s{2,}/), ["descriptors", "20", "15", "55", "21"]);
});
