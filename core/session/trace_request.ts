/**
 * The two fields by which a client asks for the trace of its request. Nobody
 * behind here sees them: no handler, log, cache key or backend.
 *
 * @module
 */
import type { Fields } from "../message/fields.ts";

/** `1` asks for a trace; in the response it is the trace. */
export const EXPLAIN_FIELD = "x-headrace-explain";

/** The admin token: Authorization belongs to the backend. */
export const TOKEN_FIELD = "x-headrace-token";

/** Who asks for a trace. */
export interface TraceRequest {
  /** What came as the token. */
  readonly token: string | undefined;
  /** Whether the request says that it came through a proxy. */
  readonly relayed: boolean;
}

/** What a proxy adds to what it passes on. */
const RELAYED = ["forwarded", "via", "x-forwarded-for"];

/** Removes both fields, whoever sent them; who asks for a trace, undefined where nobody does. */
export function takeTraceRequest(fields: Fields): TraceRequest | undefined {
  const wanted = fields.get(EXPLAIN_FIELD) === "1";
  const token = fields.get(TOKEN_FIELD) ?? undefined;
  fields.remove(EXPLAIN_FIELD);
  fields.remove(TOKEN_FIELD);
  if (!wanted) return undefined;
  return { token, relayed: RELAYED.some((name) => fields.has(name)) };
}
