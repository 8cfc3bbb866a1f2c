/**
 * Backends: how they are, and what operators change of them while Headrace runs.
 *
 * @module
 */
import type { Context } from "hono";
import { MAX_WEIGHT } from "../config/units.ts";
import { ADMIN_STATES } from "../health/backend_row.ts";
import type { BackendChange } from "../supervisor/backends.ts";
import { answerError, answerJson } from "./answer.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** The routes of backends. An id stands percent-encoded in the path. */
export function backendRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      method: "GET",
      path: "/api/backends",
      does:
        "backends with their clusters, states, weights, connections, attempts, last check and error",
      async handle() {
        const { backends } = await source.report(0);
        return answerJson({ backends });
      },
    },
    {
      method: "GET",
      path: "/api/backends/:id",
      does: "one backend",
      handle: (context) => tellBackend(source, idOf(context)),
    },
    {
      method: "PATCH",
      path: "/api/backends/:id",
      does: `sets state (${
        ADMIN_STATES.join(", ")
      }) or weight (0 to ${MAX_WEIGHT}, null for that of the config) or both`,
      body: {
        type: "object",
        minProperties: 1,
        properties: {
          state: { enum: ADMIN_STATES },
          weight: {
            type: ["integer", "null"],
            minimum: 0,
            maximum: MAX_WEIGHT,
          },
        },
        additionalProperties: false,
      },
      answers: { 400: "The body is wrong", 404: "No backend has this id" },
      handle: (context) => changeBackend(source, context),
    },
    {
      method: "POST",
      path: "/api/backends/:id/reset",
      does: "closes its circuit breaker and ends its ejection",
      handle(context) {
        const id = idOf(context);
        const reset = source.resetBackend(id);
        return reset === undefined
          ? unknownBackend(id)
          : tellBackend(source, id, { reset });
      },
    },
    {
      method: "POST",
      path: "/api/backends/:id/failover",
      does:
        "moves its WebSocket sessions to others, in order; those that no other backend would take stay",
      answers: { 404: "No backend has this id" },
      async handle(context) {
        const id = idOf(context);
        const moves = await source.moveWebSockets({ backend: id });
        return moves.sessions === 0 && source.backendState(id) === undefined
          ? unknownBackend(id)
          : answerJson(moves);
      },
    },
  ];
}

async function changeBackend(
  source: AdminSource,
  context: Context,
): Promise<Response> {
  let change: BackendChange;
  try {
    change = parseChange(await context.req.json());
  } catch (thrown) {
    if (thrown instanceof SyntaxError) {
      return answerError(
        400,
        `Cannot read the body as JSON: ${thrown.message}`,
      );
    }
    if (thrown instanceof RangeError) return answerError(400, thrown.message);
    throw thrown;
  }
  const id = idOf(context);
  return source.changeBackend(id, change)
    ? await tellBackend(source, id)
    : unknownBackend(id);
}

/** What a body asks for. Throws a `RangeError` that says what is wrong. */
function parseChange(body: unknown): BackendChange {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new RangeError(
      "Cannot change the backend as the body must be an object",
    );
  }
  const { state, weight, ...others } = body as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new RangeError(
      `Cannot change the backend as only state and weight can be set: current key is ${
        JSON.stringify(unknown)
      }`,
    );
  }
  if (state === undefined && weight === undefined) {
    throw new RangeError(
      "Cannot change the backend as state or weight must be given",
    );
  }
  const known = ADMIN_STATES.find((one) => one === state);
  if (state !== undefined && known === undefined) {
    throw new RangeError(
      `Cannot set the state as it must be one of ${
        ADMIN_STATES.join(", ")
      }: current value is ${JSON.stringify(state)}`,
    );
  }
  if (weight !== undefined && weight !== null && !isWeight(weight)) {
    throw new RangeError(
      `Cannot set the weight as it must be null or a whole number from 0 to ${MAX_WEIGHT}: current value is ${
        JSON.stringify(weight)
      }`,
    );
  }
  return { state: known, weight };
}

function isWeight(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 &&
    value <= MAX_WEIGHT;
}

async function tellBackend(
  source: AdminSource,
  id: string,
  further: object = {},
): Promise<Response> {
  const { backends } = await source.report(0);
  const backend = backends.find((one) => one.id === id);
  return backend === undefined
    ? unknownBackend(id)
    : answerJson({ ...further, backend });
}

function unknownBackend(id: string): Response {
  return answerError(
    404,
    `No backend of the config has this id: ${JSON.stringify(id)}`,
  );
}

function idOf(context: Context): string {
  return context.req.param("id")!;
}
