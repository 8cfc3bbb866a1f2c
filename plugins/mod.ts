/**
 * The one list of built-in plugins: `use: "builtin:NAME"` in the config.
 * Imported statically, so that executables hold them.
 *
 * @module
 */
import type { Plugin } from "../core/plugin.ts";
import accessLog from "./access_log.ts";
import compress from "./compress.ts";
import headers from "./headers.ts";
import redirect from "./redirect.ts";
import rewrite from "./rewrite.ts";

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
  ["compress", compress],
  ["headers", headers],
  ["redirect", redirect],
  ["rewrite", rewrite],
]);
