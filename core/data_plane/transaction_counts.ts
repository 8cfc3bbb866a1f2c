/**
 * Counts transactions by product and cluster; the series are looked up once
 * per pair and class, not per request.
 *
 * @module
 */
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { CounterSeries, HistogramSeries } from "../observe/metrics.ts";
import type { Transaction } from "../session/transaction.ts";

interface PairSeries {
  readonly duration: HistogramSeries;
  /** By the status's first digit. */
  readonly classes: (CounterSeries | undefined)[];
}

/** The counts of one data plane. */
export class TransactionCounts {
  readonly #metrics: ProxyMetrics;
  readonly #products = new Map<string, Map<string, PairSeries>>();

  constructor(metrics: ProxyMetrics) {
    this.#metrics = metrics;
  }

  /** Counts one that is over. */
  count(transaction: Transaction): void {
    const product = transaction.product?.name ?? "";
    const cluster = transaction.cluster ?? "";
    const pair = this.#pair(product, cluster);
    pair.duration.observe(transaction.finishedAt! / 1000);
    const kind = Math.floor(transaction.status / 100);
    const series = pair.classes[kind] ??= this.#metrics.transactions.series(
      product,
      cluster,
      kind === 0 ? "none" : `${kind}xx`,
    );
    series.add();
  }

  #pair(product: string, cluster: string): PairSeries {
    let clusters = this.#products.get(product);
    if (clusters === undefined) {
      this.#products.set(product, clusters = new Map());
    }
    let pair = clusters.get(cluster);
    if (pair === undefined) {
      pair = {
        duration: this.#metrics.transactionDuration.series(product, cluster),
        classes: [],
      };
      clusters.set(cluster, pair);
    }
    return pair;
  }
}
