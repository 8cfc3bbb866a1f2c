/**
 * The end of a proxy as a signal brings it.
 *
 * @module
 */
import type { TestProxy } from "./proxy.ts";

/** Waits for the sessions' ends, then ends everything. */
export async function drainAndStop(proxy: TestProxy): Promise<void> {
  await proxy.supervisor.drain();
  await proxy.supervisor.stop();
}
