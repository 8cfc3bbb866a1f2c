/**
 * What WebSocket sessions go through when backends go: `deno task websocket-load`.
 *
 * Failover rows: 20 sessions send 200 numbered messages a second through a proxy
 * of its own process to backends of theirs, every message is answered, and in
 * the midst something happens to a backend. Both ends' records tell what was
 * lost, doubled, out of order, and how long clients heard nothing. Relay rows:
 * CPU and memory that the proxy takes for messages and idle sessions.
 *
 * Ends with 1 where a goal is missed or a row can't be run, with 2 where its
 * arguments are wrong.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { FAILOVER_ROWS } from "./websocket_load/failover_rows.ts";
import { type IdleFigures, runIdle } from "./websocket_load/idle_row.ts";
import {
  NotThereError,
  type WebSocketMode,
} from "./websocket_load/proxy_process.ts";
import { RELAY_ROWS, runRelay } from "./websocket_load/relay_rows.ts";
import {
  BESIDE,
  type Beside,
  startTargets,
  whyNot,
} from "./websocket_load/relay_targets.ts";
import { tables } from "./websocket_load/report.ts";
import {
  type FailoverResult,
  misses,
  type RelayResult,
  type Results,
} from "./websocket_load/results.ts";
import { runFailover } from "./websocket_load/run_failover.ts";

const IDLE = "idle";

/** Seconds of a run where `--seconds` does not say. */
const FAILOVER_SECONDS = 10;
const RELAY_SECONDS = 4;

/** Names of many rows. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  failover: FAILOVER_ROWS.map(({ name }) => name),
  relay: RELAY_ROWS.map(({ name }) => name),
};

const USAGE = `deno task websocket-load [options]
  --rows A,B      only these; failover and relay stand for all of their kind:
                  ${[...GROUPS.failover!, ...GROUPS.relay!, IDLE].join(", ")}
  --seconds N     of traffic: ${FAILOVER_SECONDS} for failover rows, ${RELAY_SECONDS} for each window of relay rows
  --runs N        windows of each relay row, medians are told: 3
  --cold          failover rows in processes that serve for the first time: they compile while sessions move
  --mode MODE     clusters[].websocket.mode: session or tunnel; left out of the config by default
  --beside A,B    also through these, for relay rows and idle: ${
  BESIDE.join(", ")
}
  --v8-flags A,B  for Headrace, in relay rows and idle
  --json          figures as JSON
`;

/** What to run. */
interface Options {
  readonly rows: ReadonlySet<string>;
  readonly seconds: number | undefined;
  readonly runs: number;
  readonly cold: boolean;
  readonly mode: WebSocketMode;
  readonly v8Flags: readonly string[];
  readonly beside: readonly Beside[];
  readonly json: boolean;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (thrown) {
    console.error(`${thrown instanceof Error ? thrown.message : thrown}\n`);
    console.error(USAGE);
    return 2;
  }
  const failover = await runFailoverRows(options);
  const results: Results = { failover, ...await runRelayRows(options) };
  const missed = misses(results);
  if (options.json) {
    console.log(JSON.stringify({ ...results, missed }, undefined, 2));
  } else {
    console.log(tables(results));
    console.log(missed.length === 0 ? "\nEvery goal is met" : "\nMissed:");
    for (const each of missed) console.log(`  ${each}`);
  }
  return missed.length === 0 ? 0 : 1;
}

async function runFailoverRows(
  { rows, seconds = FAILOVER_SECONDS, cold, mode }: Options,
): Promise<FailoverResult[]> {
  const results: FailoverResult[] = [];
  for (const row of FAILOVER_ROWS) {
    if (!rows.has(row.name)) continue;
    console.error(`${row.name}: ${row.does}`);
    try {
      const figures = await runFailover(row, { seconds, cold, mode });
      results.push({ row, figures });
    } catch (thrown) {
      const failure = thrown instanceof NotThereError
        ? `NOT RUN: ${thrown.message}`
        : `FAILED: ${thrown}`;
      console.error(`${row.name}: ${failure}`);
      results.push({ row, failure });
    }
  }
  return results;
}

async function runRelayRows(
  { rows, seconds = RELAY_SECONDS, runs, mode, v8Flags, beside }: Options,
): Promise<Omit<Results, "failover">> {
  const relay: RelayResult[] = [];
  const idle: IdleFigures[] = [];
  const present: Beside[] = [];
  for (const each of beside) {
    const reason = await whyNot(each);
    if (reason === undefined) present.push(each);
    else console.error(`Nothing beside ${each}: ${reason}`);
  }
  for (const row of RELAY_ROWS) {
    if (!rows.has(row.name)) continue;
    console.error(`${row.name}: ${row.does}`);
    await using started = await startTargets(mode, present, v8Flags);
    const { targets } = started;
    relay.push({
      row,
      figures: await runRelay(row, targets, { seconds, runs }),
    });
  }
  if (rows.has(IDLE)) {
    console.error(`${IDLE}: memory of 2,000 sessions`);
    await using started = await startTargets(mode, present, v8Flags);
    for (const { pid, ...target } of started.targets) {
      if (pid !== undefined) idle.push(await runIdle({ ...target, pid }));
    }
  }
  return { relay, idle };
}

/** Throws what is wrong with them. */
function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: "string" },
      seconds: { type: "string" },
      runs: { type: "string", default: "3" },
      cold: { type: "boolean", default: false },
      mode: { type: "string" },
      "v8-flags": { type: "string" },
      beside: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const { mode, seconds } = values;
  if (mode !== undefined && mode !== "session" && mode !== "tunnel") {
    throw new Error(`Unknown mode: ${mode}`);
  }
  const known = [...GROUPS.failover!, ...GROUPS.relay!, IDLE];
  const rows = (values.rows?.split(",") ?? known)
    .flatMap((name) => GROUPS[name] ?? [oneOf(known, name, "row")]);
  const beside = (values.beside?.split(",") ?? [])
    .map((name) => oneOf(BESIDE, name, "neighbour"));
  return {
    rows: new Set(rows),
    seconds: seconds === undefined ? undefined : positive(seconds),
    runs: positive(values.runs),
    cold: values.cold,
    mode,
    v8Flags: values["v8-flags"]?.split(",") ?? [],
    beside,
    json: values.json,
  };
}

function oneOf<T extends string>(
  known: readonly T[],
  name: string,
  what: string,
): T {
  const found = known.find((one) => one === name);
  if (found === undefined) throw new Error(`Unknown ${what}: ${name}`);
  return found;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`Not a number above 0: ${text}`);
  return value;
}
