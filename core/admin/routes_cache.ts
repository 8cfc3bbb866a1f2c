/**
 * What is stored, and what is to be forgotten.
 *
 * @module
 */
import type { Context } from "hono";
import type { Purge } from "../cache/store.ts";
import { RefusedError } from "../data_plane/control.ts";
import { canonicalHost } from "../net/host_name.ts";
import { answerError, answerJson } from "./answer.ts";
import { objectOf, RequestError } from "./query.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** The routes of the cache. */
export function cacheRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      method: "GET",
      path: "/api/cache",
      does: "what the cache holds, over all workers",
      answers: { 404: "The config has no cache" },
      handle: () => cache(source),
    },
    {
      method: "POST",
      path: "/api/cache/purge",
      does:
        "forgets what is stored of a URL, of URLs with a prefix, with a tag (Cache-Tag, Surrogate-Key), or everything",
      body: {
        type: "object",
        properties: {
          url: { type: "string" },
          prefix: { type: "string" },
          tag: { type: "string" },
          all: { const: true },
        },
        minProperties: 1,
        maxProperties: 1,
        additionalProperties: false,
      },
      answers: {
        400: "The body is wrong",
        404: "The config has no cache",
        500: "A worker could not forget it: it may still be served",
        503: "No worker is there now: all are being restarted",
      },
      handle: (context) => purge(source, context),
    },
  ];
}

async function cache(source: AdminSource): Promise<Response> {
  const { cache } = await source.report(0);
  return cache === undefined ? noCache() : answerJson(cache);
}

async function purge(source: AdminSource, context: Context): Promise<Response> {
  const wanted = purgeOf(await objectOf(context));
  try {
    const purged = await source.purgeCache(wanted);
    return purged === undefined ? noCache() : answerJson({ purged });
  } catch (thrown) {
    if (!(thrown instanceof RefusedError)) throw thrown;
    return answerError(503, thrown.problems.join("\n"));
  }
}

function noCache(): Response {
  return answerError(404, "The config has no cache");
}

function purgeOf(body: Readonly<Record<string, unknown>>): Purge {
  const [entry, ...more] = Object.entries(body);
  if (entry === undefined || more.length > 0) throw wrong();
  const [kind, value] = entry;
  if (kind === "all" && value === true) return { kind };
  if (typeof value !== "string" || value === "") throw wrong();
  switch (kind) {
    case "url":
      return { kind, url: normalised(value) };
    case "prefix":
      return { kind, prefix: normalised(value) };
    case "tag":
      return { kind, tag: value };
    default:
      throw wrong();
  }
}

/** Scheme and host as keys have them, a path behind them; what follows stays as it is written. */
function normalised(text: string): string {
  const match = /^(https?:\/\/[^/?#]*)(.*)$/i.exec(text);
  const url = match && URL.parse(match[1]!);
  if (!match || !url) {
    throw new RequestError(
      `Cannot purge as a URL must begin with http:// or https:// and a host: current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  url.hostname = canonicalHost(url.hostname);
  const rest = match[2]!;
  return url.origin + (rest.startsWith("/") ? rest : `/${rest}`);
}

function wrong(): RequestError {
  return new RequestError(
    'Cannot purge as the body must be {"url": …}, {"prefix": …}, {"tag": …} or {"all": true}',
  );
}
