/**
 * The one list of built-in plugins: `use: "builtin:NAME"` in the config.
 * Imported statically, so that executables hold them.
 *
 * @module
 */
import type { Plugin } from "../core/plugin.ts";
import accessLog from "./access_log.ts";
import authBasic from "./auth_basic.ts";
import authJwt from "./auth_jwt.ts";
import authRequest from "./auth_request.ts";
import block from "./block.ts";
import cacheControl from "./cache_control.ts";
import compress from "./compress.ts";
import cors from "./cors.ts";
import errors from "./errors.ts";
import headers from "./headers.ts";
import httpCode from "./http_code.ts";
import mirror from "./mirror.ts";
import rateLimit from "./rate_limit.ts";
import redirect from "./redirect.ts";
import requestId from "./request_id.ts";
import rewrite from "./rewrite.ts";
import secureLink from "./secure_link.ts";
import staticFiles from "./static.ts";
import tag from "./tag.ts";
import trace from "./trace.ts";

/**
 * A plugin whose options are nobody's business here: its own schema makes them
 * and its own `setup` takes them, which each module's `satisfies` has checked.
 */
// deno-lint-ignore no-explicit-any -- options stand in both directions, so that no other type argument takes every plugin
export type AnyPlugin = Plugin<any>;

/** Built-in plugins by name. */
export const builtins: ReadonlyMap<string, AnyPlugin> = new Map<
  string,
  AnyPlugin
>([
  ["access-log", accessLog],
  ["auth-basic", authBasic],
  ["auth-jwt", authJwt],
  ["auth-request", authRequest],
  ["block", block],
  ["cache-control", cacheControl],
  ["compress", compress],
  ["cors", cors],
  ["errors", errors],
  ["headers", headers],
  ["http-code", httpCode],
  ["mirror", mirror],
  ["rate-limit", rateLimit],
  ["redirect", redirect],
  ["request-id", requestId],
  ["rewrite", rewrite],
  ["secure-link", secureLink],
  ["static", staticFiles],
  ["tag", tag],
  ["trace", trace],
]);
