/**
 * Rows for terminals and for READMEs.
 *
 * @module
 */
import { textTable } from "../websocket_load/text_table.ts";
import { PROXIES, type ProxyName } from "./cases.ts";
import type { Machine } from "./machine.ts";
import type { Cell, Row, Verdict } from "./results.ts";
import { type Place, WARM_UP } from "./setup.ts";

const NAMES: Readonly<Record<ProxyName, string>> = {
  headrace: "Headrace",
  haproxy: "HAProxy",
  nginx: "nginx",
  caddy: "Caddy",
};

const OTHERS = ["haproxy", "nginx", "caddy"] as const;

const HEADS = [
  "case",
  "unit",
  ...PROXIES.map((name) => NAMES[name]),
  ...OTHERS.map((name) => `to ${NAMES[name]}`),
  "goals",
];

/** How it was measured, in sentences. */
export function conditionsOf(machine: Machine, io: Place["io"]): string[] {
  const versions = PROXIES.flatMap((name) => {
    const version = machine.versions[name];
    return version === undefined ? [] : [`${NAMES[name]} ${version}`];
  });
  return [
    `${machine.cores} cores (${machine.processor}), Linux ${machine.kernel}, Deno ${machine.deno}, ${
      versions.join(", ")
    }.`,
    `Load, proxy and backend share the cores. Each proxy has one: Headrace one worker (io: ${io}), HAProxy nbthread 1, nginx worker_processes 1, Caddy GOMAXPROCS=1. Headrace has served each case for ${WARM_UP} s before.`,
    "All keep connections to the backend (nginx); Caddy has no admin interface, and logs only where the case says so; no client resumes a TLS session where handshakes are measured.",
    "Logs of \"log, field edits, 3 rules\" go to files: HAProxy's httplog by its standard output, nginx's and Headrace's combined in batches, Caddy's JSON.",
    "Cost is the CPU time of the proxy's process per request or per gigabyte of bodies, for memory the growth of resident bytes per connection; beside it requests or megabytes a second. Medians of interleaved runs; ratios are Headrace's cost by the other's, run by run, with the lowest and highest.",
  ];
}

/** The table for terminals, with what was wrong and latencies below it. */
export function textReport(rows: readonly Row[]): string {
  const lines = [textTable(HEADS, rows.map(cellsOf))];
  for (const row of rows) lines.push(...latencyLines(row));
  for (const row of rows) {
    for (const problem of row.problems) {
      lines.push(`NOT RIGHT: ${row.case}: ${problem}`);
    }
  }
  return lines.join("\n");
}

/** The same in Markdown. */
export function markdownReport(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const notes = rows.flatMap((row) => [
    ...latencyLines(row),
    ...row.problems.map((problem) => `Not right: ${row.case}: ${problem}`),
  ]);
  return [
    line(HEADS),
    line(HEADS.map((_, i) => i === 0 ? "---" : "--:")),
    ...rows.map((row) => line(cellsOf(row))),
    ...notes.flatMap((note) => ["", note]),
  ].join("\n");
}

function cellsOf(row: Row): string[] {
  return [
    row.case,
    row.unit,
    ...PROXIES.map((name) => costCell(row, name)),
    ...OTHERS.map((name) => ratioCell(row.cells[name])),
    row.verdicts.map(verdictText).join("; "),
  ];
}

function costCell({ cells, rateUnit }: Row, name: ProxyName): string {
  const cell = cells[name];
  if (cell === undefined) return "";
  const cost = figure(cell.cost.median);
  return cell.rate === undefined
    ? cost
    : `${cost} (${rateText(cell.rate)}${rateUnit})`;
}

function ratioCell(cell: Cell | undefined): string {
  if (cell?.ratio === undefined) return "";
  const { median, min, max } = cell.ratio;
  return `${figure(median)} (${figure(min)}–${figure(max)})`;
}

function verdictText({ against, goal, measured, met }: Verdict): string {
  const whose = against === "absolute" ? "" : `${NAMES[against]} `;
  const missed = Math.round((measured / goal - 1) * 100);
  return `${whose}≤ ${goal} ${met ? "met" : `missed by ${missed} %`}`;
}

function latencyLines(row: Row): string[] {
  if (row.offered === undefined) return [];
  const each = PROXIES.flatMap((name) => {
    const latency = row.cells[name]?.latency;
    if (latency === undefined) return [];
    const { p50, p99, p999, late } = latency;
    return [
      `${NAMES[name]} ${[p50, p99, p999].map(figure).join(" / ")} (late ${
        figure(late)
      })`,
    ];
  });
  return [
    `Latency in ms at ${
      rateText(row.offered)
    } requests a second, p50 / p99 / p99.9 (and what the generator itself was late by at its p99): ${
      each.join(", ")
    }.`,
  ];
}

/** About three digits. */
function figure(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

function rateText(rate: number): string {
  return rate >= 10_000 ? `${(rate / 1_000).toFixed(1)}k` : rate.toFixed(0);
}
