/**
 * Runs the public cache tests (npm: http-cache-tests, BSD-3-Clause, by Mark
 * Nottingham) through a Headrace with its cache on, and prints what passes:
 *
 * ```sh
 * npm pack http-cache-tests && tar xzf http-cache-tests-*.tgz
 * deno run -A tests/conformance/cache_suite.ts package [ID …]
 * ```
 *
 * Version 0.4.5 is the last one published; where the suite's repository has
 * corrected a test since, so that it asks what RFC 9111 asks, `CORRECTED` does
 * the same, and `ADDED` has the tests of CDN-Cache-Control that came later.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { freePorts } from "../support/free_ports.ts";
import { startProxyWith } from "../support/proxy_with.ts";

type Header = readonly [name: string, value: string | number, check?: boolean];

/** As much of a test as is looked at here. */
interface CacheTest {
  readonly id: string;
  kind?: string;
  readonly "depends_on"?: readonly string[];
  readonly requests: Record<string, unknown>[];
}

interface Suite {
  readonly id: string;
  readonly name: string;
  tests: CacheTest[];
}

/** RFC 9111 §5.1: the first Age counts, what is no number is ignored. */
const CORRECTED: ReadonlySet<string> = new Set([
  "age-parse-nonnumeric",
  "age-parse-negative",
  "age-parse-float",
  "age-parse-prefix-twoline",
  "age-parse-dup-0",
  "age-parse-dup-0-twoline",
  "age-parse-dup-old",
]);

const MAX_AGE: Header = ["CDN-Cache-Control", "max-age=3600", false];
const PAST: Header = ["Expires", -10_000];
const FUTURE: Header = ["Expires", 10_000];
const DATE: Header = ["Date", 0];

function cdn(value: string): Header {
  return ["CDN-Cache-Control", value, false];
}

function control(value: string): Header {
  return ["Cache-Control", value];
}

const ADDED: readonly [
  id: string,
  kind: "required" | "optimal",
  headers: readonly Header[],
  expected: "cached" | "not_cached",
][] = [
  ["cdn-max-age", "optimal", [MAX_AGE], "cached"],
  ["cdn-max-age-max", "optimal", [cdn("max-age=2147483648")], "cached"],
  ["cdn-max-age-max-plus", "optimal", [cdn("max-age=99999999999")], "cached"],
  [
    "cdn-max-age-age",
    "required",
    [DATE, MAX_AGE, ["Age", "7200"]],
    "not_cached",
  ],
  ["cdn-max-age-0", "required", [cdn("max-age=0")], "not_cached"],
  ["cdn-max-age-extension", "optimal", [cdn("foobar, max-age=3600")], "cached"],
  ["cdn-max-age-expires", "optimal", [MAX_AGE, PAST, DATE], "cached"],
  [
    "cdn-max-age-0-expires",
    "required",
    [cdn("max-age=0"), FUTURE, DATE],
    "not_cached",
  ],
  [
    "cdn-max-age-short-cc-max-age",
    "optimal",
    [control("max-age=1"), MAX_AGE],
    "cached",
  ],
  ["cdn-max-age-long-cc-max-age", "required", [
    control("max-age=3600"),
    cdn("max-age=1"),
  ], "not_cached"],
  ["cdn-private", "required", [
    cdn("private"),
    control("max-age=10000"),
    FUTURE,
    DATE,
  ], "not_cached"],
  ["cdn-no-cache", "required", [
    cdn("no-cache"),
    control("max-age=10000"),
    FUTURE,
    DATE,
  ], "not_cached"],
  ["cdn-no-store-cc-fresh", "required", [
    control("max-age=10000"),
    cdn("no-store"),
    FUTURE,
    DATE,
  ], "not_cached"],
  ["cdn-fresh-cc-nostore", "required", [
    control("no-store"),
    cdn("max-age=10000"),
  ], "cached"],
  ["cdn-cc-invalid-sh-type-unknown", "required", [
    cdn("max-age=10000, &&&&&"),
    control("no-store"),
  ], "not_cached"],
  ["cdn-cc-invalid-sh-type-wrong", "required", [
    cdn('max-age="10000"'),
    control("no-store"),
  ], "not_cached"],
];

/** Brings the suites of the package to what their repository has now. */
function corrected(suites: readonly Suite[]): Suite[] {
  for (const test of suites.flatMap(({ tests }) => tests)) {
    const last = test.requests.at(-1)!;
    if (CORRECTED.has(test.id)) last["expected_type"] = "cached";
    if (/^age-parse-(?:numeric-)?parameter$/.test(test.id)) test.kind = "check";
    if (
      test.id.startsWith("freshness-expires-invalid-") && test.kind === "check"
    ) {
      test.kind = "required";
      last["expected_type"] = "not_cached";
    }
    if (/^stale-close-(?:must|proxy|no-cache|s-maxage)/.test(test.id)) {
      // What the proxy says by itself has no number of the server's.
      delete last["expected_type"];
      last["expected_status"] = 502;
      last["check_body"] = false;
      last["expected_response_headers_missing"] = ["server-request-count"];
    }
  }
  const tests = ADDED.map(([id, kind, headers, expected]): CacheTest => ({
    id,
    kind,
    requests: [
      { response_headers: headers, setup: true, pause_after: true },
      { expected_type: expected },
    ],
  }));
  return [...suites, { id: "cdn", name: "CDN-Cache-Control", tests }];
}

const [folder, ...ids] = Deno.args;
if (folder === undefined) {
  console.error("usage: cache_suite.ts FOLDER [ID …]");
  Deno.exit(2);
}
const file = (path: string) => pathToFileURL(resolve(folder, path)).href;
const { default: published } = await import(file("tests/index.mjs"));
const { runTests, getResults } = await import(file("client/runner.mjs"));
const suites = corrected(published).map((suite) => ({
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
});
await runTests(suites, fetch, false, proxy.url(""), 50);
const results: Record<string, true | readonly [string, string]> = getResults();
const counts: Record<string, Record<string, number>> = {};
for (
  const { id, kind = "required", depends_on: needed = [] } of suites.flatMap((
    { tests },
  ) => tests)
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
