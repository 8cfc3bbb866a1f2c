/**
 * What all measurements of a case say.
 *
 * @module
 */
import {
  type Case,
  type Goals,
  PROXIES,
  type ProxyName,
  rateUnitOf,
  unitOf,
} from "./cases.ts";
import { median, type Sample, type Spread, spreadOf } from "./sample.ts";

/** One run of a case: what each proxy that takes part in it gave. */
export type Run = ReadonlyMap<ProxyName, Sample>;

/** One proxy's part of a row. */
export interface Cell {
  readonly cost: Spread;
  /** Requests or megabytes a second, the median; left out where that is not asked. */
  readonly rate?: number;
  /** Headrace's cost by this one's, run by run, as the machine's speed drifts; left out for Headrace. */
  readonly ratio?: Spread;
  /** Milliseconds, medians; of paced load. */
  readonly latency?: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly late: number;
  };
}

/** One hope, and what came of it. */
export interface Verdict {
  readonly against: "haproxy" | "caddy" | "absolute";
  readonly goal: number;
  readonly measured: number;
  readonly met: boolean;
}

/** One case. */
export interface Row {
  readonly case: string;
  readonly unit: string;
  readonly rateUnit: string;
  /** Requests a second that were to be sent, of paced load. */
  readonly offered?: number;
  /** Those that took part. */
  readonly cells: Partial<Record<ProxyName, Cell>>;
  readonly verdicts: readonly Verdict[];
  /** What was wrong, by whom; such a row proves nothing. */
  readonly problems: readonly string[];
}

/** Sums up a case's runs, of which there is at least one. */
export function rowOf(each: Case, runs: readonly Run[]): Row {
  const cells: Partial<Record<ProxyName, Cell>> = {};
  const problems: string[] = [];
  for (const name of PROXIES) {
    const samples = runs.flatMap((run) => run.get(name) ?? []);
    for (const { problems: found } of samples) {
      problems.push(...found.map((problem) => `${name}: ${problem}`));
    }
    const measured = samples.filter(({ cost }) => !Number.isNaN(cost));
    if (measured.length > 0) cells[name] = cellOf(name, measured, runs);
  }
  const offered = runs.flatMap((run) => [...run.values()])
    .find(({ latency }) => latency !== undefined)?.latency?.offered;
  return {
    case: each.name,
    unit: unitOf(each),
    rateUnit: rateUnitOf(each),
    ...(offered === undefined ? {} : { offered }),
    cells,
    verdicts: verdictsOf(each.goals, cells),
    problems: [...new Set(problems)],
  };
}

function cellOf(
  name: ProxyName,
  samples: readonly Sample[],
  runs: readonly Run[],
): Cell {
  const rates = samples.flatMap(({ rate }) => rate ?? []);
  const latencies = samples.flatMap(({ latency }) => latency ?? []);
  const middle = (key: "p50" | "p99" | "p999" | "late") =>
    median(latencies.map((latency) => latency[key]));
  return {
    cost: spreadOf(samples.map(({ cost }) => cost)),
    ...(rates.length === 0 ? {} : { rate: median(rates) }),
    ...(name === "headrace" ? {} : ratioTo(name, runs)),
    ...(latencies.length === 0 ? {} : {
      latency: {
        p50: middle("p50"),
        p99: middle("p99"),
        p999: middle("p999"),
        late: middle("late"),
      },
    }),
  };
}

function ratioTo(name: ProxyName, runs: readonly Run[]): { ratio?: Spread } {
  const ratios = runs.flatMap((run) => {
    const own = run.get("headrace");
    const other = run.get(name);
    // Memory that did not grow at all is nothing to divide by.
    return own !== undefined && other !== undefined && other.cost > 0 &&
        !Number.isNaN(own.cost)
      ? [own.cost / other.cost]
      : [];
  });
  return ratios.length === 0 ? {} : { ratio: spreadOf(ratios) };
}

function verdictsOf(
  goals: Goals,
  cells: Partial<Record<ProxyName, Cell>>,
): Verdict[] {
  const verdicts: Verdict[] = [];
  const judge = (
    against: Verdict["against"],
    goal: number | undefined,
    measured: number | undefined,
  ) => {
    if (goal === undefined || measured === undefined) return;
    verdicts.push({ against, goal, measured, met: measured <= goal });
  };
  judge("haproxy", goals.haproxy, cells.haproxy?.ratio?.median);
  judge("caddy", goals.caddy, cells.caddy?.ratio?.median);
  judge("absolute", goals.absolute, cells.headrace?.cost.median);
  return verdicts;
}
