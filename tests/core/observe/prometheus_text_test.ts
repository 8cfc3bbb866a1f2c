import { MetricRegistry } from "../../../core/observe/metrics.ts";
import { renderPrometheus } from "../../../core/observe/prometheus_text.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("renderPrometheus() writes HELP, TYPE and samples", () => {
  const registry = new MetricRegistry();
  const labels = ["code", "method"] as const;
  const hits = registry.counter({ name: "hits_total", help: "Hits", labels });
  hits.series("200", "GET").add(3);
  registry.gauge({ name: "open", help: "Open" }).series().set(1.5);

  assertEquals(
    renderPrometheus(registry.snapshot()),
    `# HELP hits_total Hits
# TYPE hits_total counter
hits_total{code="200",method="GET"} 3
# HELP open Open
# TYPE open gauge
open 1.5
`,
  );
});

Deno.test("renderPrometheus() writes cumulative buckets up to +Inf", () => {
  const registry = new MetricRegistry();
  const labels = ["c"] as const;
  const buckets = [0.005, 1];
  const family = registry.histogram({ name: "d", help: "D", labels, buckets });
  const series = family.series("api");
  for (const value of [0.001, 0.5, 0.5, 7]) series.observe(value);

  assertEquals(
    renderPrometheus(registry.snapshot()),
    `# HELP d D
# TYPE d histogram
d_bucket{c="api",le="0.005"} 1
d_bucket{c="api",le="1"} 3
d_bucket{c="api",le="+Inf"} 4
d_sum{c="api"} 8.001
d_count{c="api"} 4
`,
  );
});

Deno.test("renderPrometheus() writes an unlabelled histogram", () => {
  const registry = new MetricRegistry();
  registry.histogram({ name: "d", help: "D", buckets: [1] }).series();

  assertEquals(
    renderPrometheus(registry.snapshot()),
    `# HELP d D
# TYPE d histogram
d_bucket{le="1"} 0
d_bucket{le="+Inf"} 0
d_sum 0
d_count 0
`,
  );
});

Deno.test("renderPrometheus() escapes help and label values", () => {
  const registry = new MetricRegistry();
  const labels = ["l"] as const;
  const family = registry.counter({ name: "c", help: 'a\\b\n"c"', labels });
  family.series('x"y\\z\n').add();

  assertEquals(
    renderPrometheus(registry.snapshot()),
    `# HELP c a\\\\b\\n"c"
# TYPE c counter
c{l="x\\"y\\\\z\\n"} 1
`,
  );
});

Deno.test("renderPrometheus() spells infinities and NaN as Go does", () => {
  const registry = new MetricRegistry();
  const family = registry.gauge({ name: "g", help: "", labels: ["l"] });
  for (const value of [Infinity, -Infinity, NaN, 1e21]) {
    family.series(String(value)).set(value);
  }

  assertEquals(
    renderPrometheus(registry.snapshot()).split("\n").slice(2, 6),
    [
      'g{l="Infinity"} +Inf',
      'g{l="-Infinity"} -Inf',
      'g{l="NaN"} NaN',
      'g{l="1e+21"} 1e+21',
    ],
  );
});

Deno.test("renderPrometheus() of an empty registry is empty", () => {
  assertEquals(renderPrometheus(new MetricRegistry().snapshot()), "");
});
