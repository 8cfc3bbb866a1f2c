/**
 * What the proxy is made of and does now.
 *
 * @module
 */
import type { Context } from "hono";
import { VERSION } from "../version.ts";
import { answerError, answerJson } from "./answer.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** Sessions that are listed where the query doesn't say. */
const DEFAULT_LIMIT = 100;

/** Each worker makes, sends and writes out that many: more would be felt by traffic. */
const MAX_LIMIT = 10_000;

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
      path: "/api/listeners",
      does: "listeners with their addresses, states and open connections",
      async handle() {
        const { listeners } = await source.report(0);
        return answerJson({ listeners });
      },
    },
    {
      method: "GET",
      path: "/api/plugins",
      does: "plugins with their origins, hashes, callback points and errors",
      async handle() {
        const { plugins } = await source.report(0);
        return answerJson({ plugins });
      },
    },
    {
      method: "GET",
      path: "/api/sessions",
      does:
        `open sessions, ?limit=${DEFAULT_LIMIT} of them (at most ${MAX_LIMIT})`,
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
  const text = context.req.query("limit");
  const limit = text === undefined ? DEFAULT_LIMIT : parseLimit(text);
  if (limit === undefined) {
    return answerError(
      400,
      `Cannot take limit as it must be a whole number from 0 to ${MAX_LIMIT}: current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  const { sessionsOpen, sessions } = await source.report(limit);
  return answerJson({ sessionsOpen, sessions });
}

function parseLimit(text: string): number | undefined {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  return limit <= MAX_LIMIT ? limit : undefined;
}
