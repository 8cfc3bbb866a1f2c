/**
 * Time, passed in so that tests can turn it.
 *
 * @module
 */
import type { Clock as PluginClock } from "../plugin.ts";

/** Time for the core: a plugin's clock and a tick that repeats. */
export interface Clock extends PluginClock {
  /** Calls back every so many milliseconds; the returned function ends that. */
  every(milliseconds: number, callback: () => void): () => void;
}

/** `setTimeout` keeps its delay in 31 bits: a longer one is over at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = Object.freeze({
  wall: () => Date.now(),
  now: () => performance.now(),
  after(milliseconds: number, callback: () => void) {
    if (milliseconds > LONGEST_TIMER) return afterLong(milliseconds, callback);
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  every(milliseconds: number, callback: () => void) {
    const timer = setInterval(callback, milliseconds);
    return () => clearInterval(timer);
  },
});

/** One timer after another. */
function afterLong(milliseconds: number, callback: () => void): () => void {
  let cancel = systemClock.after(LONGEST_TIMER, () => {
    cancel = systemClock.after(milliseconds - LONGEST_TIMER, callback);
  });
  return () => cancel();
}
