/**
 * Prometheus' text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * @module
 */
import type {
  HistogramData,
  MetricData,
  MetricSnapshot,
} from "./metric_snapshot.ts";

/** The media type of {@linkcode renderPrometheus}'s text. */
export const PROMETHEUS_CONTENT_TYPE =
  "text/plain; version=0.0.4; charset=utf-8";

/** A snapshot as `/metrics` shows it. */
export function renderPrometheus(snapshot: MetricSnapshot): string {
  const lines: string[] = [];
  for (const metric of snapshot.metrics) {
    lines.push(`# HELP ${metric.name} ${escapeHelp(metric.help)}`);
    lines.push(`# TYPE ${metric.name} ${metric.type}`);
    renderSeries(metric, lines);
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function renderSeries(metric: MetricData, lines: string[]): void {
  if (metric.type === "histogram") {
    renderHistogram(metric, lines);
    return;
  }
  for (const { labels, value } of metric.series) {
    const set = labelSet(metric.labels, labels);
    lines.push(`${metric.name}${set} ${formatNumber(value)}`);
  }
}

function renderHistogram(metric: HistogramData, lines: string[]): void {
  const bounds = [...metric.buckets, Infinity].map(formatNumber);
  const labelNames = [...metric.labels, "le"];
  for (const { labels, counts, sum } of metric.series) {
    let cumulative = 0;
    for (const [i, bound] of bounds.entries()) {
      cumulative += counts[i] ?? 0;
      const set = labelSet(labelNames, [...labels, bound]);
      lines.push(`${metric.name}_bucket${set} ${formatNumber(cumulative)}`);
    }
    const set = labelSet(metric.labels, labels);
    lines.push(`${metric.name}_sum${set} ${formatNumber(sum)}`);
    lines.push(`${metric.name}_count${set} ${formatNumber(cumulative)}`);
  }
}

function labelSet(
  names: readonly string[],
  values: readonly string[],
): string {
  if (names.length === 0) return "";
  const pairs = names.map((name, i) =>
    `${name}="${escapeLabelValue(values[i] ?? "")}"`
  );
  return `{${pairs.join(",")}}`;
}

/** Go's spelling, which is the format's: JavaScript's but for the infinities. */
function formatNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabelValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
