/**
 * Brings a plugin's module into this thread.
 *
 * @module
 */
import { moduleNumber } from "./file_names.ts";
import { guardPlugin } from "./guard.ts";
import type { Plugin } from "../plugin.ts";
import type { PluginArtifact } from "./plugin_artifact.ts";
import { messageOf, PluginLoadError } from "./plugin_load_error.ts";
import { unknownBuiltin } from "./plugin_url.ts";

/** Built-in plugins by name: what imports the module of each, when it is asked for. */
export type Builtins = ReadonlyMap<string, LoadBuiltin>;

/** Imports the module of a built-in plugin. */
export type LoadBuiltin = () => Promise<{ readonly default: Plugin }>;

/**
 * Imports what an artifact names and checks its default export. The runtime
 * keeps modules for ever: the same entry is run once in a thread, and one whose
 * top level threw throws the same again. Throws a {@linkcode PluginLoadError}.
 */
export async function importPlugin(
  artifact: PluginArtifact,
  builtins: Builtins,
): Promise<Plugin> {
  const { use, kind, entry } = artifact;
  const load = kind === "builtin"
    ? findBuiltin(artifact, builtins)
    : () => import(entry);
  let module: unknown;
  try {
    module = await load();
  } catch (error) {
    throw importError(error, artifact);
  }
  return guardPlugin(module, use);
}

function findBuiltin(
  { use, entry }: PluginArtifact,
  builtins: Builtins,
): LoadBuiltin {
  const name = entry.slice("builtin:".length);
  const load = builtins.get(name);
  if (load === undefined) {
    throw unknownBuiltin(use, name, new Set(builtins.keys()));
  }
  return load;
}

function importError(
  thrown: unknown,
  artifact: PluginArtifact,
): PluginLoadError {
  const message = messageOf(thrown).replace(COLOURS, "");
  const reason = nameOriginals(message, artifact);
  const unparsed = /^SyntaxError: |could not be parsed/.test(message) ||
    (thrown instanceof SyntaxError && PLACED.test(message));
  if (unparsed) {
    return new PluginLoadError(
      artifact.use,
      "parse_error",
      `it doesn't parse: ${reason}`,
      { cause: thrown },
    );
  }
  const name = thrown instanceof Error ? `${thrown.name}: ` : "";
  const advice = artifact.advice !== undefined && NO_PACKAGE.test(message)
    ? `; an executable has only the packages that it was made with: ${artifact.advice}`
    : "";
  return new PluginLoadError(
    artifact.use,
    "import_failed",
    `its import failed with ${name}${reason}${advice}`,
    { cause: thrown },
  );
}

// deno-lint-ignore no-control-regex -- Deno colours places in some messages.
const COLOURS = /\x1b\[\d*m/g;

/** The runtime's own syntax errors name a place; one that a module throws, say of JSON.parse, does not. */
const PLACED = / at \S+:\d+:\d+$/;

/** What executables say of a package that they don't hold (2.4.2, tried). */
const NO_PACKAGE = /in the list of packages|npm package/;

/** Names the modules as their author knows them, not by their files in the cache. */
function nameOriginals(message: string, artifact: PluginArtifact): string {
  const { kind, entry, modules } = artifact;
  if (kind !== "module") return message;
  const folder = entry.slice(0, entry.lastIndexOf("/") + 1);
  return message.replaceAll(folder, "./").replace(
    /\.\/(\d+_[\w-]+\.(?:mjs|json))/g,
    (all, file: string) => modules[moduleNumber(file)]?.url ?? all,
  );
}
