import { MetricRegistry } from "../../../core/observe/metrics.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

function seriesOf(registry: MetricRegistry, name: string) {
  const metric = registry.snapshot().metrics.find((m) => m.name === name);
  return metric?.series;
}

Deno.test("CounterFamily.series() gives one handle per label values", () => {
  const registry = new MetricRegistry();
  const family = registry.counter({
    name: "hits",
    help: "Hits",
    labels: ["a", "b"],
  });

  family.series("x", "y").add();
  family.series("x", "y").add(2);
  family.series("x", "z").add();

  assertEquals(seriesOf(registry, "hits"), [
    { labels: ["x", "y"], value: 3 },
    { labels: ["x", "z"], value: 1 },
  ]);
  assert(family.series("x", "y") === family.series("x", "y"));
});

Deno.test("CounterFamily.series() tells label values with NULs apart", () => {
  const registry = new MetricRegistry();
  const labels = ["a", "b"] as const;
  const family = registry.counter({ name: "hits", help: "Hits", labels });

  assert(family.series("x\0", "y") !== family.series("x", "\0y"));
});

Deno.test("CounterFamily.series() refuses a wrong number of label values", () => {
  const registry = new MetricRegistry();
  const labels: readonly string[] = ["a"];
  const family = registry.counter({ name: "hits", help: "Hits", labels });

  assertThrows(
    () => family.series("x", "y"),
    TypeError,
    "expected 1 label values (a), got 2",
  );
});

Deno.test("series() has the arity of the labels in its type", () => {
  const registry = new MetricRegistry();
  const family = registry.counter({ name: "n", help: "N", labels: ["a"] });

  // @ts-expect-error the counter has one label
  assertThrows(() => family.series(), TypeError);
});

Deno.test("MetricRegistry shows an unlabelled counter before it is used", () => {
  const registry = new MetricRegistry();
  registry.counter({ name: "hits", help: "Hits" });

  assertEquals(seriesOf(registry, "hits"), [{ labels: [], value: 0 }]);
});

Deno.test("MetricRegistry.counter() gives the same counter for the same name", () => {
  const registry = new MetricRegistry();
  const spec = { name: "hits", help: "Hits", labels: ["a"] };

  registry.counter(spec).series("x").add();
  registry.counter(spec).series("x").add();

  assertEquals(seriesOf(registry, "hits"), [{ labels: ["x"], value: 2 }]);
});

Deno.test("MetricRegistry refuses a name taken by another shape", () => {
  const registry = new MetricRegistry();
  registry.counter({ name: "hits", help: "Hits", labels: ["a"] });

  for (
    const make of [
      () => registry.gauge({ name: "hits", help: "Hits", labels: ["a"] }),
      () => registry.counter({ name: "hits", help: "Hits", labels: ["b"] }),
      () => registry.histogram({ name: "hits", help: "Hits", buckets: [1] }),
    ]
  ) {
    assertThrows(make, TypeError, "exists with another shape");
  }
});

Deno.test("MetricRegistry refuses names that Prometheus does not take", () => {
  const registry = new MetricRegistry();
  const make = (name: string, labels: string[]) => () =>
    registry.counter({ name, help: "", labels });

  assertThrows(make("a-b", []), TypeError, 'name a metric "a-b"');
  assertThrows(make("1a", []), TypeError, "1a");
  assertThrows(make("a", ["b-c"]), TypeError, 'label of metric a "b-c"');
  assertThrows(make("a", ["__b"]), TypeError, "__b");
  assertThrows(make("a", ["b", "b"]), TypeError, '"b"');
  assertThrows(
    () =>
      registry.histogram({
        name: "a",
        help: "",
        labels: ["le"],
        buckets: [1],
      }),
    TypeError,
    "le",
  );
});

Deno.test("MetricRegistry.histogram() refuses buckets that do not ascend", () => {
  const registry = new MetricRegistry();
  for (const buckets of [[], [2, 1], [1, 1], [1, Infinity]]) {
    assertThrows(
      () => registry.histogram({ name: "h", help: "", buckets }),
      RangeError,
      "must be finite and ascend",
    );
  }
});

Deno.test("MetricRegistry counts series beyond the bound as other", () => {
  const registry = new MetricRegistry({ maxSeries: 2 });
  const family = registry.counter({ name: "n", help: "N", labels: ["a"] });

  for (const value of ["1", "2", "3", "4", "1"]) family.series(value).add();

  assertEquals(seriesOf(registry, "n"), [
    { labels: ["1"], value: 2 },
    { labels: ["2"], value: 1 },
    { labels: ["other"], value: 2 },
  ]);
  assertEquals(seriesOf(registry, "headrace_metric_overflows_total"), [
    { labels: ["n"], value: 2 },
  ]);
});

