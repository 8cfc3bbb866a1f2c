/**
 * What workers that are lost had counted: it stays in the sums, so that they
 * never go back, for as long as what was counted is there.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { PROXY_METRICS } from "../observe/metric_names.ts";
import {
  growing,
  mergeSnapshots,
  type MetricSnapshot,
  withoutSeries,
} from "../observe/metric_snapshot.ts";

/** Plugins may mean anything by the labels of theirs. */
const OWN = new Set<string>(
  Object.values(PROXY_METRICS).map(({ name }) => name),
);

/** The counts of all that were lost. */
export class LostMetrics {
  #snapshot: MetricSnapshot | undefined;
  /** Backends of the config in use: their ids by their clusters' names. */
  #backends: ReadonlyMap<string, ReadonlySet<string>> = new Map();

  /** What they had counted when they last told. */
  get snapshots(): readonly MetricSnapshot[] {
    return this.#snapshot === undefined ? [] : [this.#snapshot];
  }

  /** Another worker is lost that last told this. */
  add(told: MetricSnapshot): void {
    this.#snapshot = mergeSnapshots([...this.snapshots, growing(told)]);
    this.#forgetOthers();
  }

  /** This config is in use now: workers have forgotten what they counted of backends that it has not. */
  keep({ clusters }: Pick<Config, "clusters">): void {
    this.#backends = new Map(
      clusters.map(({ name, subclusters }) => [
        name,
        new Set(
          subclusters.flatMap(({ backends }) => backends.map(({ id }) => id)),
        ),
      ]),
    );
    this.#forgetOthers();
  }

  /**
   * Workers have told what they count now. What names a backend without its
   * cluster they count on until its last session has left: once none of them
   * tells it any more it goes here, too.
   */
  told(snapshots: readonly MetricSnapshot[]): void {
    if (this.#snapshot === undefined) return;
    const known = new Set(
      [...this.#backends.values()].flatMap((ids) => [...ids]),
    );
    const living = new Set(
      snapshots.flatMap(({ metrics }) =>
        metrics.flatMap(({ name, series }) =>
          series.map(({ labels }) => seriesKey(name, labels))
        )
      ),
    );
    this.#forget(({ cluster, backend }, key) =>
      cluster === undefined && backend !== undefined && !known.has(backend) &&
      !living.has(key)
    );
  }

  #forgetOthers(): void {
    this.#forget(({ cluster, backend }) =>
      cluster !== undefined && backend !== undefined &&
      this.#backends.get(cluster)?.has(backend) !== true
    );
  }

  #forget(
    isGone: (
      labels: { readonly cluster?: string; readonly backend?: string },
      key: string,
    ) => boolean,
  ): void {
    if (this.#snapshot === undefined) return;
    this.#snapshot = withoutSeries(
      this.#snapshot,
      ({ name, labels }, values) => {
        if (!OWN.has(name)) return false;
        const entries = labels.map((label, i) => [label, values[i]]);
        return isGone(Object.fromEntries(entries), seriesKey(name, values));
      },
    );
  }
}

function seriesKey(name: string, labels: readonly string[]): string {
  return JSON.stringify([name, ...labels]);
}
