import fc from "fast-check";
import {
  mergeSnapshots,
  type MetricData,
  type MetricSnapshot,
} from "../../../core/observe/metric_snapshot.ts";
import { assertEquals } from "../../support/assert.ts";

const labels = fc.array(fc.constantFrom("x", "y"), {
  minLength: 1,
  maxLength: 1,
});
const count = fc.integer({ min: 0, max: 1e6 });

const scalar = fc.record({
  type: fc.constantFrom("counter" as const, "gauge" as const),
  name: fc.constantFrom("a", "b", "c"),
  help: fc.constantFrom("one", "two"),
  labels: fc.constant(["l"]),
  merge: fc.constantFrom("sum" as const, "max" as const),
  series: fc.uniqueArray(fc.record({ labels, value: count }), {
    selector: (sample) => sample.labels.join(),
  }),
});
const histogram = fc.record({
  type: fc.constant("histogram" as const),
  name: fc.constantFrom("a", "h"),
  help: fc.constant("sizes"),
  labels: fc.constant(["l"]),
  buckets: fc.constantFrom([1], [1, 2]),
  series: fc.uniqueArray(
    fc.record({
      labels,
      counts: fc.tuple(count, count, count),
      sum: count,
    }),
    { selector: (sample) => sample.labels.join() },
  ),
}).map((metric): MetricData => ({
  ...metric,
  series: metric.series.map((sample) => ({
    ...sample,
    counts: sample.counts.slice(0, metric.buckets.length + 1),
  })),
}));
const metric: fc.Arbitrary<MetricData> = fc.oneof(scalar, histogram);
const snapshot: fc.Arbitrary<MetricSnapshot> = fc.record({
  metrics: fc.uniqueArray(metric, { selector: (data) => data.name }),
});

Deno.test("mergeSnapshots() does not care for the order of the list", () => {
  fc.assert(fc.property(snapshot, snapshot, snapshot, (a, b, c) => {
    assertEquals(mergeSnapshots([a, b, c]), mergeSnapshots([c, b, a]));
  }));
});

Deno.test("mergeSnapshots() can be done in steps", () => {
  fc.assert(fc.property(snapshot, snapshot, snapshot, (a, b, c) => {
    assertEquals(
      mergeSnapshots([mergeSnapshots([a, b]), c]),
      mergeSnapshots([a, b, c]),
    );
  }));
});

function gauge(merge: "sum" | "max", value: number): MetricSnapshot {
  const series = [{ labels: [], value }];
  return {
    metrics: [
      { type: "gauge", name: "g", help: "G", labels: [], merge, series },
    ],
  };
}

Deno.test("mergeSnapshots() adds gauges", () => {
  const merged = mergeSnapshots([gauge("sum", 2), gauge("sum", 3)]);
  assertEquals(merged, gauge("sum", 5));
});

Deno.test("mergeSnapshots() takes the maximum of gauges declared so", () => {
  const merged = mergeSnapshots([gauge("max", 2), gauge("max", 3)]);
  assertEquals(merged, gauge("max", 3));
});

Deno.test("mergeSnapshots() adds histograms bucket by bucket", () => {
  const make = (counts: number[], sum: number): MetricSnapshot => ({
    metrics: [{
      type: "histogram",
      name: "h",
      help: "H",
      labels: [],
      buckets: [1, 2],
      series: [{ labels: [], counts, sum }],
    }],
  });

  assertEquals(
    mergeSnapshots([make([1, 2, 3], 4), make([10, 20, 30], 40)]),
    make([11, 22, 33], 44),
  );
});

Deno.test("mergeSnapshots() keeps series that only one worker has", () => {
  const make = (label: string): MetricSnapshot => ({
    metrics: [{
      type: "counter",
      name: "c",
      help: "C",
      labels: ["l"],
      merge: "sum",
      series: [{ labels: [label], value: 1 }],
    }],
  });
  const [merged] = mergeSnapshots([make("b"), make("a")]).metrics;

  assertEquals(merged?.series, [
    { labels: ["a"], value: 1 },
    { labels: ["b"], value: 1 },
  ]);
});

Deno.test("mergeSnapshots() of nothing is empty", () => {
  assertEquals(mergeSnapshots([]), { metrics: [] });
});
