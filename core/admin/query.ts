/**
 * What comes with a request besides its path: parameters of the query, JSON.
 *
 * @module
 */
import type { Context } from "hono";

/** Entries that are listed where the query doesn't say. */
export const DEFAULT_LIMIT = 100;

/** Each worker makes, sends and writes out that many: more would be felt by traffic. */
export const MAX_LIMIT = 10_000;

/** A request that can't be followed; the message says why. */
export class RequestError extends Error {
  override readonly name = "RequestError";
}

/** How many entries the query's `limit` wants. Throws a {@linkcode RequestError}. */
export function limitOf(context: Context): number {
  const text = context.req.query("limit");
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (limit <= MAX_LIMIT) return limit;
  throw new RequestError(
    `Cannot take limit as it must be a whole number from 0 to ${MAX_LIMIT}: current value is ${
      JSON.stringify(text)
    }`,
  );
}

/** The query's parameters, each of `known`. Throws a {@linkcode RequestError} for others. */
export function queryOf<K extends string>(
  context: Context,
  known: readonly K[],
): Partial<Record<K, string>> {
  const query = context.req.query();
  for (const key of Object.keys(query)) {
    if (known.includes(key as K)) continue;
    throw new RequestError(
      `Cannot take the query as it may have ${
        known.join(", ")
      }: current key is ${JSON.stringify(key)}`,
    );
  }
  return query as Partial<Record<K, string>>;
}

/** The body as a JSON object. Rejects with a {@linkcode RequestError}. */
export async function objectOf(
  context: Context,
): Promise<Readonly<Record<string, unknown>>> {
  let body: unknown;
  try {
    body = await context.req.json();
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new RequestError(`Cannot read the body as JSON: ${thrown.message}`);
  }
  if (typeof body === "object" && body !== null && !Array.isArray(body)) {
    return body as Readonly<Record<string, unknown>>;
  }
  throw new RequestError("Cannot take the body as it must be an object");
}
