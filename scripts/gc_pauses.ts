/**
 * How long garbage collection holds everything up at half of the rate that the
 * proxy can do: `deno task gc-pauses`; `--help` tells its options.
 *
 * Headrace with one worker, nginx behind it, wrk before it. A run without pauses
 * finds the rate, the next one is paced to half of it, or to `--rate`; V8's own
 * trace tells each pause. Pauses are wall-clock time: where the machine has other things to do
 * they are longer, so the time in which the proxy's threads waited for a core
 * stands beside them. `--realtime` (for root) has the proxy run before all
 * others while it is measured.
 *
 * Ends with 1 where the p99 of a case is above the goal.
 *
 * @module
 */
import { NginxBackend } from "./finding_load/nginx_backend.ts";
import { drive } from "./finding_load/wrk.ts";
import {
  flag,
  list,
  one,
  only,
  POSITIVE,
  readOptions,
  V8_FLAG,
  WHOLE,
} from "./options.ts";
import { cpuSeconds } from "./process_stat.ts";
import { type Collection, pauseFigures } from "./soak/gc_trace.ts";
import { SoakProxy } from "./soak/proxy.ts";
import { figure, textTable } from "./websocket_load/text_table.ts";

/** The p99 of pauses, in milliseconds, at most (issue 7). */
const GOAL = 5;

const CONNECTIONS = 64;

/** Seconds of the runs that warm it up and that find the rate. */
const WARM_UP = 5;
const FULL = 4;

/** What the proxy does with requests. */
interface Case {
  readonly name: string;
  /** Keys of the config beside its listener and cluster. */
  readonly config: (folder: string) => object;
}

const CASES: readonly Case[] = [
  { name: "plain", config: () => ({}) },
  {
    name: "access-log, headers, 3 rules",
    config: (folder) => ({
      products: [{
        name: "site",
        default: true,
        rules: [
          { when: 'req_path_prefix_in("/a/", false)', cluster: "main" },
          { when: 'req_method_in("PUT|DELETE")', cluster: "main" },
          { cluster: "main" },
        ],
      }],
      plugins: [
        {
          use: "builtin:access-log",
          options: { format: "combined", path: `${folder}/access.log` },
        },
        {
          use: "builtin:headers",
          options: {
            request: { set: { "X-Real-IP": "%{client_address}" } },
            response: { set: { "X-Served-By": "headrace" } },
          },
        },
      ],
    }),
  },
  {
    name: "from the cache",
    config: () => ({
      cache: { rules: [{ when: "default_t()", ttl: "1h" }] },
    }),
  },
];

/** What a case showed. */
interface Figures {
  readonly name: string;
  readonly fullRate: number;
  readonly rate: number;
  readonly failed: number;
  /** Of one core, for the whole process. */
  readonly cpu: number;
  /** Milliseconds a second in which its threads waited for a core. */
  readonly waited: number;
  readonly collections: readonly Collection[];
  /** Looks at the event loop, and those at which it was later than the goal. */
  readonly looks: number;
  readonly late: number;
}

interface Options {
  readonly seconds: number;
  readonly v8Flags: readonly string[];
  readonly realtime: boolean;
  /** Requests a second; undefined = half of what it can do. */
  readonly rate: number | undefined;
}

