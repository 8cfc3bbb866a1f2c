/**
 * The supervisor's side of backends, under a clock that the test turns.
 *
 * @module
 */
import type { Config } from "../../../core/config/config.ts";
import { loadConfig } from "../../../core/config/load.ts";
import { BackendRow } from "../../../core/health/backend_row.ts";
import { createLog } from "../../../core/observe/log.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { Resolver } from "../../../core/net/resolver.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import type { BackendEvent } from "../../../core/plugin.ts";
import { Backends } from "../../../core/supervisor/backends.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { metricValue } from "../../support/metric_value.ts";
import { serveNamed } from "../../support/named_backend.ts";

/** Backends with what they told. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly registry = new MetricRegistry();
  readonly lines: Record<string, unknown>[] = [];
  readonly events: BackendEvent[] = [];
  readonly backends = new Backends({
    seats: 2,
    clock: this.clock,
    log: createLog({
      level: "debug",
      write: (line) => this.lines.push(JSON.parse(line)),
    }),
    metrics: createProxyMetrics(this.registry),
    resolver: new Resolver(this.clock),
    tellPlanes: (event) => this.events.push(event),
  });

  /** Takes a config with these backends; their rows in its order. */
  async use(
    backends: readonly object[],
    cluster: object = {},
  ): Promise<BackendRow[]> {
    const config = await configOf(backends, cluster);
    const rows = this.backends.rowsFor(config);
    this.backends.commit(config, rows);
    return [...rows.values()].map((buffer) => new BackendRow(buffer));
  }

  [Symbol.dispose](): void {
    this.backends.stop();
    assertEquals(this.clock.pending, 0);
  }
}

async function configOf(
  backends: readonly object[],
  cluster: object,
): Promise<Config> {
  const { config, problems } = await loadConfig({
    path: "test.yaml",
    text: JSON.stringify({
      listeners: [{ name: "web", address: "127.0.0.1:0" }],
      clusters: [{ name: "main", backends, ...cluster }],
    }),
    env: () => undefined,
  });
  assertEquals(problems, []);
  return config!;
}

const A = { id: "a", url: "http://127.0.0.1:1" };
const B = { id: "b", url: "http://127.0.0.1:2" };

Deno.test("Backends: rows of backends that stay stay, a config that is not taken leaves nothing behind", async () => {
  using bench = new Bench();
  const [a] = await bench.use([A]);
  a!.enter(1);
  const refused = bench.backends.rowsFor(await configOf([A, B], {}));
  assertEquals(refused.size, 2);
  assertEquals(bench.backends.change("b", { weight: 3 }), false);
  const [again, b] = await bench.use([A, B]);
  assertEquals([again!.load, b!.load], [1, 0]);
  new BackendRow([...refused.values()][1]!).enter(0);
  assertEquals(b!.load, 0);
});

Deno.test("Backends: an id with another URL is another backend", async () => {
  using bench = new Bench();
  await bench.use([A]);
  bench.backends.change("a", { state: "disabled" });
  const [moved] = await bench.use([{ ...A, url: "http://127.0.0.1:3" }]);
  assertEquals(moved!.admin, "ready");
});

Deno.test("Backends.change tells of each change: a line, a count, all planes", async () => {
  using bench = new Bench();
  const [a] = await bench.use([A]);
  const epoch = new Int32Array(bench.backends.epoch);
  const before = epoch[0];
  assert(bench.backends.change("a", { state: "drain", weight: 7 }));
  assert(bench.backends.change("a", { state: "drain", weight: 7 }));
  assert(bench.backends.change("a", { weight: null }));
  assert(epoch[0] !== before);
  assertEquals([a!.admin, a!.weight], ["drain", undefined]);
  assertEquals(bench.events.map(({ kind, from, to }) => [kind, from, to]), [
    ["weight", "configured", "7"],
    ["admin", "ready", "drain"],
    ["weight", "7", "configured"],
  ]);
  assertEquals(
    bench.lines.map(({ level, backend, to }) => [level, backend, to]),
    [
      ["info", "a", "7"],
      ["info", "a", "drain"],
      ["info", "a", "configured"],
    ],
  );
  const count = (labels: Record<string, string>) =>
    metricValue(
      bench.registry.snapshot(),
      "headrace_backend_state_changes_total",
      { cluster: "main", backend: "a", ...labels },
    );
  assertEquals(
    [
      count({ kind: "admin", to: "drain" }),
      count({ kind: "weight", to: "set" }),
    ],
    [1, 2],
  );
});

