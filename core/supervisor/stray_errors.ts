/**
 * Errors that nobody waits for: a plugin's timer that throws, a promise that it
 * forgot. Left alone they end the thread, and with it every session (tried).
 *
 * @module
 */
import type { Log } from "../plugin.ts";

/** Logs them for as long as the thread lives, or until the returned function is called. */
export function surviveStrayErrors(log: Log): () => void {
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    log.error("An error that nobody handles", { error: event.error });
  };
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    log.error("A rejection that nobody handles", { error: event.reason });
  };
  globalThis.addEventListener("error", onError);
  globalThis.addEventListener("unhandledrejection", onRejection);
  return () => {
    globalThis.removeEventListener("error", onError);
    globalThis.removeEventListener("unhandledrejection", onRejection);
  };
}
