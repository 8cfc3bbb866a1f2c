/**
 * The entry of an executable: core, the built-in plugins, and the plugins that
 * were chosen for it.
 *
 * @module
 */
import type { EmbeddedPlugin } from "../plugins/embedded.ts";

/** The entry's text, in TypeScript; `entry` of a module is a path relative to its folder. */
export function entryText(plugins: readonly EmbeddedPlugin[]): string {
  return `import { runCommand } from "./core/cli/commands.ts";
import type { EmbeddedPlugin } from "./core/plugins/embedded.ts";
import { builtins } from "./plugins/mod.ts";

const embedded: readonly EmbeddedPlugin[] = [${plugins.map(row).join("")}];

if (import.meta.main) {
  Deno.exit(await runCommand(Deno.args, { builtins, embedded }));
}

// Never called: the compiler embeds what a literal import names. Each worker
// imports \`entry\` itself, so that no plugin runs outside of the workers.
export const imports = [${plugins.map(literalImport).join("")}];
`;
}

function row(plugin: EmbeddedPlugin): string {
  const { entry, ...facts } = plugin;
  const literal = JSON.stringify(entry);
  const resolved = plugin.kind === "module"
    ? `import.meta.resolve(${literal})`
    : literal;
  return `\n  { ...${JSON.stringify(facts)}, entry: ${resolved} },`;
}

function literalImport({ entry }: EmbeddedPlugin): string {
  return `\n  () => import(${JSON.stringify(entry)}),`;
}
