/**
 * The OpenAPI document, made from the table of routes.
 *
 * @module
 */
import { VERSION } from "../version.ts";
import { answerJson } from "./answer.ts";
import type { AdminRoute } from "./route.ts";

/** The route of the document, which tells of itself and the others. */
export function openApiRoute(others: readonly AdminRoute[]): AdminRoute {
  const route: AdminRoute = {
    method: "GET",
    path: "/api/openapi.json",
    does: "these routes as an OpenAPI document",
    handle: () => answerJson(openApiDocument([route, ...others])),
  };
  return route;
}

/** The document, OpenAPI 3.1. */
export function openApiDocument(routes: readonly AdminRoute[]) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    const methods = paths[path] ??= {};
    methods[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Headrace's admin interface", version: VERSION },
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
    security: [{}, { token: [] }],
    paths,
  };
}

function operationOf(route: AdminRoute) {
  const { path, does, open, query = {}, body, answers = {} } = route;
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(query).map(([name, schema]) => ({
    name,
    in: "query",
    schema,
  }));
  const parameters = [...inPath, ...inQuery];
  const told: Readonly<Record<string, string>> = answers;
  const fine = Object.keys(told).some((status) => status.startsWith("2"));
  const responses = { ...(!fine && { 200: "It is done" }), ...told };
  return {
    summary: does,
    ...(open === true && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: { content: { "application/json": { schema: body } } },
    }),
    responses: Object.fromEntries(
      Object.entries(responses).map(([status, description]) => [
        status,
        { description },
      ]),
    ),
  };
}
