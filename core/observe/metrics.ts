/**
 * A registry of metrics: counters, gauges and histograms with labels.
 *
 * A registry is a value, one per data plane. The hot path holds handles to
 * single series, looked up once when a snapshot of the config is made, whose
 * `add` is a plain field increment.
 *
 * @module
 */
import {
  type GaugeMerge,
  type HistogramData,
  type MetricData,
  type MetricShape,
  type MetricSnapshot,
  type ScalarData,
  shapeOf,
} from "./metric_snapshot.ts";
import { checkNames, type FamilyOptions, SeriesTable } from "./series_table.ts";

/** A value for each label name. */
export type LabelValues<Labels extends readonly string[]> = {
  readonly [K in keyof Labels]: string;
};

/** What a counter is made of. */
export interface CounterSpec<Labels extends readonly string[]> {
  readonly name: string;
  readonly help: string;
  readonly labels?: Labels;
}

/** What a gauge is made of. */
export interface GaugeSpec<Labels extends readonly string[]>
  extends CounterSpec<Labels> {
  /** How values of several workers, and of several callbacks, become one; `sum` unless given. */
  readonly merge?: GaugeMerge;
}

/** What a histogram is made of. */
export interface HistogramSpec<Labels extends readonly string[]>
  extends CounterSpec<Labels> {
  /** Upper bounds, ascending, without infinity. */
  readonly buckets: readonly number[];
}

/** One series of a counter. */
export class CounterSeries {
  /** The count so far. */
  value = 0;

  /** Adds `by`, which must not be negative. */
  add(by = 1): void {
    this.value += by;
  }
}

/** One series of a gauge. */
export class GaugeSeries {
  /** The value now. */
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  /** Adds `by`, which may be negative. */
  add(by = 1): void {
    this.value += by;
  }
}

/** One series of a histogram. */
export class HistogramSeries {
  /** Observations per bucket, the last one beyond all bounds. */
  readonly counts: Float64Array;
  /** The sum of all observations. */
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Counts an observation as `weight` ones: what is timed by sample stands for the rest. */
  observe(value: number, weight = 1): void {
    const bounds = this.#bounds;
    let i = 0;
    // A linear walk beats bisection for the dozen of buckets that there are.
    while (i < bounds.length && value > (bounds[i] as number)) i++;
    this.counts[i] = (this.counts[i] as number) + weight;
    this.sum += value * weight;
  }
}

/** A counter with its series. */
export class CounterFamily<
  Labels extends readonly string[] = readonly string[],
> {
  readonly #options: FamilyOptions;
  readonly #table: SeriesTable<CounterSeries>;

  /** Use {@linkcode MetricRegistry.counter}. */
  constructor(options: FamilyOptions) {
    this.#options = options;
    this.#table = new SeriesTable(options, () => new CounterSeries());
  }

  /** The handle of these label values. Throws a `TypeError` for a wrong number of them. */
  series(...values: LabelValues<Labels>): CounterSeries {
    return this.#table.entry(values).series;
  }

  /**
   * Adds what `total` tells, a count that only grows and is kept elsewhere,
   * each time that the metric is read. The returned function ends that; what
   * was counted stays.
   */
  collect(total: () => number, ...values: LabelValues<Labels>): () => void {
    const { sources, series } = this.#table.entry(values);
    sources.add(total);
    return () => {
      if (sources.delete(total)) series.add(total());
    };
  }

  /** Forgets a series, e.g. of a backend that is gone. */
  delete(...values: LabelValues<Labels>): boolean {
    return this.#table.delete(values);
  }

  /** Forgets all series whose first labels have these values; handles that are held count on unseen. */
  deleteAll(...first: readonly string[]): void {
    this.#table.deleteAll(first);
  }

  /** Its state now. */
  read(): ScalarData {
    const { name, help, labels } = this.#options;
    const series = Array.from(this.#table.values(), (entry) => ({
      labels: entry.labels,
      value: sumOf(entry.series.value, entry.sources),
    }));
    return { type: "counter", name, help, labels, merge: "sum", series };
  }
}

