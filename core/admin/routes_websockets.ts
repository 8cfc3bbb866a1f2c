/**
 * WebSocket sessions: which there are, and what operators do to them.
 *
 * @module
 */
import type { Context } from "hono";
import type { WebSocketState } from "../data_plane/control.ts";
import { answerError, answerJson } from "./answer.ts";
import {
  DEFAULT_LIMIT,
  limitOf,
  MAX_LIMIT,
  queryOf,
  RequestError,
} from "./query.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** What a listed session may be doing. */
const STATES: readonly WebSocketState[] = [
  "open",
  "dialling",
  "holding",
  "draining",
];

/** The routes of WebSocket sessions. */
export function websocketRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      method: "GET",
      path: "/api/websockets",
      does:
        `open WebSocket sessions, ?limit=${DEFAULT_LIMIT} of them (at most ${MAX_LIMIT}), by ?cluster, ?backend, ?listener, ?state (${
          STATES.join(", ")
        })`,
      query: {
        limit: { type: "integer", minimum: 0, maximum: MAX_LIMIT },
        cluster: { type: "string" },
        backend: { type: "string" },
        listener: { type: "string" },
        state: { enum: STATES },
      },
      handle: (context) => listSessions(source, context),
    },
    {
      method: "POST",
      path: "/api/websockets/:id/abort",
      does: "closes a WebSocket session with 1000",
      answers: { 404: "No open WebSocket session has this id" },
      async handle(context) {
        const id = context.req.param("id")!;
        return await source.abortWebSocket(id)
          ? answerJson({ aborted: true })
          : unknownSession(id);
      },
    },
    {
      method: "POST",
      path: "/api/websockets/:id/failover",
      does: "moves a WebSocket session to another backend, in order",
      answers: {
        202: "It is on its way",
        404: "No open WebSocket session has this id",
        409: "No other backend takes sessions: it stays",
      },
      handle: (context) => moveSession(source, context.req.param("id")!),
    },
  ];
}

async function listSessions(
  source: AdminSource,
  context: Context,
): Promise<Response> {
  const { cluster, backend, listener, state } = queryOf(context, [
    "limit",
    "cluster",
    "backend",
    "listener",
    "state",
  ]);
  const known = STATES.find((one) => one === state);
  if (state !== undefined && known === undefined) {
    throw new RequestError(
      `Cannot take state as it must be one of ${
        STATES.join(", ")
      }: current value is ${JSON.stringify(state)}`,
    );
  }
  const { open, sessions } = await source.listWebSockets({
    cluster,
    backend,
    listener,
    state: known,
    limit: limitOf(context),
  });
  return answerJson({ websocketsOpen: open, websockets: sessions });
}

async function moveSession(source: AdminSource, id: string): Promise<Response> {
  const { sessions, moving } = await source.moveWebSockets({ id });
  if (sessions === 0) return unknownSession(id);
  return moving > 0 ? answerJson({ moving: true }, 202) : answerError(
    409,
    "Cannot move the session as no other backend of its cluster takes sessions now",
  );
}

function unknownSession(id: string): Response {
  return answerError(
    404,
    `No open WebSocket session has this id: ${JSON.stringify(id)}`,
  );
}
