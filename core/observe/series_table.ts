/**
 * The series of one metric, found by their label values, bounded in number.
 *
 * @module
 */
import type { MetricData } from "./metric_snapshot.ts";

/** A series with its labels and the callbacks that add to it at reading time. */
export interface Entry<S> {
  /** Values of the metric's labels, in their order. */
  readonly labels: readonly string[];
  readonly series: S;
  /** Asked when the metric is read. */
  readonly sources: Set<() => number>;
}

/** What families of all types need of their registry. */
export interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  /** Names of its labels. */
  readonly labels: readonly string[];
  /** Series beyond so many are counted as `other`. */
  readonly maxSeries: number;
  /** Told each time that a series was refused. */
  readonly onOverflow: () => void;
}

/** The series of one metric by label values. */
export class SeriesTable<S> {
  readonly #options: FamilyOptions;
  readonly #make: () => S;
  readonly #entries = new Map<string, Entry<S>>();

  constructor(options: FamilyOptions, make: () => S) {
    this.#options = options;
    this.#make = make;
    // Without labels there is one series: it shows as 0 before it is used.
    if (options.labels.length === 0) this.entry([]);
  }

  /** The entry of these values, made where there is none; `other`'s where there are too many. */
  entry(values: readonly string[]): Entry<S> {
    const { labels, maxSeries, onOverflow, name } = this.#options;
    if (values.length !== labels.length) {
      throw new TypeError(
        `Cannot find a series of ${name}: expected ${labels.length} label values (${
          labels.join(", ")
        }), got ${values.length}`,
      );
    }
    const key = keyOf(values);
    const held = this.#entries.get(key);
    if (held !== undefined) return held;
    if (this.#entries.size < maxSeries) return this.#add(key, values);
    onOverflow();
    const others = labels.map(() => "other");
    const otherKey = keyOf(others);
    return this.#entries.get(otherKey) ?? this.#add(otherKey, others);
  }

  /** Forgets an entry; false where there is none. */
  delete(values: readonly string[]): boolean {
    return this.#entries.delete(keyOf(values));
  }

  /** Forgets all entries whose first labels have these values. */
  deleteAll(first: readonly string[]): void {
    for (const [key, { labels }] of this.#entries) {
      if (first.every((value, i) => labels[i] === value)) {
        this.#entries.delete(key);
      }
    }
  }

  /** All entries. */
  values(): IterableIterator<Entry<S>> {
    return this.#entries.values();
  }

  #add(key: string, values: readonly string[]): Entry<S> {
    const entry = {
      labels: [...values],
      series: this.#make(),
      sources: new Set<() => number>(),
    };
    this.#entries.set(key, entry);
    return entry;
  }
}

/** Label values as one key; a NUL in a value can't make two keys collide. */
function keyOf(values: readonly string[]): string {
  if (values.length === 1) return values[0] as string;
  const key = values.join("\0");
  return values.some((value) => value.includes("\0"))
    ? JSON.stringify(values)
    : key;
}

/** Throws a `TypeError` for names that Prometheus does not take. */
export function checkNames(
  name: string,
  labels: readonly string[],
  type: MetricData["type"],
): void {
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) {
    throw new TypeError(`Cannot name a metric ${JSON.stringify(name)}`);
  }
  for (const [i, label] of labels.entries()) {
    if (
      !/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ||
      labels.indexOf(label) !== i || type === "histogram" && label === "le"
    ) {
      throw new TypeError(
        `Cannot name a label of metric ${name} ${JSON.stringify(label)}`,
      );
    }
  }
}
