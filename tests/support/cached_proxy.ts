/**
 * A proxy with a cache before a backend that notes what it is asked, and a
 * clock whose dates a test moves.
 *
 * @module
 */
import { systemClock } from "../../core/net/clock.ts";
import { type HttpBackend, serveHttpBackend } from "./http_backend.ts";
import type { TestProxy } from "./proxy.ts";
import { type ProxyWith, startProxyWith } from "./proxy_with.ts";

/** What a client got. */
export interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Its member of Cache-Status. */
  readonly cache: string;
}

/** Everything that a test of the cache works with. */
export interface CachedProxy extends AsyncDisposable {
  readonly proxy: TestProxy;
  readonly backend: HttpBackend;
  /** Requests as the backend got them, `GET /path`. */
  readonly asked: string[];
  /** Lets so many seconds pass for dates, not for timers. */
  pass(seconds: number): void;
  get(path?: string, init?: RequestInit): Promise<Got>;
}

/** Starts it; `handle` gets how often it was asked, from 1. */
export async function cachedProxy(
  handle: (request: Request, times: number) => Response | Promise<Response>,
  parts: Omit<ProxyWith, "backends"> = {},
): Promise<CachedProxy> {
  const asked: string[] = [];
  let ahead = 0;
  const wall = () => systemClock.wall() + ahead;
  const backend = serveHttpBackend(async (request) => {
    const { pathname, search } = new URL(request.url);
    asked.push(`${request.method} ${pathname}${search}`);
    const times = asked.length;
    await request.body?.cancel();
    const response = await handle(request, times);
    // The server would say its own time, which has not passed.
    if (!response.headers.has("date")) {
      response.headers.set("date", new Date(wall()).toUTCString());
    }
    return response;
  });
  const proxy = await startProxyWith(
    { cache: {}, ...parts, backends: [backend.url] },
    { clock: { ...systemClock, wall } },
  );
  return {
    proxy,
    backend,
    asked,
    pass: (seconds) => {
      ahead += seconds * 1000;
    },
    async get(path = "/", init = {}) {
      const response = await fetch(proxy.url(path), {
        redirect: "manual",
        ...init,
      });
      const status = response.headers.get("cache-status") ?? "";
      return {
        status: response.status,
        headers: response.headers,
        text: await response.text(),
        cache: status.split(", ").at(-1)!,
      };
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

/** A response that is fresh for a minute. */
export function fresh(
  body: BodyInit | null,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, {
    headers: { "cache-control": "max-age=60", ...headers },
  });
}
