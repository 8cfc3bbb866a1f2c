import type { Config } from "../../../core/config/config.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import { LostMetrics } from "../../../core/supervisor/lost_metrics.ts";
import { assertEquals } from "../../support/assert.ts";
import { metricValue } from "../../support/metric_value.ts";

/** A config with these backends in its clusters. */
function configOf(
  clusters: Readonly<Record<string, readonly string[]>>,
): Pick<Config, "clusters"> {
  return {
    clusters: Object.entries(clusters).map(([name, ids]) => ({
      name,
      subclusters: [{ backends: ids.map((id) => ({ id })) }],
    })),
  } as unknown as Pick<Config, "clusters">;
}

/** What a worker told that has counted one of everything. */
function told() {
  const registry = new MetricRegistry();
  const metrics = createProxyMetrics(registry);
  for (const backend of ["a", "b"]) {
    metrics.attempts.series("main", backend, "ok").add();
    metrics.backendUp.series("main", backend).set(1);
    metrics.newSession.series("f", backend).add();
  }
  metrics.sessions.series("web").add();
  registry.counter({
    name: "a_plugins_own",
    help: "Of what it calls a backend",
    labels: ["cluster", "backend"],
  }).series("x", "b").add();
  return registry.snapshot();
}

function valuesOf(lost: LostMetrics, name: string): number[] {
  return ["a", "b"].map((backend) =>
    lost.snapshots.reduce(
      (sum, snapshot) => sum + metricValue(snapshot, name, { backend }),
      0,
    )
  );
}

Deno.test("LostMetrics: what only grows stays, over several losses", () => {
  const lost = new LostMetrics();
  assertEquals(lost.snapshots, []);
  lost.keep(configOf({ main: ["a", "b"] }));
  lost.add(told());
  lost.add(told());
  assertEquals(valuesOf(lost, "headrace_attempts_total"), [2, 2]);
  assertEquals(valuesOf(lost, "headrace_backend_up"), [0, 0]);
  assertEquals(metricValue(lost.snapshots[0]!, "headrace_sessions_total"), 2);
});

Deno.test("LostMetrics: of a backend that the config has no more nothing stays, nor comes by a later loss", () => {
  const lost = new LostMetrics();
  lost.keep(configOf({ main: ["a", "b"] }));
  lost.add(told());
  lost.keep(configOf({ main: ["a"], other: ["b"] }));
  assertEquals(valuesOf(lost, "headrace_attempts_total"), [1, 0]);
  // One that told last while the backend was there.
  lost.add(told());
  assertEquals(valuesOf(lost, "headrace_attempts_total"), [2, 0]);
  lost.keep(configOf({ main: ["a", "b"] }));
  assertEquals(valuesOf(lost, "headrace_attempts_total"), [2, 0]);
  assertEquals(metricValue(lost.snapshots[0]!, "headrace_sessions_total"), 2);
});

Deno.test("LostMetrics: what workers count until a backend's last session has left goes with the last of them", () => {
  const lost = new LostMetrics();
  lost.keep(configOf({ main: ["a", "b"] }));
  lost.add(told());
  lost.keep(configOf({ main: ["a"] }));
  lost.told([told()]);
  assertEquals(valuesOf(lost, "wsbalancer_new_session"), [1, 1]);
  lost.told([]);
  assertEquals(valuesOf(lost, "wsbalancer_new_session"), [1, 0]);
  assertEquals(valuesOf(lost, "a_plugins_own"), [0, 1]);
});