async function measure(
  { name, config }: Case,
  backend: NginxBackend,
  { seconds, v8Flags, realtime, rate }: Options,
): Promise<Figures> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-gc-" });
  try {
    const path = `${folder}/headrace.json`;
    const whole = {
      listeners: [{ name: "web", address: "127.0.0.1:0" }],
      clusters: [{
        name: "main",
        backends: [{ url: `http://127.0.0.1:${backend.port}` }],
      }],
      admin: { address: "127.0.0.1:0" },
      workers: 1,
      log: { level: "info", format: "json" },
      ...config(folder),
    };
    await Deno.writeTextFile(path, JSON.stringify(whole));
    await using proxy = await SoakProxy.start(path, {
      runDir: `${folder}/run`,
      v8Flags,
    });
    const load = { port: proxy.port, connections: CONNECTIONS };
    await drive({ ...load, seconds: WARM_UP });
    const full = await drive({ ...load, seconds: FULL });
    const wanted = rate ?? full.perSecond / 2;
    const pause = Math.round(CONNECTIONS * 1_000 / wanted);
    if (realtime) await proxy.prefer();
    const from = proxy.collections.collections.length;
    const lagBefore = lagOf(await proxy.metricsText());
    const cpuBefore = await cpuSeconds(proxy.pid);
    const waitedBefore = await waitedSeconds(proxy.pid);
    const paced = await drive({ ...load, seconds, pause });
    const lag = lagOf(await proxy.metricsText());
    return {
      name,
      fullRate: full.perSecond,
      rate: paced.perSecond,
      failed: paced.failed,
      cpu: (await cpuSeconds(proxy.pid) - cpuBefore) / seconds,
      waited: 1_000 *
        wait(waitedBefore, await waitedSeconds(proxy.pid)) / seconds,
      collections: proxy.collections.collections.slice(from),
      looks: lag.all - lagBefore.all,
      late: lag.late - lagBefore.late,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Observations of the event loop's lag, and those above the goal. */
function lagOf(text: string): { readonly all: number; readonly late: number } {
  const value = (labels: string) =>
    Number(
      text.split("\n").find((line) =>
        line.startsWith(`headrace_event_loop_lag_seconds_${labels} `)
      )?.split(" ").at(-1),
    );
  const all = value("count");
  return { all, late: all - value(`bucket{le="${GOAL / 1_000}"}`) };
}

/** Seconds in which each thread of a process was ready and had no core. */
async function waitedSeconds(pid: number): Promise<Map<string, number>> {
  const seconds = new Map<string, number>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    try {
      const text = await Deno.readTextFile(
        `/proc/${pid}/task/${name}/schedstat`,
      );
      seconds.set(name, Number(text.split(" ")[1]) / 1e9);
    } catch (thrown) {
      // The thread has ended meanwhile.
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }
  return seconds;
}

/** Of the threads that were there all the time. */
function wait(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): number {
  let sum = 0;
  for (const [thread, seconds] of after) {
    sum += seconds - (before.get(thread) ?? seconds);
  }
  return sum;
}

function rowsOf(figures: Figures): string[][] {
  const { name, collections } = figures;
  return (["scavenge", "mark-compact", undefined] as const).map((kind) => {
    const { count, median, p99, longest, all } = pauseFigures(
      collections,
      kind,
    );
    return [
      `${name}: ${kind ?? "all"}`,
      String(count),
      figure(median, 2),
      figure(p99, 2),
      figure(longest, 2),
      figure(all, 0),
    ];
  });
}

if (import.meta.main) {
  const { only: names, "v8-flags": v8Flags, ...rest } = readOptions({
    task: "gc-pauses",
    does: "How long garbage collection holds everything up at half of the " +
      "rate that the proxy can do. Needs Linux, nginx and wrk. Ends with 1 " +
      `where the p99 of a case is above ${GOAL} ms.`,
    options: {
      seconds: one(WHOLE, {
        does: "how long each case is measured",
        unit: "seconds",
        default: 30,
      }),
      only: only(CASES.map(({ name }) => name)),
      "v8-flags": list(V8_FLAG, { does: "for the proxy", default: [] }),
      realtime: flag("(root) the proxy runs before all others"),
      rate: one(POSITIVE, {
        does: "how many requests are sent",
        unit: "per second",
        default: undefined,
        byDefault: "half of what it can do",
      }),
    },
    example: "--only cache --seconds 60",
  });
  const options = { ...rest, v8Flags };
  const folder = await Deno.makeTempDir({ prefix: "headrace-gc-" });
  const results: Figures[] = [];
  try {
    await using backend = await NginxBackend.start("nginx", folder);
    for (const each of CASES) {
      if (!names.includes(each.name)) continue;
      results.push(await measure(each, backend, options));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  console.log(textTable(
    ["pauses, ms", "pauses", "p50", "p99", "longest", "in all"],
    results.flatMap(rowsOf),
  ));
  console.log(`\n${
    textTable(
      [
        "case",
        "requests/s at full load",
        "paced",
        "failed",
        "% of a core",
        "waited for a core, ms/s",
        `event loop later than ${GOAL} ms`,
      ],
      results.map((each) => [
        each.name,
        figure(each.fullRate),
        figure(each.rate),
        String(each.failed),
        figure(100 * each.cpu),
        figure(each.waited),
        `${each.late} of ${each.looks}`,
      ]),
    )
  }`);
  const missed = results.filter(({ collections }) =>
    pauseFigures(collections).p99 > GOAL
  );
  for (const { name } of missed) {
    console.log(`\n${name}: the p99 is above ${GOAL} ms`);
  }
  Deno.exit(missed.length === 0 ? 0 : 1);
}
