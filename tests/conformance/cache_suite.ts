/**
 * Runs the public cache tests (npm: http-cache-tests, BSD-3-Clause, by Mark
 * Nottingham) through a Headrace with its cache on, and prints what passes:
 *
 * ```sh
 * npm pack http-cache-tests && tar xzf http-cache-tests-*.tgz
 * deno run -A tests/conformance/cache_suite.ts package [--workers=N] [ID …]
 * ```
 *
 * Version 0.4.5 is the last one published. The suite's repository has changed
 * what it asks since, so that it is what RFC 9111 asks: `cache_suite_now.ts`
 * does the same, by which there are 160 required and 105 optimal checks.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { freePorts } from "../support/free_ports.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { type Suite, suitesNow } from "./cache_suite_now.ts";
import { INTERIM } from "./cache_suite_interim.ts";

const { values: { workers }, positionals: [folder, ...ids] } = parseArgs({
  args: Deno.args,
  options: { workers: { type: "string", default: "1" } },
  allowPositionals: true,
});
if (folder === undefined) {
  console.error("usage: cache_suite.ts FOLDER [--workers=N] [ID …]");
  Deno.exit(2);
}
const file = (path: string) => pathToFileURL(resolve(folder, path)).href;
const { default: published } = await import(file("tests/index.mjs"));
const { runTests, getResults } = await import(file("client/runner.mjs"));
const suites = suitesNow(published as Suite[]).map((suite) => ({
  ...suite,
  tests: suite.tests.filter(({ id }) => ids.length === 0 || ids.includes(id)),
}));

const [port] = freePorts(1);
const origin = new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", resolve(folder, "server/server.mjs")],
  cwd: resolve(folder),
  env: {
    npm_config_protocol: "http",
    npm_config_port: String(port),
    npm_config_pidfile: await Deno.makeTempFile(),
  },
  stdout: "null",
}).spawn();
for (;;) {
  try {
    (await Deno.connect({ port: port! })).close();
    break;
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const proxy = await startProxyWith({
  backends: [`http://localhost:${port}`],
  cache: {},
  workers: Number(workers),
});
await runTests(suites, fetch, false, proxy.url(""), 50);
const results: Record<string, true | readonly [string, string]> = getResults();
for (const { id, passes } of INTERIM) {
  const named = ids.length === 0 || ids.includes(id);
  if (named) results[id] = await passes();
}
const counts: Record<string, Record<string, number>> = {};
for (
  const { id, kind = "required", depends_on: needed = [] } of [
    ...suites.flatMap(({ tests }) => tests),
    ...INTERIM,
  ]
) {
  const result = results[id];
  if (result === undefined) continue;
  const unmet = needed.filter((other) =>
    results[other] !== undefined && results[other] !== true
  );
  const outcome = unmet.length > 0
    ? "depends on what failed"
    : result === true
    ? "passed"
    : result[0] === "Setup"
    ? "not set up"
    : "failed";
  const count = counts[kind] ??= {};
  count[outcome] = (count[outcome] ?? 0) + 1;
  if (outcome !== "passed" && (kind !== "check" || ids.length > 0)) {
    console.log(
      `${kind} ${id}: ${outcome} ${result === true ? unmet : result[1]}`,
    );
  }
}
console.log(counts);
await proxy[Symbol.asyncDispose]();
origin.kill();
await origin.status;
Deno.exit(0);
