/**
 * How late the event loop runs what is due: the first sign of a handler that
 * blocks or of a worker with too much to do.
 *
 * @module
 */
import type { Clock } from "../net/clock.ts";
import type { HistogramSeries } from "./metrics.ts";

/** What a meter of the event loop's lag needs. */
export interface LoopLagOptions {
  readonly clock: Clock;
  /** Gets the lag in seconds. */
  readonly histogram: HistogramSeries;
  /** Milliseconds between two looks; 500. */
  readonly interval?: number;
}

/** Measures from its making until it is disposed of. */
export class LoopLagMeter implements Disposable {
  readonly #clock: Clock;
  readonly #histogram: HistogramSeries;
  readonly #interval: number;
  #cancel: () => void;

  constructor(options: LoopLagOptions) {
    this.#clock = options.clock;
    this.#histogram = options.histogram;
    this.#interval = options.interval ?? 500;
    this.#cancel = this.#schedule();
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  /** One timer after another: a repeating one would make up for a lag and hide it. */
  #schedule(): () => void {
    const due = this.#clock.now() + this.#interval;
    return this.#clock.after(this.#interval, () => {
      const late = Math.max(0, this.#clock.now() - due);
      this.#histogram.observe(late / 1000);
      this.#cancel = this.#schedule();
    });
  }
}