Deno.test("Backends.changed warns of what is bad, and says little of trials", async () => {
  using bench = new Bench();
  await bench.use([A]);
  const event = {
    cluster: "main",
    backend: "a",
    kind: "breaker",
    from: "x",
    cause: "test",
    at: 0,
  } as const;
  const levels = ["down", "ejected", "open", "up", "closed", "half-open"].map(
    (to) => {
      bench.backends.changed({ ...event, to });
      return bench.lines.at(-1)?.level;
    },
  );
  assertEquals(levels, ["warn", "warn", "warn", "info", "info", "debug"]);
});

Deno.test("Backends.commit forgets the counts of backends that are gone", async () => {
  using bench = new Bench();
  await bench.use([A, B]);
  bench.backends.change("a", { weight: 2 });
  bench.backends.change("b", { weight: 2 });
  await bench.use([A]);
  const counted = () => {
    const [family] = bench.registry.snapshot().metrics.filter(({ name }) =>
      name === "headrace_backend_state_changes_total"
    );
    return family!.series.map(({ labels }) => labels[1]);
  };
  assertEquals(counted(), ["a"]);
  // What was under way at it ends late: told, but not counted.
  bench.backends.changed({
    cluster: "main",
    backend: "b",
    kind: "breaker",
    from: "closed",
    to: "open",
    cause: "test",
    at: 0,
  });
  assertEquals([counted(), bench.events.at(-1)?.to], [["a"], "open"]);
});

Deno.test("Backends.loseSeat takes away what that worker counted, and no more", async () => {
  using bench = new Bench();
  const [a, b] = await bench.use([A, B]);
  for (const row of [a!, b!]) {
    row.enter(0);
    row.enter(1);
    row.enter(1);
  }
  bench.backends.loseSeat(1);
  assertEquals([a!.load, b!.load], [1, 1]);
  bench.backends.openSeat(1);
  a!.enter(1);
  assertEquals([a!.load, b!.load], [2, 1]);
});

Deno.test("Backends: one that leaves maintenance is checked at once, before any time passes", async () => {
  await using backend = serveNamed("a");
  using bench = new Bench();
  const health = { path: "/healthz", interval: "1h" };
  await bench.use([{ id: "a", url: backend.url }], { health });
  const checked = async (times: number, turn: () => void) => {
    const before = bench.backends.lastCheck("a");
    await eventually(`check ${times}`, () => {
      if (backend.asked.length < times) turn();
      return bench.backends.lastCheck("a") !== before;
    });
    assertEquals(backend.asked.length, times);
    assertEquals(bench.backends.lastCheck("a")?.failure, undefined);
  };
  await checked(1, () => bench.clock.advance(100));
  bench.backends.change("a", { state: "maintenance" });
  bench.clock.advance(3 * 3_600_000);
  assertEquals(backend.asked.length, 1);
  bench.backends.change("a", { state: "ready" });
  await checked(2, () => {});
  // From any other state nothing is to be found out anew.
  bench.backends.change("a", { state: "disabled" });
  bench.backends.change("a", { state: "ready" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(backend.asked.length, 2);
});

Deno.test("Backends: maintenance outlives reloads, also of the checks' config, and so do weights", async () => {
  await using backend = serveNamed("a");
  using bench = new Bench();
  const a = { id: "a", url: backend.url };
  const other = { id: "b", url: backend.url.replace("127.0.0.1", "127.0.0.9") };
  await bench.use([a], { health: { interval: "1s" } });
  bench.backends.change("a", { state: "maintenance", weight: 7 });
  const reloads: readonly (readonly [readonly object[], object])[] = [
    [[a], { health: { interval: "1s" } }],
    [[a, other], { health: { interval: "2s", path: "/else" } }],
    [[a], { health: { type: "tcp", interval: "1s" }, balance: "leastconn" }],
    [[a], { breaker: { failures: 1 }, passiveHealth: {} }],
    [[a], { health: { interval: "1s" } }],
  ];
  for (const [backends, cluster] of reloads) {
    const [row] = await bench.use(backends, cluster);
    for (let i = 0; i < 10; i++) {
      bench.clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals([row!.admin, row!.weight], ["maintenance", 7]);
  }
  assertEquals(backend.asked.length, 0);
  bench.backends.change("a", { state: "ready" });
  await eventually("a check", () => backend.asked.length === 1);
  await eventually("its result", () => bench.backends.lastCheck("a"));
});

Deno.test("Backends.reset tells whether there was anything to do", async () => {
  using bench = new Bench();
  const [a] = await bench.use([A], { breaker: { failures: 1 } });
  assertEquals(
    [bench.backends.reset("a"), bench.backends.reset("b")],
    [false, undefined],
  );
  a!.breaker.replace(0n, 5n);
  assertEquals(bench.backends.reset("a"), true);
  assertEquals(bench.events.map(({ to }) => to), ["closed"]);
});