Deno.test("MetricRegistry bounds the metric of overflows itself", () => {
  const registry = new MetricRegistry({ maxSeries: 1 });
  for (const name of ["a", "b", "c"]) {
    const family = registry.counter({ name, help: "", labels: ["x"] });
    family.series("1").add();
    family.series("2").add();
  }

  assertEquals(seriesOf(registry, "headrace_metric_overflows_total"), [
    { labels: ["a"], value: 1 },
    { labels: ["other"], value: 2 },
  ]);
});

Deno.test("CounterFamily.collect() adds a count kept elsewhere and keeps it when it ends", () => {
  const registry = new MetricRegistry();
  const family = registry.counter({ name: "n", help: "N", labels: ["a"] });
  let total = 5;
  const end = family.collect(() => total, "x");
  family.series("x").add(1);

  assertEquals(seriesOf(registry, "n"), [{ labels: ["x"], value: 6 }]);
  total = 7;
  end();
  total = 100;
  assertEquals(seriesOf(registry, "n"), [{ labels: ["x"], value: 8 }]);
});

Deno.test("GaugeFamily.collect() asks when the metric is read", () => {
  const registry = new MetricRegistry();
  const family = registry.gauge({ name: "open", help: "Open" });
  let open = 1;
  family.collect(() => open);

  assertEquals(seriesOf(registry, "open"), [{ labels: [], value: 1 }]);
  open = 4;
  assertEquals(seriesOf(registry, "open"), [{ labels: [], value: 4 }]);
});

Deno.test("GaugeFamily.collect() adds several callbacks and drops the series with the last", () => {
  const registry = new MetricRegistry();
  const family = registry.gauge({ name: "pool", help: "", labels: ["b"] });
  const endOld = family.collect(() => 2, "a1");
  const endNew = family.collect(() => 3, "a1");

  assertEquals(seriesOf(registry, "pool"), [{ labels: ["a1"], value: 5 }]);
  endOld();
  assertEquals(seriesOf(registry, "pool"), [{ labels: ["a1"], value: 3 }]);
  endNew();
  assertEquals(seriesOf(registry, "pool"), []);
});

Deno.test("GaugeFamily.collect() takes the maximum for a max gauge, negative ones too", () => {
  const registry = new MetricRegistry();
  const family = registry.gauge({ name: "up", help: "", merge: "max" });
  family.collect(() => -2);
  family.collect(() => -3);

  assertEquals(seriesOf(registry, "up"), [{ labels: [], value: -2 }]);
});

Deno.test("GaugeSeries.set() and add() hold the last value", () => {
  const registry = new MetricRegistry();
  const gauge = registry.gauge({ name: "g", help: "" }).series();
  gauge.set(5);
  gauge.add(-2);

  assertEquals(seriesOf(registry, "g"), [{ labels: [], value: 3 }]);
});

Deno.test("HistogramSeries.observe() counts into the first bucket that holds the value", () => {
  const registry = new MetricRegistry();
  const series = registry.histogram({ name: "h", help: "", buckets: [1, 2] })
    .series();
  for (const value of [0, 1, 1.5, 2, 3]) series.observe(value);

  assertEquals(seriesOf(registry, "h"), [
    { labels: [], counts: [2, 2, 1], sum: 7.5 },
  ]);
});

Deno.test("HistogramSeries.observe() lets a sample stand for its weight", () => {
  const registry = new MetricRegistry();
  const series = registry.histogram({ name: "h", help: "", buckets: [1] })
    .series();
  series.observe(0.5, 16);

  assertEquals(seriesOf(registry, "h"), [
    { labels: [], counts: [16, 0], sum: 8 },
  ]);
});

Deno.test("deleteAll() forgets all series that begin with these labels", () => {
  const registry = new MetricRegistry();
  const family = registry.counter({
    name: "attempts",
    help: "",
    labels: ["cluster", "backend", "result"],
  });
  family.series("c", "a", "ok").add();
  family.series("c", "a", "failed").add();
  family.series("c", "b", "ok").add();
  family.series("d", "a", "ok").add();
  family.deleteAll("c", "a");
  assertEquals(family.read().series.map(({ labels }) => labels.join(" ")), [
    "c b ok",
    "d a ok",
  ]);
});

Deno.test("delete() forgets a series", () => {
  const registry = new MetricRegistry();
  const family = registry.counter({ name: "n", help: "", labels: ["a"] });
  family.series("x").add();

  assertEquals(family.delete("x"), true);
  assertEquals(family.delete("x"), false);
  assertEquals(seriesOf(registry, "n"), []);
});

Deno.test("MetricRegistry.snapshot() can be sent to another thread", () => {
  const registry = new MetricRegistry();
  registry.counter({ name: "c", help: "" }).series().add();
  registry.histogram({ name: "h", help: "", buckets: [1] }).series().observe(3);
  const snapshot = registry.snapshot();

  assertEquals(structuredClone(snapshot), snapshot);
});
