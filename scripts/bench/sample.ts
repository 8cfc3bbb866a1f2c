/**
 * What one measurement gives, and what several of them say.
 *
 * @module
 */

/** Milliseconds that shares of the requests took at most. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** What the generator itself was late by, at its 99th percentile. */
  readonly late: number;
  /** Requests that were to be sent a second. */
  readonly offered: number;
}

/** One measurement of one proxy. */
export interface Sample {
  /** In the case's unit; NaN where it could not be measured. */
  readonly cost: number;
  /** Requests or megabytes a second; left out where that is not asked. */
  readonly rate?: number;
  readonly latency?: Latency;
  /** What was wrong; empty where all went well. */
  readonly problems: readonly string[];
}

/** The middle one, and the outermost ones. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Of values, of which there is at least one. */
export function spreadOf(values: readonly number[]): Spread {
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

/** The middle value; of an even number of them the mean of both. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[half]!
    : (sorted[half - 1]! + sorted[half]!) / 2;
}
