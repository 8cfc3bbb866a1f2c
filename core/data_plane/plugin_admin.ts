/**
 * What operators ask a plugin: its app called, what it answers made plain data,
 * its failures told.
 *
 * @module
 */
import { asProxyError } from "../errors.ts";
import { within } from "../net/within.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { BoundAdmin } from "../snapshot/snapshot.ts";
import type { PluginAnswer, PluginRequest, PluginResponse } from "./control.ts";

/** What its failures are counted under. */
export const ADMIN_POINT = "admin";

/** What an answer may hold at most, in bytes: it crosses to another thread as a whole. */
const MAX_ANSWER = 64 << 20;

/** Asks it, where there is one. Never rejects. */
export async function askAdmin(
  env: PlaneEnv,
  bound: BoundAdmin | undefined,
  request: PluginRequest,
): Promise<PluginAnswer> {
  if (bound === undefined) return { kind: "none" };
  const { plugin, timeout, app } = bound;
  const controller = new AbortController();
  const answer = answerOf(app, request, controller.signal);
  try {
    return await within(env.clock, timeout, answer, () => {
      const reason = new Error(`No answer within ${timeout} ms`);
      controller.abort(reason);
      throw reason;
    });
  } catch (thrown) {
    const error = asProxyError(thrown, "handler_error");
    const { method, url } = request;
    env.metrics.handlerErrors.series(plugin, ADMIN_POINT).add();
    env.log.warn("A plugin failed to answer an operator", {
      plugin,
      method,
      url,
      error,
    });
    return { kind: "failed", reason: error.message };
  }
}

async function answerOf(
  app: BoundAdmin["app"],
  { method, url, headers, body }: PluginRequest,
  signal: AbortSignal,
): Promise<PluginResponse> {
  const response: unknown = await app.fetch(
    new Request(url, {
      method,
      headers,
      signal,
      ...(body !== undefined && { body }),
    }),
  );
  if (!(response instanceof Response) || response.type === "error") {
    throw new TypeError("An admin app must answer a Response");
  }
  return {
    kind: "response",
    status: response.status,
    headers: [...response.headers],
    body: await bytesOf(response, signal),
  };
}

/** The whole body, which is cancelled where time is over or it is too much. */
function bytesOf(
  { body }: Response,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = body?.pipeThrough(bounded(), { signal });
  return new Response(whole).bytes();
}

function bounded(): TransformStream<Uint8Array, Uint8Array> {
  let size = 0;
  return new TransformStream({
    transform(piece, controller) {
      size += piece.length;
      if (size > MAX_ANSWER) {
        throw new RangeError(`An answer of more than ${MAX_ANSWER} bytes`);
      }
      controller.enqueue(piece);
    },
  });
}