/** A gauge with its series. */
export class GaugeFamily<Labels extends readonly string[] = readonly string[]> {
  readonly #options: FamilyOptions;
  readonly #merge: GaugeMerge;
  readonly #table: SeriesTable<GaugeSeries>;

  /** Use {@linkcode MetricRegistry.gauge}. */
  constructor(options: FamilyOptions, merge: GaugeMerge) {
    this.#options = options;
    this.#merge = merge;
    this.#table = new SeriesTable(options, () => new GaugeSeries());
  }

  /** The handle of these label values. Throws a `TypeError` for a wrong number of them. */
  series(...values: LabelValues<Labels>): GaugeSeries {
    return this.#table.entry(values).series;
  }

  /**
   * Asks `current` each time that the metric is read. Several callbacks of one
   * series are added or, for a `max` gauge, their maximum taken. The returned
   * function ends that; a labelled series goes with its last callback.
   */
  collect(current: () => number, ...values: LabelValues<Labels>): () => void {
    const { sources } = this.#table.entry(values);
    sources.add(current);
    return () => {
      sources.delete(current);
      if (sources.size === 0 && values.length > 0) this.#table.delete(values);
    };
  }

  /** Forgets a series, e.g. of a backend that is gone. */
  delete(...values: LabelValues<Labels>): boolean {
    return this.#table.delete(values);
  }

  /** Its state now. */
  read(): ScalarData {
    const { name, help, labels } = this.#options;
    const read = this.#merge === "max" ? maxOf : sumOf;
    const series = Array.from(this.#table.values(), (entry) => ({
      labels: entry.labels,
      value: read(entry.series.value, entry.sources),
    }));
    return { type: "gauge", name, help, labels, merge: this.#merge, series };
  }
}

/** A histogram with its series. */
export class HistogramFamily<
  Labels extends readonly string[] = readonly string[],
> {
  readonly #options: FamilyOptions;
  readonly #buckets: readonly number[];
  readonly #table: SeriesTable<HistogramSeries>;

  /** Use {@linkcode MetricRegistry.histogram}. */
  constructor(options: FamilyOptions, buckets: readonly number[]) {
    this.#options = options;
    this.#buckets = buckets;
    this.#table = new SeriesTable(options, () => new HistogramSeries(buckets));
  }

  /** The handle of these label values. Throws a `TypeError` for a wrong number of them. */
  series(...values: LabelValues<Labels>): HistogramSeries {
    return this.#table.entry(values).series;
  }

  /** Forgets a series, e.g. of a backend that is gone. */
  delete(...values: LabelValues<Labels>): boolean {
    return this.#table.delete(values);
  }

  /** Its state now. */
  read(): HistogramData {
    const { name, help, labels } = this.#options;
    const series = Array.from(this.#table.values(), (entry) => ({
      labels: entry.labels,
      counts: [...entry.series.counts],
      sum: entry.series.sum,
    }));
    const buckets = this.#buckets;
    return { type: "histogram", name, help, labels, buckets, series };
  }
}

function sumOf(value: number, sources: ReadonlySet<() => number>): number {
  for (const source of sources) value += source();
  return value;
}

/** The value that was set counts only without callbacks: its 0 would hide negative ones. */
function maxOf(value: number, sources: ReadonlySet<() => number>): number {
  if (sources.size === 0) return value;
  return Math.max(...Array.from(sources, (source) => source()));
}

/** A metric of any type. */
type Family = CounterFamily | GaugeFamily | HistogramFamily;

/** The metric that tells of metrics with too many series. */
const OVERFLOWS = "headrace_metric_overflows_total";

/** Options of a registry. */
export interface MetricRegistryOptions {
  /** Series that one metric may have before further ones are counted as `other`; 10 000. */
  readonly maxSeries?: number;
}

