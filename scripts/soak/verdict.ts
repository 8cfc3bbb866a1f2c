/**
 * What a soak showed, against what it must: the last part of a run compared with
 * the part behind its warming up.
 *
 * @module
 */
import { figure, textTable } from "../websocket_load/text_table.ts";
import type { LoadReport } from "./load_main.ts";
import { GAUGES, type Sample } from "./proxy.ts";
import type { Round } from "./websocket_main.ts";
import { type CollectionBook, pauseFigures } from "./gc_trace.ts";

/** Everything that a run left behind. */
export interface Evidence {
  /** Milliseconds of the harness's clock. */
  readonly began: number;
  readonly stopped: number;
  /** Under load. */
  readonly samples: readonly Sample[];
  /** Before the first request, and when all is over. */
  readonly before: Sample;
  readonly idle: Sample;
  readonly load: LoadReport;
  readonly rounds: readonly Round[];
  readonly reloads: { readonly good: number; readonly refused: number };
  readonly deaths: number;
  readonly collections: CollectionBook;
  readonly complaints: ReadonlyMap<string, number>;
  /** The exit code of the proxy. */
  readonly code: number;
}

/** Resident memory at the end over that of minute 5, at most. */
const MAX_GROWTH = 1.1;

/** Descriptors more than at minute 5, at most: what happens to be open of a load that is dealt at random. */
const MORE_DESCRIPTORS = 20;

/** Descriptors more than before the first request, when all is over: files of logs that were opened with it. */
const LEFT_DESCRIPTORS = 3;

/** The parts of a run that are compared: a sixth each, the second and the last, minutes 5 to 10 and 25 to 30 of 30. */
export function parts(
  { samples, began, stopped }: Pick<Evidence, "samples" | "began" | "stopped">,
): { readonly early: readonly Sample[]; readonly late: readonly Sample[] } {
  const sixth = (stopped - began) / 6;
  const within = (from: number) =>
    samples.filter(({ at }) =>
      at - began >= from * sixth && at - began < (from + 1) * sixth
    );
  return { early: within(1), late: within(5) };
}

/** The middle of values; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** One line for each thing that is not as it must be. */
export function problemsOf(evidence: Evidence): string[] {
  const { load, rounds, before, idle, reloads, code } = evidence;
  const problems: string[] = [];
  const { early, late } = parts(evidence);
  const of = (samples: readonly Sample[], key: "resident" | "descriptors") =>
    median(samples.map((sample) => sample[key]));
  const growth = of(late, "resident") / of(early, "resident");
  if (!(growth <= MAX_GROWTH)) {
    problems.push(
      `resident memory is ${growth.toFixed(2)} times the early one`,
    );
  }
  const more = of(late, "descriptors") - of(early, "descriptors");
  if (!(more <= MORE_DESCRIPTORS)) {
    problems.push(`${more} descriptors more than early`);
  }
  const left = idle.descriptors - before.descriptors;
  if (left > LEFT_DESCRIPTORS) {
    problems.push(`${left} descriptors are left when all is over`);
  }
  const disk = idle.metrics.get(GAUGES.diskErrors) ?? 0;
  if (disk !== 0) problems.push(`${disk} errors of the cache's disk`);
  for (const name of ["sessions", "pool", "websockets"] as const) {
    const open = idle.metrics.get(GAUGES[name]) ?? 0;
    if (open !== 0) problems.push(`${GAUGES[name]} is ${open} in the end`);
  }
  for (const [kind, counts] of Object.entries(load.kinds)) {
    if (counts.done === 0) problems.push(`${kind}: nothing was done`);
    if (counts.wrong > 0) problems.push(`${kind}: ${counts.wrong} wrong`);
    if (counts.unexplained > 0) {
      problems.push(`${kind}: ${counts.unexplained} failed unexplained`);
    }
  }
  if (rounds.length === 0) problems.push("no WebSocket round came to its end");
  rounds.forEach(({ happened, problems: each }, i) => {
    for (const problem of each) {
      problems.push(`WebSocket round ${i + 1} (${happened}): ${problem}`);
    }
  });
  for (
    const [result, wanted] of [["ok", reloads.good], [
      "refused",
      reloads.refused,
    ]] as const
  ) {
    const key = `${GAUGES.reloads}{result="${result}"}`;
    const counted = idle.metrics.get(key) ?? 0;
    if (counted !== wanted) {
      problems.push(`${counted} reloads were ${result}, not ${wanted}`);
    }
  }
  if (code !== 0) problems.push(`the proxy ended with ${code}`);
  return problems;
}

const MEGA = 1 << 20;

/** The tables. */
export function tables(evidence: Evidence): string {
  return [
    resources(evidence),
    traffic(evidence),
    webSockets(evidence),
    pauses(evidence),
    ...others(evidence),
  ].join("\n\n");
}

