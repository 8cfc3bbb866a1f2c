/**
 * What the admin interface sees of the proxy: enough to tell and to control,
 * so that tests can put something else in its place.
 *
 * @module
 */
import type { ProxyReport } from "../supervisor/proxy_report.ts";

/** What the supervisor is to the admin interface. */
export interface AdminSource {
  readonly state: "starting" | "ready" | "draining" | "stopped";
  /** Why the last reload was refused; undefined where it was not. */
  readonly lastRefusal: readonly string[] | undefined;
  /** All workers' reports, added up; at most so many sessions one by one. */
  report(sessions: number): Promise<ProxyReport>;
  /** Swaps the config anew. Rejects with a `RefusedError` and the old one stays. */
  reload(): Promise<void>;
  /** Stops accepting; resolves when the last session has ended. */
  drain(): Promise<void>;
}
