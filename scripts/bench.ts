/**
 * What Headrace costs beside HAProxy, nginx and Caddy, in the same run:
 * `deno task bench`; `--help` tells its options.
 *
 * Starts the proxies that are installed, each with one worker, before the same
 * backends, and drives them in turn, run by run. Runs are short, so that all
 * meet the same moods of the machine. What is compared is the CPU
 * time of the proxy's process: throughput says little where load, proxy and
 * backend share the cores. Each measurement begins with a request by hand whose
 * answer is looked at, and counts failures and bytes; a row where something was
 * wrong says so.
 *
 * Ends with 1 where something was wrong.
 *
 * @module
 */
import {
  type Case,
  CASES,
  type PacedCase,
  PROXIES,
  type ProxyName,
} from "./bench/cases.ts";
import { save } from "./bench/history.ts";
import { measureIdle } from "./bench/idle.ts";
import { measureLoad } from "./bench/load.ts";
import {
  currentCommit,
  describeMachine,
  isInstalled,
} from "./bench/machine.ts";
import { measurePaced, peakRate } from "./bench/paced.ts";
import {
  makePlace,
  type Proxy,
  startBackends,
  startProxy,
} from "./bench/programs.ts";
import { conditionsOf, markdownReport, textReport } from "./bench/report.ts";
import { type Row, rowOf, type Run } from "./bench/results.ts";
import { median, type Sample } from "./bench/sample.ts";
import { type Place, type SetupName, WARM_UP } from "./bench/setup.ts";
import { flag, one, oneOf, only, readOptions, WHOLE } from "./options.ts";

/** Without these there is no backend and no load. */
const NEEDED = ["nginx", "wrk"];

/** Who was said to have no part in what. */
const told = new Set<string>();

/** What is run. */
interface Plan {
  readonly place: Place;
  readonly proxies: readonly ProxyName[];
  readonly runs: number;
  readonly seconds: number;
}

if (import.meta.main) {
  const options = readOptions({
    task: "bench",
    does: "What Headrace costs beside HAProxy, nginx and Caddy. Needs Linux, " +
      "nginx and wrk; proxies that are not installed stay out. Ends with 1 " +
      "where something was wrong.",
    options: {
      seconds: one(WHOLE, {
        does: "how long each run takes",
        unit: "seconds",
        default: 1,
      }),
      runs: one(WHOLE, { does: "runs of each case", default: 7 }),
      only: only(CASES.map(({ name }) => name)),
      io: one(oneOf(["standard", "direct"]), {
        does: "io in Headrace's config",
        default: "standard",
      }),
      json: flag("prints JSON"),
      markdown: flag("prints a table in Markdown"),
      save: flag("also appends a line to tests/bench/history.jsonl"),
    },
    example: "--runs 3 --only TLS --save",
  });
  const { runs, seconds, io } = options;
  const cases = CASES.filter(({ name }) => options.only.includes(name));
  const proxies = await whoIsThere();
  const machine = await describeMachine(proxies);
  const rows = await runAll(cases, { proxies, runs, seconds, io });
  const date = new Date().toISOString();
  const commit = await currentCommit();
  const entry = { commit, date, machine, io, runs, seconds, rows };
  if (options.save) await save(entry);
  if (options.json) {
    console.log(JSON.stringify(entry));
  } else {
    const head = conditionsOf(machine, io);
    const table = options.markdown ? markdownReport(rows) : textReport(rows);
    console.log(`${head.join("\n")}\n\n${table}`);
  }
  if (rows.some(({ problems }) => problems.length > 0)) Deno.exit(1);
}

function fail(message: string): never {
  console.error(message);
  Deno.exit(2);
}

/** The proxies that are installed; says which are not. */
async function whoIsThere(): Promise<ProxyName[]> {
  for (const command of NEEDED) {
    if (!await isInstalled(command)) {
      fail(`${command} is not installed: it is the backend or the load`);
    }
  }
  const there: ProxyName[] = [];
  for (const name of PROXIES) {
    if (name === "headrace" || await isInstalled(name)) there.push(name);
    else console.error(`${name} is not installed: its column stays empty`);
  }
  return there;
}

async function runAll(
  cases: readonly Case[],
  { io, ...plan }: Omit<Plan, "place"> & Pick<Place, "io">,
): Promise<Row[]> {
  const place = await makePlace(io);
  await using programs = new AsyncDisposableStack();
  programs.defer(() => Deno.remove(place.folder, { recursive: true }));
  for (const backend of await startBackends(place)) programs.use(backend);
  const rows: Row[] = [];
  for (const [setup, group] of Map.groupBy(cases, ({ setup }) => setup)) {
    rows.push(...await runGroup(setup, group, { place, ...plan }));
  }
  // In the order in which they are listed.
  return cases.map(({ name }) => rows.find((row) => row.case === name)!);
}

