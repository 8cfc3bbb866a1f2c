/**
 * wsbalancer's routes for backends.
 *
 * @module
 */
import type { Context } from "hono";
import { placedBackends } from "../supervisor/runtime_backends.ts";
import type { AdminResult } from "../plugin.ts";
import { DialerBackends } from "./dialer_backends.ts";
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
  const dialers = new DialerBackends(source);
  const refuse = () => refuseForeign(dialers);
  return [
    listRoute("/backend/list", "backends of all clusters", async () => {
      const refused = await refuse();
      if (refused !== undefined) return refused;
      const { backends } = await source.report(0);
      const own = order.sort(backends.map(listedBackend));
      return [...own, ...await dialers.lists() ?? []];
    }),
    {
      method: "POST",
      path: "/backend/add",
      does:
        "adds a backend to admin.backendCluster until the next start, as wsbalancer does",
      anyMethod: true,
      handle: async (context) =>
        await refuse() ?? refuseMethod(context) ??
          await add(source, context, order),
    },
    {
      method: "GET",
      path: "/backend/config/:id",
      does: "settings of a backend, as wsbalancer tells them",
      anyMethod: true,
      rest: true,
      async handle(context) {
        const id = context.req.param("id");
        const refused = await refuse();
        if (refused !== undefined) return refused;
        if (!id) return missingId();
        const told = configOf(source, id) ?? await dialers.config(id);
        return answerText(told ?? "{}");
      },
    },
    postRoute(
      "/backend/disable/:id",
      "keeps new sessions from a backend; live ones stay",
      async (id) => {
        const state = source.backendState(id);
        if (state === undefined) {
          return textOf(await dialers.change("disable", id) ?? 3);
        }
        const disabled = state === "ready" &&
          source.changeBackend(id, { state: "disabled" });
        if (disabled) order.moved(id);
        return disabled ? SUCCESS : NO_ACTION;
      },
      refuse,
    ),
    postRoute(
      "/backend/enable/:id",
      "lets new sessions come to a backend",
      async (id) => {
        const state = source.backendState(id);
        if (state === undefined) {
          return textOf(await dialers.change("enable", id) ?? 4);
        }
        if (state === "ready") return NO_ACTION;
        source.changeBackend(id, { state: "ready" });
        order.moved(id);
        return SUCCESS;
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
      async (id) => {
        const reset = source.resetBackend(id);
        if (reset !== undefined) return reset ? SUCCESS : NO_ACTION;
        return textOf(await dialers.change("reset", id) ?? 4);
      },
      refuse,
    ),
    postRoute(
      "/backend/delete/:id",
      "deletes a backend; its WebSocket sessions go to others",
      async (id) => {
        if (await source.deleteBackend({ id })) {
          order.forget(id);
          return SUCCESS;
        }
        return textOf(await dialers.change("delete", id) ?? 3);
      },
      refuse,
    ),
  ];
}

/** Whose backends are all plugins' affair, and none of these plugins lets them be administrated. */
async function refuseForeign(
  dialers: DialerBackends,
): Promise<Response | undefined> {
  return await dialers.allClosed()
    ? answerText(NOT_IMPLEMENTED, 501)
    : undefined;
}

/** An administrator's result in wsbalancer's words. */
function textOf(result: AdminResult): string {
  return result === 1 ? SUCCESS : result === 3 ? NO_ACTION : FAILED;
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
  if (cluster.dialer !== undefined) {
    const text = await context.req.text();
    const added = await source.administer(cluster.name, "add", text);
    return added === undefined
      ? answerText(NOT_IMPLEMENTED, 501)
      : answerText(textOf(added.result));
  }
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

/** A backend of our own; undefined for any other. */
function configOf({ config }: AdminSource, id: string): string | undefined {
  const backend = placedBackends(config).find((one) => one.config.id === id);
  const cluster = config.clusters.find(({ name }) => name === backend?.cluster);
  return backend && JSON.stringify(
    backendSettings(cluster!, backend.subcluster, backend.config),
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
