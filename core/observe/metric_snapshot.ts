/**
 * What a registry's metrics held at one moment, as data that crosses threads,
 * and the sum of several workers' snapshots.
 *
 * @module
 */

/** How a gauge's values of several workers become one. */
export type GaugeMerge = "sum" | "max";

/** One series of a counter or gauge. */
export interface ScalarSample {
  /** Values of the metric's labels, in their order. */
  readonly labels: readonly string[];
  readonly value: number;
}

/** One series of a histogram. */
export interface HistogramSample {
  /** Values of the metric's labels, in their order. */
  readonly labels: readonly string[];
  /** Observations per bucket, not cumulative; one more than `buckets`: beyond the last bound. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A counter or gauge with its series. */
export interface ScalarData {
  readonly type: "counter" | "gauge";
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Always `sum` for counters. */
  readonly merge: GaugeMerge;
  readonly series: readonly ScalarSample[];
}

/** A histogram with its series. */
export interface HistogramData {
  readonly type: "histogram";
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, ascending, without infinity. */
  readonly buckets: readonly number[];
  readonly series: readonly HistogramSample[];
}

/** One metric with all its series. */
export type MetricData = ScalarData | HistogramData;

/** All metrics of a registry, structured-clonable. */
export interface MetricSnapshot {
  readonly metrics: readonly MetricData[];
}

/** What decides whether two metrics of one name can be added: all but the help text. */
export type MetricShape =
  | Pick<ScalarData, "type" | "labels" | "merge">
  | Pick<HistogramData, "type" | "labels" | "buckets">;

/** The shape as a text, equal for metrics that can be added. */
export function shapeOf(metric: MetricShape): string {
  return JSON.stringify([
    metric.type,
    metric.labels,
    metric.type === "histogram" ? metric.buckets : metric.merge,
  ]);
}

/**
 * One snapshot out of several: counters and histograms are added, gauges added
 * or, where declared so, their maximum taken. Metrics and series come out in
 * order of their names, so that the order of the list makes no difference.
 * Where workers disagree on a metric's shape (one of them has a newer plugin),
 * one shape is shown: the same whatever the order.
 */
export function mergeSnapshots(
  snapshots: readonly MetricSnapshot[],
): MetricSnapshot {
  const byName = new Map<string, MetricData[]>();
  for (const { metrics } of snapshots) {
    for (const metric of metrics) {
      const same = byName.get(metric.name);
      if (same === undefined) byName.set(metric.name, [metric]);
      else same.push(metric);
    }
  }
  const names = [...byName.keys()].sort();
  return { metrics: names.map((name) => mergeMetric(byName.get(name) ?? [])) };
}

/** What only grows: sums with it never go back when its worker is gone. */
export function growing({ metrics }: MetricSnapshot): MetricSnapshot {
  return { metrics: metrics.filter(({ type }) => type !== "gauge") };
}

/** A snapshot without some of its series, which `isGone` tells by their metric and the values of its labels. */
export function withoutSeries(
  { metrics }: MetricSnapshot,
  isGone: (metric: MetricData, labels: readonly string[]) => boolean,
): MetricSnapshot {
  return {
    metrics: metrics.map((metric) => {
      const stays = ({ labels }: { readonly labels: readonly string[] }) =>
        !isGone(metric, labels);
      return metric.type === "histogram"
        ? { ...metric, series: metric.series.filter(stays) }
        : { ...metric, series: metric.series.filter(stays) };
    }),
  };
}

function mergeMetric(metrics: readonly MetricData[]): MetricData {
  const shape = metrics.map(shapeOf).reduce((a, b) => a > b ? a : b);
  const same = metrics.filter((metric) => shapeOf(metric) === shape);
  const help = same.map((metric) => metric.help).reduce((a, b) =>
    a > b ? a : b
  );
  const histograms = same.filter((metric) => metric.type === "histogram");
  const [histogram] = histograms;
  if (histogram !== undefined) {
    const series = mergeSeries(histograms, addHistograms);
    return { ...histogram, help, series };
  }
  const scalars = same.filter((metric) => metric.type !== "histogram");
  const [scalar] = scalars;
  if (scalar === undefined) throw new TypeError("Cannot merge no metrics");
  const add = scalar.merge === "max" ? maxScalar : addScalars;
  return { ...scalar, help, series: mergeSeries(scalars, add) };
}

function mergeSeries<S extends { readonly labels: readonly string[] }>(
  metrics: readonly { readonly series: readonly S[] }[],
  merge: (a: S, b: S) => S,
): S[] {
  const byLabels = new Map<string, S>();
  for (const { series } of metrics) {
    for (const sample of series) {
      const key = JSON.stringify(sample.labels);
      const held = byLabels.get(key);
      byLabels.set(key, held === undefined ? sample : merge(held, sample));
    }
  }
  return [...byLabels.keys()].sort().flatMap((key) => byLabels.get(key) ?? []);
}

function addScalars(a: ScalarSample, b: ScalarSample): ScalarSample {
  return { labels: a.labels, value: a.value + b.value };
}

function maxScalar(a: ScalarSample, b: ScalarSample): ScalarSample {
  return { labels: a.labels, value: Math.max(a.value, b.value) };
}

function addHistograms(
  a: HistogramSample,
  b: HistogramSample,
): HistogramSample {
  return {
    labels: a.labels,
    counts: a.counts.map((count, i) => count + (b.counts[i] ?? 0)),
    sum: a.sum + b.sum,
  };
}
