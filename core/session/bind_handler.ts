/**
 * Handlers that plugins register with `on`, for one session or transaction.
 *
 * @module
 */
import { POINT, type PointName } from "../callback_points.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { AnyHandler, BoundHandler } from "./handlers.ts";

/** `plugins[].timeout`'s default, for handlers registered outside of any other. */
const DEFAULT_TIMEOUT = 5_000;

/**
 * A handler that `on` brought while `running` ran: what the config says of that
 * one's plugin holds for the new one too. Throws a `TypeError` where it is none,
 * or for no point.
 */
export function bindHandler(
  point: PointName,
  run: AnyHandler,
  running: BoundHandler | undefined,
  metrics: Pick<ProxyMetrics, "handlerErrors" | "handlerDuration">,
): BoundHandler {
  if (typeof run !== "function" || POINT[point] === undefined) {
    throw new TypeError(
      `Cannot register a handler for ${
        JSON.stringify(point)
      }: expected a callback point and a function`,
    );
  }
  const plugin = running?.plugin ?? "unknown";
  return {
    plugin,
    point,
    run,
    order: running?.order ?? 0,
    place: running?.place ?? Infinity,
    timeout: running?.timeout ?? DEFAULT_TIMEOUT,
    onError: running?.onError ?? "refuse",
    errors: metrics.handlerErrors.series(plugin, point),
    duration: metrics.handlerDuration.series(plugin, point),
    // Most run once: from 0 each of them would be timed, and count for as
    // many as a sample does.
    calls: running?.calls ?? 0,
  };
}
