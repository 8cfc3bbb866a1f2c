/**
 * Whether the process lives, and whether it should get traffic.
 *
 * @module
 */
import { answerJson } from "./answer.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** What a load balancer before Headrace is told in each state. */
const REASONS: Readonly<Record<AdminSource["state"], string>> = {
  starting: "The config is not in use yet",
  ready: "Listeners accept connections",
  draining: "Listeners are closed, the last sessions end",
  stopped: "All sessions have ended",
};

/** The routes for probes. */
export function healthRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      method: "GET",
      path: "/healthz",
      does: "200 while the process lives",
      open: true,
      handle: () => answerJson({ alive: true }),
    },
    {
      method: "GET",
      path: "/readyz",
      does: "200 while connections are accepted, else 503",
      open: true,
      handle() {
        const { state } = source;
        const ready = state === "ready";
        const answer = { ready, state, reason: REASONS[state] };
        return answerJson(answer, ready ? 200 : 503);
      },
    },
  ];
}
