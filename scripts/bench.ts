/**
 * CPU time per request beside HAProxy's, in the same run: `deno task bench`.
 *
 * Starts nginx as the backend of both, HAProxy and Headrace with one worker
 * each, and drives them in turn with wrk over 64 keep-alive connections. What
 * is compared is the CPU time of the proxy's process per request: throughput
 * says little where load, proxy and backend share the cores.
 *
 * @module
 */
import { parseArgs } from "node:util";
import {
  type Program,
  startHaproxy,
  startHeadrace,
  startNginx,
} from "./bench/programs.ts";
import { type Case, CASES, measure, type Sample } from "./bench/measure.ts";

const TOOLS = ["nginx", "haproxy", "wrk"] as const;

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      seconds: { type: "string", default: "4" },
      runs: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
    },
  });
  const missing = await missingTools();
  if (missing.length > 0) {
    console.error(
      `Not installed: ${missing.join(", ")} (Debian's packages of these names)`,
    );
    Deno.exit(1);
  }
  const rows = await runAll(Number(values.runs), Number(values.seconds));
  console.log(values.json ? JSON.stringify(rows) : table(rows));
}

/** One case's medians. */
interface Row {
  readonly case: string;
  readonly headrace: Sample;
  readonly haproxy: Sample;
  /** Median of the ratios run by run: the machine's speed drifts. */
  readonly ratio: number;
}

async function runAll(runs: number, seconds: number): Promise<Row[]> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-bench-" });
  const programs: Program[] = [];
  try {
    const nginx = await startNginx(folder);
    programs.push(nginx);
    const haproxy = await startHaproxy(folder, nginx.port);
    programs.push(haproxy);
    const headrace = await startHeadrace(folder, nginx.port);
    programs.push(headrace);
    const rows: Row[] = [];
    for (const each of CASES) {
      rows.push(await runCase(each, haproxy, headrace, runs, seconds));
    }
    return rows;
  } finally {
    await Promise.all(programs.map((program) => program.stop()));
    await Deno.remove(folder, { recursive: true });
  }
}

async function runCase(
  each: Case,
  haproxy: Program,
  headrace: Program,
  runs: number,
  seconds: number,
): Promise<Row> {
  // What a compiler learns in the first seconds is not what is asked.
  await measure(headrace, each, 2);
  const samples: { headrace: Sample; haproxy: Sample }[] = [];
  for (let run = 0; run < runs; run++) {
    samples.push({
      haproxy: await measure(haproxy, each, seconds),
      headrace: await measure(headrace, each, seconds),
    });
  }
  return {
    case: each.name,
    headrace: medianSample(samples.map((sample) => sample.headrace)),
    haproxy: medianSample(samples.map((sample) => sample.haproxy)),
    ratio: median(
      samples.map(({ headrace, haproxy }) =>
        headrace.microseconds / haproxy.microseconds
      ),
    ),
  };
}

function medianSample(samples: readonly Sample[]): Sample {
  return {
    microseconds: median(samples.map(({ microseconds }) => microseconds)),
    perSecond: median(samples.map(({ perSecond }) => perSecond)),
    errors: samples.reduce((sum, { errors }) => sum + errors, 0),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ case: name, headrace, haproxy, ratio }) =>
    [
      name.padEnd(36),
      headrace.microseconds.toFixed(1).padStart(9),
      haproxy.microseconds.toFixed(1).padStart(9),
      ratio.toFixed(2).padStart(7),
      headrace.perSecond.toFixed(0).padStart(9),
      haproxy.perSecond.toFixed(0).padStart(9),
      `${headrace.errors}/${haproxy.errors}`.padStart(8),
    ].join("")
  );
  return [
    "CPU µs per request, medians; requests per second; errors (Headrace/HAProxy)",
    `${"case".padEnd(36)} Headrace  HAProxy  ratio     req/s    req/s  errors`,
    ...lines,
  ].join("\n");
}

async function missingTools(): Promise<string[]> {
  const missing: string[] = [];
  for (const tool of TOOLS) {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${tool}`],
      stdout: "null",
    }).output();
    if (!success) missing.push(tool);
  }
  return missing;
}
