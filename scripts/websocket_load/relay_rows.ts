/**
 * What relaying costs: the loads of wsbalancer's table, beside its figures.
 *
 * @module
 */
import { quantile } from "./gaps.ts";
import { RelayClients, type RelayLoad } from "./relay_load.ts";
import type { RelayTarget } from "./relay_targets.ts";
import { cpuSeconds } from "../process_stat.ts";

/** One row. */
export interface RelayRow {
  readonly name: string;
  readonly does: string;
  readonly load: RelayLoad;
  /** CPU of the proxy per relayed message in microseconds, at most; undefined = no goal. */
  readonly goal?: number;
  readonly wsbalancer: { readonly perSecond: string; readonly cpu: string };
}

/** Every row. */
export const RELAY_ROWS: readonly RelayRow[] = [
  {
    name: "64b-16",
    does: "64 B, 16 in flight",
    load: { size: 64, pace: { inFlight: 16 } },
    goal: 3.3,
    wsbalancer: { perSecond: "194k-314k", cpu: "3.3-3.8" },
  },
  {
    name: "64b-1",
    does: "64 B, 1 in flight",
    load: { size: 64, pace: { inFlight: 1 } },
    wsbalancer: { perSecond: "100k", cpu: "8.7" },
  },
  {
    name: "64b-paced",
    does: "64 B, 100/s each",
    load: { size: 64, pace: { perSecond: 100 } },
    wsbalancer: { perSecond: "10k", cpu: "11.1-13.1" },
  },
  {
    name: "16k-4",
    does: "16 KB, 4 in flight",
    load: { size: 16 << 10, pace: { inFlight: 4 } },
    goal: 30,
    wsbalancer: { perSecond: "7.3k-12.4k", cpu: "87-95" },
  },
  {
    name: "16k-1",
    does: "16 KB, 1 in flight",
    load: { size: 16 << 10, pace: { inFlight: 1 } },
    wsbalancer: { perSecond: "6.7k-11.3k", cpu: "96-102" },
  },
  {
    name: "16k-paced",
    does: "16 KB, 20/s each",
    load: { size: 16 << 10, pace: { perSecond: 20 } },
    wsbalancer: { perSecond: "2k", cpu: "125-135" },
  },
];

/** What a target showed, medians over its windows. */
export interface RelayFigures {
  readonly target: string;
  /** Messages per second, both directions together. */
  readonly perSecond: number;
  /** CPU of the target's process per relayed message, in microseconds; NaN where there is none between. */
  readonly cpu: number;
  /** Round trips, in milliseconds. */
  readonly median: number;
  readonly p99: number;
}

/** How rows are run. */
export interface RelayOptions {
  /** Of each window. */
  readonly seconds: number;
  /** Windows. */
  readonly runs: number;
}

/** What a compiler learns in the first seconds is not what is asked. */
const WARM_UP = 2;

/** Runs a row on every target in turn. */
export async function runRelay(
  { load }: RelayRow,
  targets: readonly RelayTarget[],
  { seconds, runs }: RelayOptions,
): Promise<RelayFigures[]> {
  const windows = new Map<RelayTarget, RelayFigures[]>(
    targets.map((target) => [target, []]),
  );
  // In turns: the machine's speed drifts.
  for (let run = 0; run < runs; run++) {
    for (const [target, figures] of windows) {
      await using clients = await RelayClients.start(target.port, load);
      await clients.measure(WARM_UP);
      const before = await cpuOf(target);
      const window = await clients.measure(seconds);
      const cpu = await cpuOf(target) - before;
      const { relayed, roundTrips } = window;
      figures.push({
        target: target.name,
        perSecond: relayed / window.seconds,
        cpu: cpu / relayed * 1e6,
        median: quantile(roundTrips, 0.5),
        p99: quantile(roundTrips, 0.99),
      });
    }
  }
  return [...windows].map(([{ name }, figures]) => ({
    target: name,
    perSecond: median(figures, "perSecond"),
    cpu: median(figures, "cpu"),
    median: median(figures, "median"),
    p99: median(figures, "p99"),
  }));
}

async function cpuOf({ pid }: RelayTarget): Promise<number> {
  return pid === undefined ? NaN : await cpuSeconds(pid);
}

function median(
  figures: readonly RelayFigures[],
  key: Exclude<keyof RelayFigures, "target">,
): number {
  return quantile(figures.map((each) => each[key]).sort((a, b) => a - b), 0.5);
}
