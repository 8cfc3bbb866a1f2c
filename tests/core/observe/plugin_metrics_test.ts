import { MetricRegistry } from "../../../core/observe/metrics.ts";
import { pluginMetrics } from "../../../core/observe/plugin_metrics.ts";
import { renderPrometheus } from "../../../core/observe/prometheus_text.ts";
import {
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

Deno.test("pluginMetrics() puts names under the plugin's prefix, sanitised", () => {
  const registry = new MetricRegistry();
  const metrics = pluginMetrics(registry, "access-log.v2");
  metrics.counter("lines-total", "Lines", ["reason"]).add(2, "full");
  metrics.gauge("depth", "Depth").set(7);

  assertEquals(
    renderPrometheus(registry.snapshot()).split("\n").filter((line) =>
      !line.startsWith("#")
    ),
    [
      'headrace_plugin_access_log_v2_lines_total{reason="full"} 2',
      "headrace_plugin_access_log_v2_depth 7",
      "",
    ],
  );
});

Deno.test("pluginMetrics() counts on when the plugin's instance is made again", () => {
  const registry = new MetricRegistry();
  pluginMetrics(registry, "p").counter("n", "N").add();
  pluginMetrics(registry, "p").counter("n", "N").add();

  assertStringIncludes(
    renderPrometheus(registry.snapshot()),
    "headrace_plugin_p_n 2\n",
  );
});

Deno.test("pluginMetrics() lets a newer instance change a metric's labels", () => {
  const registry = new MetricRegistry();
  const old = pluginMetrics(registry, "p").counter("n", "N");
  pluginMetrics(registry, "p").counter("n", "N", ["a"]).add(1, "x");
  old.add();

  const text = renderPrometheus(registry.snapshot());
  assertStringIncludes(text, 'headrace_plugin_p_n{a="x"} 1\n');
  assertEquals(text.includes("headrace_plugin_p_n 1"), false);
});

Deno.test("pluginMetrics() refuses one instance two shapes of a name", () => {
  const metrics = pluginMetrics(new MetricRegistry(), "p");
  metrics.counter("n", "N");

  assertThrows(() => metrics.gauge("n", "N"), TypeError, "another shape");
});

Deno.test("pluginMetrics() counters refuse to shrink", () => {
  const counter = pluginMetrics(new MetricRegistry(), "p").counter("n", "N");

  assertThrows(() => counter.add(-1), RangeError, "only grows");
  assertThrows(() => counter.add(NaN), RangeError, "only grows");
});
