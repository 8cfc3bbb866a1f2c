/**
 * wsbalancer's routes for sessions and frontends.
 *
 * @module
 */
import type { AdminRoute } from "./route.ts";
import { wsbalancerBackendRoutes } from "./routes_wsbalancer_backends.ts";
import type { AdminSource } from "./source.ts";
import { FAILED, listedSession, NO_ACTION, SUCCESS } from "./wsbalancer.ts";
import { listRoute, postRoute } from "./wsbalancer_route.ts";

/** All of wsbalancer's routes but `/metrics`. */
export function wsbalancerRoutes(source: AdminSource): AdminRoute[] {
  return [
    ...wsbalancerBackendRoutes(source),
    ...sessionRoutes(source),
    ...frontendRoutes(source),
  ];
}

function sessionRoutes(source: AdminSource): AdminRoute[] {
  return [
    listRoute("/session/list", "WebSocket sessions", async () => {
      const { sessions } = await source.listWebSockets({ limit: Infinity });
      return sessions.map(listedSession);
    }),
    postRoute(
      "/session/abort/:id",
      "closes a WebSocket session with 1000",
      async (id) => await source.abortWebSocket(id) ? SUCCESS : NO_ACTION,
    ),
    postRoute(
      "/session/failover/:id",
      "moves a WebSocket session to another backend",
      async (id) => {
        const { sessions, moving } = await source.moveWebSockets({ id });
        if (sessions === 0) return FAILED;
        return moving > 0 ? SUCCESS : NO_ACTION;
      },
    ),
  ];
}

function frontendRoutes(source: AdminSource): AdminRoute[] {
  const pause = async (id: string, paused: boolean) => {
    const changed = await source.pause((one) => one.id === id, paused);
    if (changed === undefined) return FAILED;
    return changed ? SUCCESS : NO_ACTION;
  };
  return [
    listRoute("/frontend/list", "addresses of http listeners", async () => {
      const { listeners } = await source.report(0);
      const http = listeners.filter(({ protocol }) => protocol === "http");
      return http.map(({ id }) => ({ id }));
    }),
    postRoute(
      "/frontend/pause/:id",
      "answers 503 to new requests on an address; sessions go on",
      (id) => pause(id, true),
    ),
    postRoute(
      "/frontend/resume/:id",
      "takes new requests again",
      (id) => pause(id, false),
    ),
  ];
}
