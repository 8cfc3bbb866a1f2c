/**
 * wsbalancer's routes for backends.
 *
 * @module
 */
import type { Context } from "hono";
import { placedBackends } from "../supervisor/runtime_backends.ts";
import type { AdminRoute } from "./route.ts";
import {
  answerOrRefusal,
  listRoute,
  missingId,
  postRoute,
  refuseMethod,
} from "./wsbalancer_route.ts";
import type { AdminSource } from "./source.ts";
import {
  answerFailed,
  answerText,
  backendSettings,
  clusterToAddTo,
  FAILED,
  listedBackend,
  NO_ACTION,
  NOT_IMPLEMENTED,
  SUCCESS,
} from "./wsbalancer.ts";
import { parseAddition } from "./wsbalancer_add.ts";

/** The routes of `/backend/…`. */
export function wsbalancerBackendRoutes(source: AdminSource): AdminRoute[] {
  const order = new ListOrder();
  const refuse = () => refuseForeign(source);
  return [
    listRoute("/backend/list", "backends of all clusters", async () => {
      const refused = refuse();
      if (refused !== undefined) return refused;
      const { backends } = await source.report(0);
      return order.sort(backends.map(listedBackend));
    }),
    {
      method: "POST",
      path: "/backend/add",
      does:
        "adds a backend to admin.backendCluster until the next start, as wsbalancer does",
      anyMethod: true,
      handle: (context) =>
        refuse() ?? refuseMethod(context) ?? add(source, context, order),
    },
    {
      method: "GET",
      path: "/backend/config/:id",
      does: "settings of a backend, as wsbalancer tells them",
      anyMethod: true,
      rest: true,
      handle(context) {
        const id = context.req.param("id");
        return refuse() ??
          (id ? answerText(configOf(source, id)) : missingId());
      },
    },
    postRoute(
      "/backend/disable/:id",
      "keeps new sessions from a backend; live ones stay",
      (id) => {
        const disabled = source.backendState(id) === "ready" &&
          source.changeBackend(id, { state: "disabled" });
        if (disabled) order.moved(id);
        return Promise.resolve(disabled ? SUCCESS : NO_ACTION);
      },
      refuse,
    ),
    postRoute(
      "/backend/enable/:id",
      "lets new sessions come to a backend",
      (id) => {
        const state = source.backendState(id);
        if (state === undefined) return Promise.resolve(FAILED);
        if (state === "ready") return Promise.resolve(NO_ACTION);
        source.changeBackend(id, { state: "ready" });
        order.moved(id);
        return Promise.resolve(SUCCESS);
      },
      refuse,
    ),
    postRoute(
      "/backend/failover/:id",
      "moves the WebSocket sessions of a backend to others",
      async (id) => {
        const { moving } = await source.moveWebSockets({ backend: id });
        return moving > 0 ? SUCCESS : NO_ACTION;
      },
    ),
    postRoute(
      "/backend/reset/:id",
      "closes the circuit breaker of a backend",
      (id) => {
        const reset = source.resetBackend(id);
        return Promise.resolve(
          reset === undefined ? FAILED : reset ? SUCCESS : NO_ACTION,
        );
      },
      refuse,
    ),
    postRoute(
      "/backend/delete/:id",
      "deletes a backend; its WebSocket sessions go to others",
      async (id) => {
        const deleted = await source.deleteBackend({ id });
        if (deleted) order.forget(id);
        return deleted ? SUCCESS : NO_ACTION;
      },
      refuse,
    ),
  ];
}

/** Backends that plugins' dialers choose are no backends of ours. */
function refuseForeign({ config }: AdminSource): Response | undefined {
  const { clusters } = config;
  return clusters.length > 0 &&
      clusters.every(({ dialer }) => dialer !== undefined)
    ? answerText(NOT_IMPLEMENTED, 501)
    : undefined;
}

async function add(
  source: AdminSource,
  context: Context,
  order: ListOrder,
): Promise<Response> {
  const cluster = clusterToAddTo(source.config);
  if (cluster === undefined) {
    return answerFailed(
      "Cannot choose a cluster: admin.backendCluster must name one",
      409,
    );
  }
  if (cluster.dialer !== undefined) return answerText(NOT_IMPLEMENTED, 501);
  let body: unknown;
  try {
    body = await context.req.json();
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return answerText(FAILED);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return answerText(FAILED);
  }
  const given = body as Readonly<Record<string, unknown>>;
  if ((given.url ?? "") === "") {
    return answerFailed("no url present in request");
  }
  return await answerOrRefusal(async () => {
    const { id } = await source.addBackend(parseAddition(given, cluster));
    order.moved(id);
    return answerText(SUCCESS);
  });
}

function configOf({ config }: AdminSource, id: string): string {
  const backend = placedBackends(config).find((one) => one.config.id === id);
  const cluster = config.clusters.find(({ name }) => name === backend?.cluster);
  return JSON.stringify(
    backend === undefined
      ? {}
      : backendSettings(cluster!, backend.subcluster, backend.config),
  );
}

/** The order of `/backend/list`: enabled ones first, and last of both who came there last. */
class ListOrder {
  readonly #moves = new Map<string, number>();
  #last = 0;

  /** It was added, enabled or disabled. */
  moved(id: string): void {
    this.#moves.set(id, ++this.#last);
  }

  /** It is gone. */
  forget(id: string): void {
    this.#moves.delete(id);
  }

  sort<T extends { readonly id: string; readonly enabled: boolean }>(
    backends: readonly T[],
  ): T[] {
    const at = ({ id }: T) => this.#moves.get(id) ?? 0;
    return backends.toSorted((a, b) =>
      Number(b.enabled) - Number(a.enabled) || at(a) - at(b)
    );
  }
}
