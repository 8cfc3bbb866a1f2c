/**
 * Waiting for AbortSignals.
 *
 * @module
 */

/** Resolves to the signal's reason when it fires. */
export function firing(signal: AbortSignal): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  signal.addEventListener("abort", () => resolve(signal.reason));
  return promise;
}
