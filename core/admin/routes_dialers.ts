/**
 * Backends of a cluster's dialer: what its plugin's administrator tells and
 * changes.
 *
 * @module
 */
import type { Context } from "hono";
import type { AdministerAction } from "../data_plane/control.ts";
import { answerError, answerJson } from "./answer.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

const PATH = "/api/clusters/:name/dialer/backends";

/** What `result` says in the answer. */
const RESULTS = { 1: "success", 3: "no action required", 4: "failed" } as const;

const ANSWERS = {
  404: "No cluster has this name",
  501: "The cluster has no dialer, or one without an administrator",
};

/** The routes of dialers' backends. Names and ids stand percent-encoded in the path. */
export function dialerRoutes(source: AdminSource): AdminRoute[] {
  const change = (
    method: AdminRoute["method"],
    path: string,
    action: AdministerAction,
    does: string,
  ): AdminRoute => ({
    method,
    path,
    does,
    answers: ANSWERS,
    handle: (context) =>
      administer(source, context, action, context.req.param("id")!),
  });
  return [
    {
      method: "GET",
      path: PATH,
      does:
        "the backends that the dialer of the cluster knows, in its own words",
      answers: ANSWERS,
      handle: (context) => administer(source, context, "list", ""),
    },
    {
      method: "POST",
      path: PATH,
      does:
        "has the dialer of the cluster add the backend that the body tells of",
      body: {},
      answers: ANSWERS,
      handle: async (context) =>
        administer(source, context, "add", await context.req.text()),
    },
    change(
      "GET",
      `${PATH}/:id`,
      "config",
      "what the dialer tells of one backend",
    ),
    change(
      "DELETE",
      `${PATH}/:id`,
      "delete",
      "the dialer forgets the backend; its WebSocket sessions go to others",
    ),
    change(
      "POST",
      `${PATH}/:id/disable`,
      "disable",
      "the dialer gives the backend no new sessions; live ones stay",
    ),
    change(
      "POST",
      `${PATH}/:id/enable`,
      "enable",
      "the dialer gives the backend new sessions again",
    ),
    change(
      "POST",
      `${PATH}/:id/reset`,
      "reset",
      "the dialer closes the circuit breaker of the backend",
    ),
  ];
}

async function administer(
  source: AdminSource,
  context: Context,
  action: AdministerAction,
  argument: string,
): Promise<Response> {
  const name = context.req.param("name")!;
  if (!source.config.clusters.some((cluster) => cluster.name === name)) {
    return answerError(404, `No cluster has the name ${JSON.stringify(name)}`);
  }
  const answer = await source.administer(name, action, argument);
  if (answer === undefined) {
    return answerError(
      501,
      `The cluster ${JSON.stringify(name)} has no dialer with an administrator`,
    );
  }
  const { result, json } = answer;
  return answerJson({
    result: RESULTS[result],
    ...(json !== undefined && { value: JSON.parse(json) }),
  });
}
