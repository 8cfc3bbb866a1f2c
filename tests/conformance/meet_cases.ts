/**
 * Runs a set of cases in every way of cutting their bytes and prints what came
 * of them, group by group.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import type { Http1Case } from "./cases.ts";
import { randomCut, singleBytes } from "./cuts.ts";
import { type Cut, runCase, WHOLE } from "./run_case.ts";

/** Cases at work at once: pauses and timeouts overlap, but bytes sent one by one keep their time. */
const CONCURRENCY = 24;

const SEEDS = [1, 2];

/** How the bytes are cut on both sides. */
interface Way {
  readonly name: string;
  readonly client: Cut;
  readonly backend: Cut;
}

const WAYS: readonly Way[] = [
  { name: "whole", client: WHOLE, backend: WHOLE },
  { name: "byte by byte", client: singleBytes, backend: singleBytes },
  ...SEEDS.map((seed) => ({
    name: `cut by seed ${seed}`,
    client: randomCut(seed),
    backend: randomCut(-seed),
  })),
];

/** A case in one way, and what was not met of it. */
interface Job {
  readonly way: Way;
  readonly item: Http1Case;
  failures: readonly string[];
}

/** Runs all of them in every way over real sockets, prints passed/total of each group and asserts that all passed. */
export async function meetCases(
  title: string,
  cases: readonly Http1Case[],
): Promise<void> {
  const started = performance.now();
  const jobs = WAYS.flatMap((way) =>
    cases.map((item): Job => ({ way, item, failures: [] }))
  );
  const cacheDir = await Deno.makeTempDir({ prefix: "headrace-conformance-" });
  try {
    await runAll(jobs, cacheDir);
  } finally {
    await Deno.remove(cacheDir, { recursive: true });
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${title}, passed/total in ${seconds} s:\n${tableOf(jobs)}`);
  const failed = jobs.filter(({ failures }) => failures.length > 0);
  assertEquals(failed.map(describe), []);
}

/** A line for each way, a column for each group: the letter of its cases. */
function tableOf(jobs: readonly Job[]): string {
  const groups = [...new Set(jobs.map(({ item }) => item.id[0]!))].sort();
  const share = (some: readonly Job[]) => {
    const met = some.filter(({ failures }) => failures.length === 0);
    return `${met.length}/${some.length}`.padStart(8);
  };
  const head = `  ${"".padEnd(14)}${
    [...groups, "all"].map((group) => group.padStart(8)).join("")
  }`;
  const rows = WAYS.map((way) => {
    const own = jobs.filter((job) => job.way === way);
    const columns = groups.map((group) =>
      share(own.filter(({ item }) => item.id[0] === group))
    );
    return `  ${way.name.padEnd(14)}${columns.join("")}${share(own)}`;
  });
  return [head, ...rows].join("\n");
}

function describe({ way, item, failures }: Job): string {
  const { id, name, source } = item;
  return `${id} ${name} (${source}), ${way.name}: ${failures.join("; ")}`;
}

/** Runs them side by side, those first that wait the longest. */
async function runAll(jobs: readonly Job[], cacheDir: string): Promise<void> {
  const queue = [...jobs].sort((a, b) => pauses(a.item) - pauses(b.item));
  const lane = async () => {
    for (let job = queue.pop(); job !== undefined; job = queue.pop()) {
      job.failures = await runCase(job.item, { ...job.way, cacheDir });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
}

/** Seconds that a case pauses. */
function pauses({ steps }: Http1Case): number {
  return steps.reduce(
    (sum, step) => sum + ("pause" in step ? step.pause : 0),
    0,
  );
}
