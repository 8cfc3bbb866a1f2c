/**
 * A counter's or gauge's value out of a snapshot.
 *
 * @module
 */
import type { MetricSnapshot } from "../../core/observe/metric_snapshot.ts";

/** The sum of a metric's series that have these labels, whatever their others; 0 where there is none. */
export function metricValue(
  snapshot: MetricSnapshot,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  let sum = 0;
  for (const metric of snapshot.metrics) {
    if (metric.name !== name || metric.type === "histogram") continue;
    for (const series of metric.series) {
      const fits = Object.entries(labels).every(([label, value]) =>
        series.labels[metric.labels.indexOf(label)] === value
      );
      if (fits) sum += series.value;
    }
  }
  return sum;
}
