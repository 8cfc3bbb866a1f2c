import { CASES, type ProxyName } from "../../../scripts/bench/cases.ts";
import { markdownReport, textReport } from "../../../scripts/bench/report.ts";
import { rowOf } from "../../../scripts/bench/results.ts";
import type { Sample } from "../../../scripts/bench/sample.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../support/assert.ts";

const SHORT = CASES[0]!;

function runOf(
  costs: Partial<Record<ProxyName, number>>,
  problems: readonly string[] = [],
): Map<ProxyName, Sample> {
  return new Map(
    Object.entries(costs).map(([name, cost]) => [
      name as ProxyName,
      { cost, rate: 1e6 / cost, problems: name === "headrace" ? problems : [] },
    ]),
  );
}

Deno.test("bench: ratios are of each run, not of medians", () => {
  // The machine slows down: medians alone would say 15 / 20.
  const row = rowOf(SHORT, [
    runOf({ headrace: 12, haproxy: 10 }),
    runOf({ headrace: 15, haproxy: 20 }),
    runOf({ headrace: 48, haproxy: 40 }),
  ]);
  assertEquals(row.cells.haproxy?.ratio, { median: 1.2, min: 0.75, max: 1.2 });
  assertEquals(row.cells.headrace?.cost, { median: 15, min: 12, max: 48 });
  assertEquals(row.cells.nginx, undefined);
  assertEquals(row.problems, []);
});

Deno.test("bench: goals are met or missed by the median ratio", () => {
  const row = rowOf(SHORT, [runOf({ headrace: 15, haproxy: 10, caddy: 100 })]);
  assertEquals(
    row.verdicts.map(({ against, goal, met }) => [against, goal, met]),
    [["haproxy", 1.2, false], ["caddy", 0.18, true]],
  );
  assertEquals(row.verdicts[0]!.measured, 1.5);
  assertStringIncludes(
    textReport([row]),
    "HAProxy ≤ 1.2 missed by 25 %; Caddy ≤ 0.18 met",
  );
});

Deno.test("bench: what was wrong is said, and what was not measured does not count", () => {
  const row = rowOf(SHORT, [
    runOf({ headrace: 10, haproxy: 10 }, ["3 read errors"]),
    runOf({ headrace: NaN, haproxy: 10 }, ["not measured"]),
  ]);
  assertEquals(row.cells.headrace?.cost.max, 10);
  assertEquals(row.cells.haproxy?.ratio, { median: 1, min: 1, max: 1 });
  const text = textReport([row]);
  assertStringIncludes(text, `NOT RIGHT: ${row.case}: headrace: 3 read errors`);
  assertStringIncludes(text, "headrace: not measured");
});

Deno.test("bench: latencies of paced load are told", () => {
  const paced = CASES.find(({ kind }) => kind === "paced")!;
  const latency = {
    p50: 0.1,
    p99: 2,
    p999: 30,
    max: 31,
    late: 0.05,
    offered: 20_000,
  };
  const sample: Sample = { cost: 2, latency, problems: [] };
  const row = rowOf(paced, [new Map([["headrace", sample]])]);
  assertEquals(row.offered, 20_000);
  assertStringIncludes(
    textReport([row]),
    "at 20.0k requests a second",
  );
  assertStringIncludes(
    textReport([row]),
    "Headrace 0.100 / 2.00 / 30.0 (late 0.050)",
  );
});

Deno.test("bench: Markdown has as many cells in each line", () => {
  const rows = [
    rowOf(SHORT, [runOf({ headrace: 15, haproxy: 10 })]),
    rowOf(SHORT, [runOf({ headrace: 15, nginx: 10, caddy: 20 })]),
  ];
  const lines = markdownReport(rows).split("\n");
  const counts = lines.map((line) => line.split("|").length);
  assert(counts.every((count) => count === counts[0]), counts.join());
  assertEquals(lines.length, 4);
});

Deno.test("bench: cases have names of their own, and requests are whole", () => {
  assertEquals(new Set(CASES.map(({ name }) => name)).size, CASES.length);
  for (const { name, request } of CASES) {
    assert(request.endsWith("\r\n\r\n"), name);
    if (name.includes("ping-pong")) assertEquals(request.length, 64);
    if (name.includes("browser head of 575 B")) {
      assertEquals(request.length, 575);
    }
  }
});
