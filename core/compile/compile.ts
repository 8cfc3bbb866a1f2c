/**
 * From a config to an executable that holds its plugins.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import type { EmbeddedPlugin } from "../plugins/embedded.ts";
import type { PluginArtifact } from "../plugins/plugin_artifact.ts";
import {
  loadCandidate,
  type LoadOptions,
} from "../supervisor/load_candidate.ts";
import { VERSION } from "../version.ts";
import { BuildFolder, sourcesRoot } from "./build_folder.ts";
import { permissionFlags } from "./permissions.ts";
import { checkExecutable, CompileError, runDenoCompile } from "./run_deno.ts";

/** What is to be made. */
export interface CompileOptions {
  /** The config whose plugins are embedded; undefined for none. Its `cacheDir` is not used: plugins are always fetched. */
  readonly load: Omit<LoadOptions, "cacheDir"> | undefined;
  readonly output: string;
  /** A target of Deno's compiler; undefined for this machine's. */
  readonly target: string | undefined;
  /** Permissions beyond those that Headrace needs, as `permissionFlags` takes them. */
  readonly allow: readonly string[];
}

/** What was made. */
export interface Compiled {
  /** An absolute path. */
  readonly output: string;
  /** Bytes. */
  readonly size: number;
  readonly plugins: readonly EmbeddedPlugin[];
  /** Flags such as `--allow-net`. */
  readonly permissions: readonly string[];
}

/**
 * Makes an executable. Rejects with a `RefusedError` for the config, with a
 * `PermissionError` for `allow`, and with a {@linkcode CompileError} for the rest.
 */
export async function compileExecutable(
  { load, output: path, target, allow }: CompileOptions,
): Promise<Compiled> {
  const root = sourcesRoot();
  if (root === undefined) {
    throw new CompileError(
      "Compiling takes Deno and Headrace's sources: deno run -A main.ts compile …",
    );
  }
  const permissions = permissionFlags(allow);
  const output = withSuffix(resolve(path), target ?? Deno.build.target);
  await using folder = await BuildFolder.create();
  let artifacts: readonly PluginArtifact[] = [];
  let baseDir = "";
  if (load !== undefined) {
    ({ artifacts } = await loadCandidate({
      ...load,
      cacheDir: folder.plugins,
    }));
    ({ baseDir } = load.source);
  }
  const included = await folder.copySources(root);
  const plugins = await folder.writeEntry(artifacts, baseDir);
  await Deno.mkdir(dirname(output), { recursive: true });
  // What stood there before goes only for one that works.
  const fresh = withSuffix(`${output}.new`, target ?? Deno.build.target);
  try {
    await runDenoCompile({
      folder: folder.path,
      config: folder.config,
      entry: folder.entry,
      included,
      permissions,
      output: fresh,
      target,
    });
    // Another machine's can't be tried here.
    if (target === undefined || target === Deno.build.target) {
      await checkExecutable(fresh, VERSION);
    }
    await Deno.rename(fresh, output);
  } catch (error) {
    await removeIfThere(fresh);
    throw error;
  }
  const { size } = await Deno.stat(output);
  return { output, size, plugins, permissions };
}

/** Deno's compiler gives this name itself. */
function withSuffix(path: string, target: string): string {
  return target.includes("windows") && !path.endsWith(".exe")
    ? `${path}.exe`
    : path;
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
