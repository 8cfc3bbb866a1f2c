/**
 * What the proxy is made of and does now.
 *
 * @module
 */
import type { Context } from "hono";
import { VERSION } from "../version.ts";
import { answerJson } from "./answer.ts";
import { DEFAULT_LIMIT, limitOf, MAX_LIMIT } from "./query.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** The routes that only tell. */
export function apiRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      method: "GET",
      path: "/api/status",
      does: "state, revision of the config, workers, why a reload was refused",
      handle: () => tellStatus(source),
    },
    {
      method: "GET",
      path: "/api/sessions",
      does:
        `open sessions, ?limit=${DEFAULT_LIMIT} of them (at most ${MAX_LIMIT})`,
      query: { limit: { type: "integer", minimum: 0, maximum: MAX_LIMIT } },
      handle: (context) => tellSessions(source, context),
    },
  ];
}

async function tellStatus(source: AdminSource): Promise<Response> {
  const { revision, workers, sessionsOpen } = await source.report(0);
  return answerJson({
    version: VERSION,
    state: source.state,
    revision,
    workers,
    sessionsOpen,
    lastRefusal: source.lastRefusal,
  });
}

async function tellSessions(
  source: AdminSource,
  context: Context,
): Promise<Response> {
  const limit = limitOf(context);
  const { sessionsOpen, sessions } = await source.report(limit);
  return answerJson({ sessionsOpen, sessions });
}
