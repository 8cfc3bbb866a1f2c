/**
 * Signs of life of a worker: `self.close()`, `Deno.exit()` and a loop that never
 * ends raise no event outside of it (tried), only its silence tells.
 *
 * @module
 */

/** How often a worker says that it is alive, and how long it may be silent. */
export interface Heartbeat {
  /** Milliseconds between two signs of life. */
  readonly interval: number;
  /** Milliseconds of silence after which it is taken for gone. */
  readonly silence: number;
}

/** Longer than any sane pause for garbage. */
export const DEFAULT_HEARTBEAT: Heartbeat = Object.freeze({
  interval: 1_000,
  silence: 10_000,
});

/** The message that says so. */
export interface Beat {
  readonly beat: true;
}
