/**
 * Signals: SIGHUP reloads; SIGTERM and SIGINT drain, a second one cuts.
 *
 * @module
 */
import type { Log } from "../plugin.ts";

/** What signals do something to. */
export interface Signalled {
  reload(): Promise<void>;
  drain(): Promise<void>;
  cut(): void;
}

/** Watches signals until the returned function is called. */
export function watchSignals(proxy: Signalled, log: Log): () => void {
  let ending = false;
  const onHangup = () => {
    // A refused reload has been logged where it was refused.
    proxy.reload().catch(() => {});
  };
  const onEnd = () => {
    if (ending) {
      log.warn("A second signal: what is open is cut");
      proxy.cut();
      return;
    }
    ending = true;
    log.info("Draining: listeners stop, what has begun is finished");
    proxy.drain().catch((error) => log.error("Cannot drain", { error }));
  };
  Deno.addSignalListener("SIGHUP", onHangup);
  Deno.addSignalListener("SIGTERM", onEnd);
  Deno.addSignalListener("SIGINT", onEnd);
  return () => {
    Deno.removeSignalListener("SIGHUP", onHangup);
    Deno.removeSignalListener("SIGTERM", onEnd);
    Deno.removeSignalListener("SIGINT", onEnd);
  };
}
