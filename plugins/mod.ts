/**
 * The one list of built-in plugins: `use: "builtin:NAME"` in the config. A
 * thread loads those that it uses, zod and other packages with them. Each import
 * is a literal: so Deno fetches what it needs at the start, and an executable
 * holds it.
 *
 * @module
 */
import type { Plugin } from "../core/plugin.ts";

/**
 * A plugin whose options are nobody's business here: its own schema makes them
 * and its own `setup` takes them, which each module's `satisfies` has checked.
 */
// deno-lint-ignore no-explicit-any -- options stand in both directions, so that no other type argument takes every plugin
export type AnyPlugin = Plugin<any>;

/** Imports the modules of built-in plugins, by their names. */
export const builtins: ReadonlyMap<
  string,
  () => Promise<{ readonly default: AnyPlugin }>
> = new Map<string, () => Promise<{ readonly default: AnyPlugin }>>([
  ["access-log", () => import("./access_log.ts")],
  ["auth-basic", () => import("./auth_basic.ts")],
  ["auth-jwt", () => import("./auth_jwt.ts")],
  ["auth-request", () => import("./auth_request.ts")],
  ["block", () => import("./block.ts")],
  ["cache-control", () => import("./cache_control.ts")],
  ["compress", () => import("./compress.ts")],
  ["cors", () => import("./cors.ts")],
  ["errors", () => import("./errors.ts")],
  ["headers", () => import("./headers.ts")],
  ["http-code", () => import("./http_code.ts")],
  ["mirror", () => import("./mirror.ts")],
  ["rate-limit", () => import("./rate_limit.ts")],
  ["redirect", () => import("./redirect.ts")],
  ["request-id", () => import("./request_id.ts")],
  ["rewrite", () => import("./rewrite.ts")],
  ["secure-link", () => import("./secure_link.ts")],
  ["static", () => import("./static.ts")],
  ["tag", () => import("./tag.ts")],
  ["trace", () => import("./trace.ts")],
]);
