/**
 * What a disk did not do: all of it is counted, told of once in a while, and a
 * disk that does not take something is left alone for a time.
 *
 * @module
 */
import type { Clock, Log } from "../plugin.ts";

/** Milliseconds that nothing is written after the disk did not take something. */
const PAUSE = 10_000;
/** Milliseconds between two lines about what went wrong. */
const QUIET = 60_000;

/** Whose failures they are. */
export interface DiskFailuresOptions {
  /** The folder. */
  readonly path: string;
  readonly log: Log;
  readonly clock: Pick<Clock, "now">;
}

/** A store's failures. */
export class DiskFailures {
  /** How many there were. */
  count = 0;
  readonly #options: DiskFailuresOptions;
  /** Until when nothing is written, by the clock. */
  #pausedUntil = 0;
  #toldAt = -Infinity;

  constructor(options: DiskFailuresOptions) {
    this.#options = options;
  }

  /** Whether the disk took what it got lately. */
  get mayWrite(): boolean {
    return this.#options.clock.now() >= this.#pausedUntil;
  }

  /** Something could not be done; `what` says what, a verb. */
  add(what: string, error: unknown): void {
    const { path, log, clock } = this.#options;
    this.count++;
    const now = clock.now();
    if (what === "write" || what === "open") this.#pausedUntil = now + PAUSE;
    if (now - this.#toldAt < QUIET) return;
    this.#toldAt = now;
    log.error(`The cache could not ${what} on disk; it goes on without`, {
      path,
      error,
    });
  }
}
