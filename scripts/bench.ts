/**
 * CPU time per request beside HAProxy's and nginx's, in the same run:
 * `deno task bench`.
 *
 * Starts nginx as the backend of all, HAProxy, Headrace and another nginx with
 * one worker each, and drives them in turn with wrk over 64 connections. What is
 * compared is the CPU time of the proxy's process per request: throughput says
 * little where load, proxy and backend share the cores.
 *
 * @module
 */
import { parseArgs } from "node:util";
import {
  makeCertificates,
  type Program,
  startHaproxy,
  startHeadrace,
  startNginx,
  startNginxProxy,
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
      // Cases whose names hold this.
      only: { type: "string", default: "" },
    },
  });
  const missing = await missingTools();
  if (missing.length > 0) {
    console.error(
      `Not installed: ${missing.join(", ")} (Debian's packages of these names)`,
    );
    Deno.exit(1);
  }
  const rows = await runAll({
    runs: Number(values.runs),
    seconds: Number(values.seconds),
    only: values.only,
  });
  console.log(values.json ? JSON.stringify(rows) : table(rows));
}

/** What is run. */
interface Plan {
  readonly runs: number;
  readonly seconds: number;
  readonly only: string;
}

/** A value for each proxy. */
interface Each<T> {
  readonly headrace: T;
  readonly haproxy: T;
  readonly nginx: T;
}

/** One case's medians. */
interface Row extends Each<Sample> {
  readonly case: string;
  /** Headrace's time by the other's: the median of the ratios run by run, as the machine's speed drifts. */
  readonly ratios: Omit<Each<number>, "headrace">;
}

async function runAll(plan: Plan): Promise<Row[]> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-bench-" });
  const programs: Program[] = [];
  try {
    await makeCertificates(folder);
    const backend = await startNginx(folder);
    programs.push(backend);
    const { plain } = backend.ports;
    const proxies: Each<Program> = {
      haproxy: await startHaproxy(folder, plain),
      headrace: await startHeadrace(folder, plain),
      nginx: await startNginxProxy(folder, plain),
    };
    programs.push(...Object.values(proxies));
    const rows: Row[] = [];
    for (const each of CASES) {
      if (!each.name.includes(plan.only)) continue;
      rows.push(await runCase(each, proxies, plan));
    }
    return rows;
  } finally {
    await Promise.all(programs.map((program) => program.stop()));
    await Deno.remove(folder, { recursive: true });
  }
}

async function runCase(
  each: Case,
  { headrace, haproxy, nginx }: Each<Program>,
  { runs, seconds }: Plan,
): Promise<Row> {
  // What a compiler learns in the first seconds is not what is asked.
  await measure(headrace, each, 2);
  const samples: Each<Sample>[] = [];
  for (let run = 0; run < runs; run++) {
    samples.push({
      haproxy: await measure(haproxy, each, seconds),
      nginx: await measure(nginx, each, seconds),
      headrace: await measure(headrace, each, seconds),
    });
  }
  const ratio = (other: "haproxy" | "nginx") =>
    median(
      samples.map((sample) =>
        sample.headrace.microseconds / sample[other].microseconds
      ),
    );
  return {
    case: each.name,
    headrace: medianSample(samples.map((sample) => sample.headrace)),
    haproxy: medianSample(samples.map((sample) => sample.haproxy)),
    nginx: medianSample(samples.map((sample) => sample.nginx)),
    ratios: { haproxy: ratio("haproxy"), nginx: ratio("nginx") },
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
  const lines = rows.map(({ case: name, headrace, haproxy, nginx, ratios }) =>
    [
      name.padEnd(36),
      headrace.microseconds.toFixed(1).padStart(9),
      haproxy.microseconds.toFixed(1).padStart(9),
      ratios.haproxy.toFixed(2).padStart(7),
      nginx.microseconds.toFixed(1).padStart(9),
      ratios.nginx.toFixed(2).padStart(7),
      headrace.perSecond.toFixed(0).padStart(9),
      haproxy.perSecond.toFixed(0).padStart(9),
      `${headrace.errors}/${haproxy.errors}/${nginx.errors}`.padStart(8),
    ].join("")
  );
  return [
    "CPU µs per request, medians; requests per second; errors (Headrace/HAProxy/nginx)",
    `${
      "case".padEnd(36)
    } Headrace  HAProxy  ratio    nginx  ratio     req/s    req/s  errors`,
    ...lines,
    "",
    "Per second of CPU time",
    `${"case".padEnd(36)} Headrace  HAProxy    nginx`,
    ...rows.map(({ case: name, headrace, haproxy, nginx }) =>
      [
        name.padEnd(36),
        ...[headrace, haproxy, nginx].map(({ microseconds }) =>
          (1e6 / microseconds).toFixed(0).padStart(9)
        ),
      ].join("")
    ),
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