/** All metrics of a data plane. Asking twice for the same metric gives the same one. */
export class MetricRegistry {
  readonly #families = new Map<string, { shape: string; family: Family }>();
  readonly #maxSeries: number;

  constructor(options: MetricRegistryOptions = {}) {
    this.#maxSeries = options.maxSeries ?? 10_000;
  }

  /** A count that only grows. Throws a `TypeError` for a bad name or one taken by another kind. */
  counter<const Labels extends readonly string[] = readonly []>(
    spec: CounterSpec<Labels>,
  ): CounterFamily<Labels> {
    const labels = spec.labels ?? [];
    const shape: MetricShape = { type: "counter", labels, merge: "sum" };
    return this.#claim(
      spec,
      shape,
      (options) => new CounterFamily<Labels>(options),
    );
  }

  /** A value that goes up and down. Throws as `counter` does. */
  gauge<const Labels extends readonly string[] = readonly []>(
    spec: GaugeSpec<Labels>,
  ): GaugeFamily<Labels> {
    const { labels = [], merge = "sum" } = spec;
    return this.#claim(
      spec,
      { type: "gauge", labels, merge },
      (options) => new GaugeFamily<Labels>(options, merge),
    );
  }

  /** Observations by size. Throws as `counter` does, a `RangeError` for buckets that do not ascend. */
  histogram<const Labels extends readonly string[] = readonly []>(
    spec: HistogramSpec<Labels>,
  ): HistogramFamily<Labels> {
    const { labels = [], buckets } = spec;
    checkBuckets(spec.name, buckets);
    return this.#claim(
      spec,
      { type: "histogram", labels, buckets },
      (options) => new HistogramFamily<Labels>(options, buckets),
    );
  }

  /** Whether the name is free or taken by a metric of this shape. */
  fits(name: string, shape: MetricShape): boolean {
    const held = this.#families.get(name);
    return held === undefined || held.shape === shapeOf(shape);
  }

  /** Forgets a metric: handles that are held count on unseen. */
  delete(name: string): boolean {
    return this.#families.delete(name);
  }

  /** All metrics now. */
  snapshot(): MetricSnapshot {
    const metrics: MetricData[] = [];
    for (const { family } of this.#families.values()) {
      metrics.push(family.read());
    }
    return { metrics };
  }

  #claim<F extends Family>(
    spec: CounterSpec<readonly string[]>,
    metricShape: MetricShape,
    make: (options: FamilyOptions) => F,
  ): F {
    const { name, help, labels = [] } = spec;
    const shape = shapeOf(metricShape);
    const held = this.#families.get(name);
    if (held !== undefined) {
      if (held.shape === shape) return held.family as F;
      throw new TypeError(
        `Cannot make metric ${name} as it exists with another shape: ${held.shape}, asked for ${shape}`,
      );
    }
    checkNames(name, labels, metricShape.type);
    const onOverflow = () => this.#overflow(name);
    const maxSeries = this.#maxSeries;
    const family = make({ name, help, labels, maxSeries, onOverflow });
    this.#families.set(name, { shape, family });
    return family;
  }

  #overflow(metric: string): void {
    if (metric === OVERFLOWS) return;
    this.counter({
      name: OVERFLOWS,
      help: "Look-ups of a series counted as other, as the metric has too many",
      labels: ["metric"],
    }).series(metric).add();
  }
}

function checkBuckets(name: string, buckets: readonly number[]): void {
  const ascending = buckets.every((bound, i) =>
    Number.isFinite(bound) && (i === 0 || bound > (buckets[i - 1] as number))
  );
  if (!ascending || buckets.length === 0) {
    throw new RangeError(
      `Cannot use buckets of metric ${name} as they must be finite and ascend: current value is ${
        buckets.join(", ")
      }`,
    );
  }
}
