/**
 * Which backends a cluster has, changed while Headrace runs.
 *
 * @module
 */
import type { Context } from "hono";
import { answerError, answerJson } from "./answer.ts";
import { inPlanes } from "./in_planes.ts";
import { objectOf, RequestError } from "./query.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** The routes that add and delete backends. Names and ids stand percent-encoded in the path. */
export function clusterRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      method: "POST",
      path: "/api/clusters/:name/backends",
      does:
        "adds a backend until the next start: the body is an entry of backends as the config has them, with subcluster where there are several",
      body: {
        type: "object",
        required: ["url"],
        properties: {
          url: { type: "string" },
          id: { type: "string" },
          weight: { type: "integer" },
          maxConnections: { type: "integer" },
          backup: { type: "boolean" },
          subcluster: { type: "string" },
        },
        additionalProperties: false,
      },
      answers: {
        201: "It serves in all workers",
        400: "The body is wrong",
        404: "No cluster has this name",
        409: "Another backend has its id or URL, or the proxy is not ready",
        422: "The workers refuse it",
      },
      handle: (context) => inPlanes(source, () => addBackend(source, context)),
    },
    {
      method: "DELETE",
      path: "/api/clusters/:name/backends/:id",
      does:
        "deletes a backend until the next start; its WebSocket sessions go to others",
      answers: {
        404: "No backend of the cluster has this id",
        409: "The proxy is not ready",
        422: "The workers refuse it",
      },
      handle: (context) =>
        inPlanes(source, () => deleteBackend(source, context)),
    },
  ];
}

async function addBackend(
  source: AdminSource,
  context: Context,
): Promise<Response> {
  const { subcluster, ...entry } = await objectOf(context);
  if (subcluster !== undefined && typeof subcluster !== "string") {
    throw new RequestError(
      `Cannot take subcluster as it must be a name: current value is ${
        JSON.stringify(subcluster)
      }`,
    );
  }
  const cluster = context.req.param("name")!;
  const { id } = await source.addBackend({ cluster, subcluster, entry });
  const { backends } = await source.report(0);
  const backend = backends.find((one) => one.id === id);
  return answerJson({ backend }, 201);
}

async function deleteBackend(
  source: AdminSource,
  context: Context,
): Promise<Response> {
  const cluster = context.req.param("name")!;
  const id = context.req.param("id")!;
  if (await source.deleteBackend({ id, cluster })) {
    return answerJson({ deleted: id });
  }
  return answerError(
    404,
    `No backend of the cluster ${JSON.stringify(cluster)} has this id: ${
      JSON.stringify(id)
    }`,
  );
}
