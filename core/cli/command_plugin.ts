/**
 * `headrace plugin new`, `check` and `hash`: the tools of a plugin's author.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { sourcesRoot } from "../compile/build_folder.ts";
import { type Candidate, RefusedError } from "../data_plane/control.ts";
import type { DataPlane } from "../data_plane/data_plane.ts";
import type { Plugin } from "../plugin.ts";
import { importPlugin } from "../plugins/import_plugin.ts";
import type { PluginArtifact } from "../plugins/plugin_artifact.ts";
import { PluginLoadError, shorten } from "../plugins/plugin_load_error.ts";
import { parseUse } from "../plugins/plugin_url.ts";
import {
  type FetchOptions,
  hashGraph,
  type PluginHash,
} from "../plugins/resolve_plugin.ts";
import { type CommandContext, type CommandOptions, EXIT } from "./command.ts";
import { PLUGIN_NAME, scaffold } from "./plugin_scaffold.ts";
import { trySource } from "./try_config.ts";

/** Writes a plugin that works, with its test and a config, into a folder of its name. */
export async function newPlugin(name: string): Promise<number> {
  if (!PLUGIN_NAME.test(name)) {
    console.error(
      `A plugin's name must begin with a small letter and have only those, digits and "-": current value is ${
        JSON.stringify(name)
      }`,
    );
    return EXIT.usage;
  }
  const root = sourcesRoot();
  if (root === undefined) {
    console.error(
      "A new plugin needs Headrace's sources, for its types and its tests: deno run -A main.ts plugin new …",
    );
    return EXIT.refused;
  }
  const { imports } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", root)),
  );
  try {
    await Deno.mkdir(name);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.AlreadyExists)) throw thrown;
    console.error(`${resolve(name)} is there already`);
    return EXIT.refused;
  }
  for (const [file, text] of scaffold(name, { root: root.href, imports })) {
    const path = join(name, file);
    await Deno.writeTextFile(path, text, { createNew: true });
    console.log(path);
  }
  return EXIT.ok;
}

/** Prints what to write as `integrity`. */
export async function hashPlugin(
  url: string,
  context: CommandContext,
): Promise<number> {
  const found = await refusing(() => hashGraph(url, fetchOptions(context)));
  if (found === undefined) return EXIT.refused;
  console.log(found.hash);
  return EXIT.ok;
}

/** Tells what a plugin is made of, what it wants and what it does; sets it up with the options given. */
export async function checkPlugin(
  url: string,
  { options }: CommandOptions,
  context: CommandContext,
): Promise<number> {
  let given: unknown;
  try {
    given = options === undefined ? undefined : JSON.parse(options);
  } catch {
    console.error(`--options must be JSON: current value is ${options}`);
    return EXIT.usage;
  }
  const found = await refusing(() => findParts(url, context));
  if (found === undefined) return EXIT.refused;
  for (const row of found.rows) console.log(row);
  console.log(`permissions: ${await permissions()}`);
  const config = JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 204 } }],
    }],
    plugins: [{ use: url, integrity: found.hash, options: given }],
    workers: 1,
  });
  const source = {
    path: "plugin check",
    baseDir: Deno.cwd(),
    read: () => Promise.resolve(config),
  };
  return await trySource(source, context, async (plane, candidate) => {
    const [artifact] = candidate.artifacts;
    const plugin = await load(artifact!, context);
    console.log(`name: ${plugin.name}`);
    console.log(`options: ${schemaText(plugin)}`);
    await tellParts(plane, candidate);
  });
}

/** Asks for what may be refused; undefined where it was, which was told. */
async function refusing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (thrown) {
    if (!(thrown instanceof PluginLoadError)) throw thrown;
    console.error(thrown.message);
    return undefined;
  }
}

function fetchOptions({ builtins }: CommandContext): FetchOptions {
  return { baseDir: Deno.cwd(), builtins: new Set(builtins.keys()) };
}

/** What a plugin is made of, in lines, and its hash; a built-in one and a package have none. */
async function findParts(
  url: string,
  context: CommandContext,
): Promise<{ readonly rows: readonly string[]; readonly hash?: string }> {
  const options = fetchOptions(context);
  const { kind } = parseUse(url, options.baseDir, options.builtins);
  switch (kind) {
    case "builtin":
      return { rows: [url, "integrity: none, it is part of Headrace"] };
    case "runtime":
      return { rows: [url, "integrity: none, Deno fetches it"] };
    case "module": {
      const graph = await hashGraph(url, options);
      return { rows: graphRows(graph), hash: graph.hash };
    }
  }
}

function graphRows({ url, hash, modules, runtimeImports }: PluginHash) {
  const size = modules.reduce((sum, { size }) => sum + size, 0);
  return [
    shorten(url),
    `integrity: ${hash}`,
    `size: ${size} bytes in ${modules.length} module${
      modules.length === 1 ? "" : "s"
    }`,
    ...modules.map(({ url, size, sha256 }) =>
      `  ${shorten(url)} ${size} bytes, sha256 ${sha256}`
    ),
    `imports of packages: ${runtimeImports.join(", ") || "none"}`,
  ];
}

/** Plugins run in Headrace's own threads: there are no others for them. */
async function permissions(): Promise<string> {
  const names = ["net", "read", "write", "env", "run", "sys", "ffi"] as const;
  const granted: string[] = [];
  for (const name of names) {
    const { state, partial } = await Deno.permissions.query({ name });
    if (state !== "granted" && !partial) continue;
    granted.push(partial ? `${name} (in part)` : name);
  }
  return `${granted.join(", ") || "none"}, those of this process`;
}

async function load(
  artifact: PluginArtifact,
  { builtins }: CommandContext,
): Promise<Plugin> {
  try {
    return await importPlugin(artifact, builtins);
  } catch (thrown) {
    if (!(thrown instanceof PluginLoadError)) throw thrown;
    throw new RefusedError([thrown.message]);
  }
}

/** The schema of the options as JSON Schema, where its library can tell it (https://standardschema.dev/json-schema). */
function schemaText({ options }: Plugin): string {
  if (options === undefined) return "any, as there is no schema";
  const standard: {
    readonly vendor: string;
    readonly jsonSchema?: {
      readonly input: (options: { target: string }) => unknown;
    };
  } = options["~standard"];
  return standard.jsonSchema === undefined
    ? `a schema of ${standard.vendor}, which tells no JSON Schema`
    : JSON.stringify(
      standard.jsonSchema.input({ target: "draft-2020-12" }),
      null,
      2,
    );
}

async function tellParts(
  plane: DataPlane,
  candidate: Candidate,
): Promise<void> {
  const uses = await plane.plugins.acquire(candidate);
  try {
    for (const { instance: { parts } } of uses) {
      const { handlers = {}, ...others } = parts;
      console.log(`points: ${Object.keys(handlers).join(", ") || "none"}`);
      console.log(`other parts: ${Object.keys(others).join(", ") || "none"}`);
    }
  } finally {
    plane.plugins.release(uses);
  }
}
