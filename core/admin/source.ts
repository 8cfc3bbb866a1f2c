/**
 * What the admin interface sees of the proxy: enough to tell and to control,
 * so that tests can put something else in its place.
 *
 * @module
 */
import type { BackendChange } from "../supervisor/backends.ts";
import type { ProxyReport } from "../supervisor/proxy_report.ts";

/** What the supervisor is to the admin interface. */
export interface AdminSource {
  readonly state: "starting" | "ready" | "draining" | "stopped";
  /** Why the last reload was refused; undefined where it was not. */
  readonly lastRefusal: readonly string[] | undefined;
  /** All workers' reports, added up; at most so many sessions one by one. */
  report(sessions: number): Promise<ProxyReport>;
  /** Changes a backend until the next start; false where there is none of this id. */
  changeBackend(id: string, change: BackendChange): boolean;
  /** Closes a backend's breaker and ends its ejection; whether there was anything to do, undefined where there is none of this id. */
  resetBackend(id: string): boolean | undefined;
  /** Swaps the config anew. Rejects with a `RefusedError` and the old one stays. */
  reload(): Promise<void>;
  /** Stops accepting; resolves when the last session has ended. */
  drain(): Promise<void>;
}