/** Says once who can't be set up so. */
function tellMissing(name: ProxyName, setup: SetupName): undefined {
  const line = `${name} has no part in "${setup}": its column stays empty`;
  if (!told.has(line)) console.error(line);
  told.add(line);
}

/** Cases of one setup share their proxies, but for those that want fresh ones. */
async function runGroup(
  setup: SetupName,
  group: readonly Case[],
  plan: Plan,
): Promise<Row[]> {
  const rows: Row[] = [];
  const shared = group.filter((each) => each.kind !== "idle");
  if (shared.length > 0) {
    await using stack = new AsyncDisposableStack();
    const proxies: Proxy[] = [];
    for (const name of plan.proxies) {
      const proxy = await startProxy(name, setup, plan.place);
      if (proxy === undefined) tellMissing(name, setup);
      else proxies.push(stack.use(proxy));
    }
    for (const each of shared) {
      rows.push(await runCase(each, proxies, plan));
    }
  }
  for (const each of group) {
    if (each.kind !== "idle") continue;
    const runs = await inTurn(plan.proxies, plan.runs, async (name) => {
      await using proxy = await startProxy(name, setup, plan.place);
      if (proxy === undefined) return tellMissing(name, setup);
      return await measureIdle(proxy, each, plan.place.folder);
    });
    rows.push(tell(rowOf(each, runs)));
  }
  return rows;
}

async function runCase(
  each: Exclude<Case, { kind: "idle" }>,
  proxies: readonly Proxy[],
  plan: Plan,
): Promise<Row> {
  const { seconds, place: { folder } } = plan;
  const headrace = proxies.find(({ name }) => name === "headrace")!;
  // Where warming up fails, the measurement that follows says so.
  if (each.kind === "paced") {
    const rate = await halfOfPeak(each, proxies, plan);
    await measurePaced(headrace, each, { rate, seconds: WARM_UP })
      .catch(failedSample);
    const runs = await inTurn(
      proxies,
      plan.runs,
      (proxy) => measurePaced(proxy, each, { rate, seconds }),
    );
    return tell(rowOf(each, runs));
  }
  await measureLoad(headrace, each, { folder, seconds: WARM_UP })
    .catch(failedSample);
  const runs = await inTurn(
    proxies,
    plan.runs,
    (proxy) => measureLoad(proxy, each, { folder, seconds }),
  );
  return tell(rowOf(each, runs));
}

/** Half of HAProxy's peak rate; of Headrace's where that is not there. */
async function halfOfPeak(
  each: PacedCase,
  proxies: readonly Proxy[],
  plan: Plan,
): Promise<number> {
  const proxy = proxies.find(({ name }) => name === "haproxy") ?? proxies[0]!;
  const { folder } = plan.place;
  const rates: number[] = [];
  for (let run = 0; run < plan.runs; run++) {
    rates.push(await peakRate(proxy, each, { folder, seconds: plan.seconds }));
  }
  const rate = Math.round(median(rates) / 2);
  console.error(`half of ${proxy.name}'s peak: ${rate} requests a second`);
  return rate;
}

/** Measures everybody in turn, run by run, each time another one first. */
async function inTurn<T extends ProxyName | Proxy>(
  proxies: readonly T[],
  count: number,
  measure: (proxy: T) => Promise<Sample | undefined>,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (let run = 0; run < count; run++) {
    const samples = new Map<ProxyName, Sample>();
    for (let i = 0; i < proxies.length; i++) {
      const proxy = proxies[(run + i) % proxies.length]!;
      const name: ProxyName = typeof proxy === "string" ? proxy : proxy.name;
      const sample = await measure(proxy).catch(failedSample);
      if (sample !== undefined) samples.set(name, sample);
    }
    runs.push(samples);
  }
  return runs;
}

/** One failure is not to cost all that others measured: its row says so. */
function failedSample(thrown: unknown): Sample {
  return {
    cost: NaN,
    problems: [`not measured: ${thrown}`],
  };
}

/** A long run is to be seen. */
function tell(row: Row): Row {
  const costs = PROXIES.flatMap((name) => {
    const cost = row.cells[name]?.cost.median;
    return cost === undefined ? [] : [`${name} ${cost.toPrecision(3)}`];
  });
  console.error(`${row.case}: ${costs.join(", ")} ${row.unit}`);
  return row;
}
