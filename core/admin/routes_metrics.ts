/**
 * The metrics of all workers for Prometheus.
 *
 * @module
 */
import {
  PROMETHEUS_CONTENT_TYPE,
  renderPrometheus,
} from "../observe/prometheus_text.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** The route that Prometheus scrapes. */
export function metricsRoutes(source: AdminSource): AdminRoute[] {
  return [{
    method: "GET",
    path: "/metrics",
    does: "metrics for Prometheus",
    async handle() {
      const { metrics } = await source.report(0);
      return new Response(renderPrometheus(metrics), {
        headers: { "content-type": PROMETHEUS_CONTENT_TYPE },
      });
    },
  }];
}