function resources(evidence: Evidence): string {
  const { early, late } = parts(evidence);
  const { before, idle } = evidence;
  const metric = (key: string) => (sample: Sample) =>
    sample.metrics.get(key) ?? 0;
  const rows: [string, (sample: Sample) => number, number][] = [
    ["resident, MB", ({ resident }) => resident / MEGA, 1],
    ["heap behind collections, MB", ({ heap }) => heap, 1],
    ["descriptors", ({ descriptors }) => descriptors, 0],
    ["files of the cache", ({ cacheFiles }) => cacheFiles, 0],
    ["open sessions", metric(GAUGES.sessions), 0],
    ["connections to backends", metric(GAUGES.pool), 0],
    ["WebSocket sessions", metric(GAUGES.websockets), 0],
    [
      "cached in memory, MB",
      (sample) => metric(GAUGES.cached)(sample) / MEGA,
      1,
    ],
  ];
  const minutes = (sixth: number) =>
    figure((evidence.stopped - evidence.began) / 360_000 * sixth, 1);
  return textTable(
    [
      "medians",
      "before",
      `minutes ${minutes(1)} to ${minutes(2)}`,
      `minutes ${minutes(5)} to ${minutes(6)}`,
      "idle at the end",
    ],
    rows.map(([name, value, decimals]) => [
      name,
      figure(value(before), decimals),
      figure(median(early.map(value)), decimals),
      figure(median(late.map(value)), decimals),
      figure(value(idle), decimals),
    ]),
  );
}

function traffic({ load }: Evidence): string {
  const rows = Object.entries(load.kinds);
  const sum = (key: keyof typeof rows[0][1]) =>
    rows.reduce((sum, [, counts]) => sum + counts[key], 0);
  const cells = (
    name: string,
    value: (key: keyof typeof rows[0][1]) => number,
  ) => [
    name,
    String(value("done")),
    figure(value("bytes") / MEGA, 1),
    String(value("explained")),
    String(value("unexplained")),
    String(value("wrong")),
  ];
  return textTable(
    [
      "traffic",
      "done",
      "MB compared",
      "failed, a backend was away",
      "failed otherwise",
      "wrong",
    ],
    [
      ...rows.map(([name, counts]) => cells(name, (key) => counts[key])),
      cells("all", sum),
    ],
  );
}

function webSockets({ rounds }: Evidence): string {
  const by = new Map<string, Round[]>();
  for (const round of rounds) {
    by.set(round.happened, [...by.get(round.happened) ?? [], round]);
  }
  const sum = (
    all: readonly Round[],
    key: "sent" | "upLost" | "upDuplicated" | "downLost" | "unanswered",
  ) => String(all.reduce((sum, round) => sum + round[key], 0));
  return textTable(
    [
      "WebSocket sessions",
      "rounds",
      "sent",
      "lost up",
      "twice up",
      "lost down",
      "unanswered",
      "closed",
    ],
    [...by].map(([happened, all]) => [
      happened,
      String(all.length),
      sum(all, "sent"),
      sum(all, "upLost"),
      sum(all, "upDuplicated"),
      sum(all, "downLost"),
      sum(all, "unanswered"),
      String(all.reduce((sum, { closed }) => sum + closed.length, 0)),
    ]),
  );
}

/** Of collections once it is warm. */
function pauses(evidence: Evidence): string {
  const warm = parts(evidence).early[0]?.collections ?? 0;
  const collections = evidence.collections.collections.slice(warm);
  const rows = [
    ["scavenge", pauseFigures(collections, "scavenge")],
    ["mark-compact and its steps", pauseFigures(collections, "mark-compact")],
    ["all", pauseFigures(collections)],
  ] as const;
  return textTable(
    [
      "garbage collection once warm, ms",
      "pauses",
      "p50",
      "p99",
      "longest",
      "in all",
    ],
    rows.map(([name, { count, median, p99, longest, all }]) => [
      name,
      String(count),
      figure(median, 2),
      figure(p99, 2),
      figure(longest, 2),
      figure(all, 0),
    ]),
  );
}

function others(evidence: Evidence): string[] {
  const { samples, load, reloads, deaths, complaints, before, idle } = evidence;
  const seconds = (evidence.stopped - evidence.began) / 1_000;
  const last = samples.at(-1) ?? idle;
  const cpu = (last.cpu - before.cpu) / seconds;
  const listed = (title: string, entries: Iterable<[string, number]>) => {
    const rows = [...entries].map(([text, count]) => `  ${count} × ${text}`);
    return rows.length === 0 ? [] : [[title, ...rows].join("\n")];
  };
  return [
    `${figure(seconds)} s, ${
      figure(100 * cpu)
    } % of a core for the proxy, ${reloads.good} reloads and ${reloads.refused} refused ones, ${deaths} deaths of backends beside those of the WebSocket rounds`,
    ...listed(
      "What failed while a backend was away:",
      Object.entries(load.explained),
    ),
    ...listed("What the proxy complained of:", complaints),
    ...(load.told.length === 0
      ? []
      : [["What failed otherwise:", ...load.told].join("\n  ")]),
  ];
}
