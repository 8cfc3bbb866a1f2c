/**
 * The admin interface as a Hono app: one table of routes, and what is made
 * from it.
 *
 * @module
 */
import { Hono } from "hono";
import type { Log } from "../plugin.ts";
import { answerError } from "./answer.ts";
import {
  checkHost,
  checkOrigin,
  checkToken,
  type HostPolicy,
} from "./guard.ts";
import { limitBody, limitMethods } from "./limits.ts";
import { openApiRoute } from "./openapi.ts";
import { pageRoute } from "./page.ts";
import { RequestError } from "./query.ts";
import type { AdminRoute } from "./route.ts";
import { apiRoutes } from "./routes_api.ts";
import { backendRoutes } from "./routes_backends.ts";
import { cacheRoutes } from "./routes_cache.ts";
import { clusterRoutes } from "./routes_clusters.ts";
import { dialerRoutes } from "./routes_dialers.ts";
import { controlRoutes } from "./routes_control.ts";
import { explainRoutes } from "./routes_explain.ts";
import { healthRoutes } from "./routes_health.ts";
import { listenerRoutes } from "./routes_listeners.ts";
import { metricsRoutes } from "./routes_metrics.ts";
import { pluginRoutes } from "./routes_plugins.ts";
import { websocketRoutes } from "./routes_websockets.ts";
import { wsbalancerRoutes } from "./routes_wsbalancer.ts";
import { sealAnswers } from "./seal.ts";
import type { AdminSource } from "./source.ts";

/** Who is let in, and who is told of failures. */
export interface AdminAppOptions {
  /** The bearer token; undefined = none is asked for. */
  readonly token: string | undefined;
  readonly hosts: HostPolicy;
  readonly log: Log;
}

/** What a request's body may hold at most, in bytes, as nginx has it by default. */
const MAX_BODY = 1 << 20;

/** Every admin route, in the order of the page. */
export function adminRoutes(source: AdminSource, log: Log): AdminRoute[] {
  const others = [
    ...healthRoutes(source),
    ...metricsRoutes(source),
    ...apiRoutes(source),
    ...pluginRoutes(source),
    ...listenerRoutes(source),
    ...backendRoutes(source),
    ...clusterRoutes(source),
    ...dialerRoutes(source),
    ...websocketRoutes(source),
    ...explainRoutes(source),
    ...cacheRoutes(source),
    ...controlRoutes(source, log),
    ...wsbalancerRoutes(source),
  ];
  const all = [...others, openApiRoute(others)];
  return [pageRoute(all), ...all];
}

/** The app: `app.fetch` serves it, `app.request` tests it. */
export function createAdminApp(
  source: AdminSource,
  options: AdminAppOptions,
): Hono {
  const { token, hosts, log } = options;
  const routes = adminRoutes(source, log);
  const app = new Hono({ getPath: pathOf });
  app.use(sealAnswers());
  app.use(checkHost(hosts));
  app.use(checkToken(token, openPaths(routes)));
  app.use(checkOrigin());
  app.use(limitMethods());
  app.use(limitBody(MAX_BODY));
  for (const { method, path, rest, anyMethod, handle } of routes) {
    const pattern = rest === true ? `${path}{.*}` : path;
    if (anyMethod === true) app.all(pattern, handle);
    else app.on(method, pattern, handle);
  }
  for (const [path, allowed] of methodsByPath(routes)) {
    app.all(path, ({ req }) => refuseMethod(req.method, allowed));
  }
  app.notFound(({ req }) =>
    answerError(404, `No admin route has this path: ${req.path}`)
  );
  app.onError((error, { req }) => {
    if (error instanceof RequestError) return answerError(400, error.message);
    const { method, path } = req;
    log.error("An admin request failed", { method, path, error });
    return answerError(500, error.message);
  });
  return app;
}

/**
 * The path as the URL has it, and as handlers read it from there: `..` and `\`
 * are resolved, and it is still encoded. Hono's own is neither; it decodes
 * parameters one by one all the same.
 */
function pathOf({ url }: Request): string {
  return URL.parse(url)?.pathname ?? "";
}

function openPaths(routes: readonly AdminRoute[]): ReadonlySet<string> {
  return new Set(routes.flatMap(({ open, path }) => open ? [path] : []));
}

/** What `Allow` holds for each path. */
function methodsByPath(
  routes: readonly AdminRoute[],
): ReadonlyMap<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const { method, path, anyMethod } of routes) {
    if (anyMethod === true) continue;
    const known = methods.get(path) ?? [];
    known.push(...method === "GET" ? ["GET", "HEAD"] : [method]);
    methods.set(path, known);
  }
  return methods;
}

/** RFC 9110 §15.5.6: a 405 says what would have been right. */
function refuseMethod(method: string, allowed: readonly string[]): Response {
  const allow = allowed.join(", ");
  const answer = answerError(
    405,
    `Cannot take ${method} here as the method must be one of ${allow}`,
  );
  answer.headers.set("allow", allow);
  return answer;
}
