/**
 * `headrace plugins`: what is built in and embedded, or what a running proxy has
 * loaded.
 *
 * @module
 */
import type { EmbeddedPlugin } from "../plugins/embedded.ts";
import { shorten } from "../plugins/plugin_load_error.ts";
import { type CommandContext, type CommandOptions, EXIT } from "./command.ts";
import { call } from "./command_control.ts";

/** Lists plugins: of a running proxy where its admin address is given, else what this program holds. */
export async function listPlugins(
  options: CommandOptions,
  { builtins, embedded = [] }: CommandContext,
): Promise<number> {
  if (options.admin !== undefined) {
    return await call("GET", "/api/plugins", options);
  }
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
