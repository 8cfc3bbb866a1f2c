/**
 * What WebSocket sessions go through when backends go:
 * `deno task websocket-load`; `--help` tells its options.
 *
 * Failover rows: 20 sessions send 200 numbered messages a second through a proxy
 * of its own process to backends of theirs, every message is answered, and in
 * the midst something happens to a backend. Both ends' records tell what was
 * lost, doubled, out of order, and how long clients heard nothing. Relay rows:
 * CPU and memory that the proxy takes for messages and idle sessions.
 *
 * Ends with 1 where a goal is missed or a row can't be run.
 *
 * @module
 */
import {
  flag,
  list,
  one,
  oneOf,
  POSITIVE,
  readOptions,
  V8_FLAG,
  type Values,
  WHOLE,
} from "./options.ts";
import { FAILOVER_ROWS } from "./websocket_load/failover_rows.ts";
import { type IdleFigures, runIdle } from "./websocket_load/idle_row.ts";
import { NotThereError } from "./websocket_load/proxy_process.ts";
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

const OPTIONS = {
  rows: list(
    oneOf([...new Set([...Object.entries(GROUPS).flat(2), IDLE])]),
    {
      does: "only these; failover and relay stand for all of their kind",
      default: [...Object.keys(GROUPS), IDLE],
    },
  ),
  seconds: one(POSITIVE, {
    does: "of traffic",
    unit: "seconds",
    default: undefined,
    byDefault:
      `${FAILOVER_SECONDS} for failover rows, ${RELAY_SECONDS} for each window of relay rows`,
  }),
  runs: one(WHOLE, {
    does: "windows of each relay row, medians are told",
    default: 3,
  }),
  cold: flag(
    "failover rows in processes that serve for the first time: they compile while sessions move",
  ),
  mode: one(oneOf(["session", "tunnel"]), {
    does: "clusters[].websocket.mode",
    default: undefined,
    byDefault: "left out of the config",
  }),
  beside: list(oneOf(BESIDE), {
    does: "also through these, for relay rows and idle",
    default: [],
  }),
  "v8-flags": list(V8_FLAG, {
    does: "for Headrace, in relay rows and idle",
    default: [],
  }),
  json: flag("figures as JSON"),
};

type Options = Values<typeof OPTIONS>;

if (import.meta.main) {
  const options = readOptions({
    task: "websocket-load",
    does: "What WebSocket sessions go through when backends go, and what " +
      "messages and idle sessions cost. Linux only. Ends with 1 where a goal " +
      "is missed or a row can't be run.",
    options: OPTIONS,
    example: "--rows kill,drain --seconds 5",
  });
  const rows = new Set(options.rows.flatMap((name) => GROUPS[name] ?? [name]));
  const failover = await runFailoverRows(rows, options);
  const relayed = await runRelayRows(rows, options);
  const results: Results = { failover, ...relayed };
  const missed = misses(results);
  if (options.json) {
    console.log(JSON.stringify({ ...results, missed }, undefined, 2));
  } else {
    console.log(tables(results));
    console.log(missed.length === 0 ? "\nEvery goal is met" : "\nMissed:");
    for (const each of missed) console.log(`  ${each}`);
  }
  Deno.exit(missed.length === 0 ? 0 : 1);
}

async function runFailoverRows(
  rows: ReadonlySet<string>,
  { seconds = FAILOVER_SECONDS, cold, mode }: Options,
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
  rows: ReadonlySet<string>,
  { seconds = RELAY_SECONDS, runs, mode, beside, ...options }: Options,
): Promise<Omit<Results, "failover">> {
  const v8Flags = options["v8-flags"];
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
