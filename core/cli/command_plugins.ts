/**
 * `headrace plugins`: what is built in and embedded.
 *
 * @module
 */
import type { EmbeddedPlugin } from "../plugins/embedded.ts";
import { shorten } from "../plugins/plugin_load_error.ts";
import { type CommandContext, EXIT } from "./command.ts";

/** Lists the plugins that this program holds. */
export function listPlugins(
  { builtins, embedded = [] }: CommandContext,
): number {
  for (const name of builtins.keys()) console.log(`builtin:${name}`);
  for (const row of pluginRows(embedded)) console.log(row);
  return EXIT.ok;
}

/** A line for each plugin, and one for each of its modules. */
export function pluginRows(plugins: readonly EmbeddedPlugin[]): string[] {
  return plugins.flatMap(({ url, hash, kind, modules }) => [
    // A package is the runtime's: the hash over its name says nothing.
    kind === "runtime" ? url : `${shorten(url)} ${hash}`,
    ...modules.map(({ url, size, sha256 }) =>
      `  ${shorten(url)} ${size} bytes, sha256 ${sha256}`
    ),
  ]);
}
