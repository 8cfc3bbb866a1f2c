/**
 * Who may use the admin interface.
 *
 * Three checks, each against a different stranger: the Host header against web
 * pages that rebind their name to this address, the origin against pages that
 * post across sites, the token against everybody else who reaches the address.
 * Hono's own csrf and bearerAuth don't fit: the first passes any post that is
 * not a form's, the second answers in plain text.
 *
 * @module
 */
import { isIP } from "node:net";
import type { Context, MiddlewareHandler } from "hono";
import { Secret } from "../text/secret.ts";
import { answerError } from "./answer.ts";

/** Host names that are answered beside `localhost` and every IP address; `any` where no browser can connect. */
export type HostPolicy = readonly string[] | "any";

/**
 * Refuses what comes under another name. A page of evil.example that lets its
 * name point to 127.0.0.1 counts as same-origin for the browser, but can't
 * change the Host header; nobody can rebind an IP address.
 */
export function checkHost(policy: HostPolicy): MiddlewareHandler {
  if (policy === "any") return async (_context, next) => await next();
  const names = new Set(["localhost", ...policy.map((n) => n.toLowerCase())]);
  return async (context, next) => {
    const host = hostOf(context);
    const name = hostname(host);
    if (name !== undefined && (isIP(name) !== 0 || names.has(name))) {
      return await next();
    }
    return answerError(
      403,
      `Cannot trust the Host header as it must be an IP address, localhost or the host of admin.address: current value is ${host}`,
    );
  };
}

/** Refuses what may change something and comes from a page of another origin. */
export function checkOrigin(): MiddlewareHandler {
  return async (context, next) => {
    // The raw method: Hono's own would be the same, but for HEAD.
    const { method } = context.req.raw;
    const origin = context.req.header("origin");
    if (
      method === "GET" || method === "HEAD" || origin === undefined ||
      isOwnOrigin(origin, hostOf(context))
    ) {
      return await next();
    }
    return answerError(
      403,
      `Cannot accept a ${method} from a page of another origin: current value is ${origin}`,
    );
  };
}

/**
 * Demands `Authorization: Bearer TOKEN` (RFC 6750 §2.1) on all paths but
 * `open`. Without a token everybody is let in.
 */
export function checkToken(
  token: string | undefined,
  open: ReadonlySet<string>,
): MiddlewareHandler {
  if (token === undefined) return async (_context, next) => await next();
  const secret = new Secret(token);
  return async (context, next) => {
    if (open.has(context.req.path)) return await next();
    const header = context.req.header("authorization");
    // RFC 9110 §11.1: the scheme's case doesn't matter.
    const given = /^Bearer +(.+)$/i.exec(header ?? "")?.[1];
    if (given !== undefined && secret.is(given)) return await next();
    const answer = given === undefined
      ? answerError(
        401,
        "Cannot let this request in as it has no Authorization: Bearer TOKEN",
      )
      : answerError(401, "Cannot let this request in as its token is wrong");
    answer.headers.set(
      "www-authenticate",
      given === undefined
        ? 'Bearer realm="headrace"'
        : 'Bearer realm="headrace", error="invalid_token"',
    );
    return answer;
  };
}

/** HTTP/1.0 and HTTP/2 come without the header; the URL has the authority then. */
function hostOf(context: Context): string {
  return context.req.header("host") ?? new URL(context.req.url).host;
}

/** The host without its port, in lower case; undefined where it is none. */
function hostname(host: string): string | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d*)?$/.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

function isOwnOrigin(origin: string, host: string): boolean {
  // `null` is what sandboxed pages and files send.
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  // Either scheme: TLS may end before this interface.
  if (url.protocol !== "http:" && url.protocol !== "https:") return false;
  const own = `${url.protocol}//${host}`;
  return URL.canParse(own) && new URL(own).origin === url.origin;
}
