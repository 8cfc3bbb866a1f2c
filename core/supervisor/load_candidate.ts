/**
 * From a config file to a candidate: read, check, fetch the plugins.
 *
 * @module
 */
import { checkCondition } from "../conditions/check.ts";
import type { Config } from "../config/config.ts";
import {
  loadConfig,
  type LoadedConfig as CheckedConfig,
} from "../config/load.ts";
import { formatProblem } from "../config/problem.ts";
import { tlsWarnings } from "../config/tls_files.ts";
import { type Candidate, RefusedError } from "../data_plane/control.ts";
import type { CoreLog } from "../observe/log.ts";
import type { Embedding } from "../plugins/embedded.ts";
import type { PluginArtifact } from "../plugins/plugin_artifact.ts";
import { resolvePlugin } from "../plugins/resolve_plugin.ts";

/** Where a config comes from, asked anew at each reload. */
export interface ConfigSource {
  /** The file's path as messages name it. */
  readonly path: string;
  /** The folder that relative plugin paths start from. */
  readonly baseDir: string;
  /** Reads the text. Rejects with the reason. */
  read(): Promise<string>;
}

/** What loading needs. */
export interface LoadOptions {
  readonly source: ConfigSource;
  readonly env: (name: string) => string | undefined;
  /** Names of the built-in plugins. */
  readonly builtins: ReadonlySet<string>;
  /** Where fetched plugins are kept. */
  readonly cacheDir: string;
  /** What the executable that this is holds; left out where Deno runs the sources. */
  readonly embedding?: Embedding | undefined;
  readonly log: CoreLog;
}

/** A candidate that has no revision yet. */
export type LoadedConfig = Pick<Candidate, "config" | "artifacts" | "files">;

/** Loads it. Rejects with a {@linkcode RefusedError} with every problem. */
export async function loadCandidate(
  options: LoadOptions,
): Promise<LoadedConfig> {
  const { config, files } = await readConfig(options);
  return { config, files, artifacts: await resolveAll(config, options) };
}

async function readConfig(
  { source, env, log }: LoadOptions,
): Promise<CheckedConfig> {
  let text: string;
  try {
    text = await source.read();
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new RefusedError([`${source.path}: ${reason}`]);
  }
  const loaded = await loadConfig({
    path: source.path,
    text,
    env,
  }, { checkCondition });
  if (loaded.config === undefined) {
    throw new RefusedError(loaded.problems.map(formatProblem));
  }
  for (const warning of loaded.warnings) log.warn(formatProblem(warning));
  for (const warning of tlsWarnings(loaded.config)) {
    log.warn(`${source.path}: ${warning}`);
  }
  return loaded;
}

async function resolveAll(
  config: Config,
  options: LoadOptions,
): Promise<PluginArtifact[]> {
  const results = await Promise.allSettled(
    config.plugins.map(({ use, integrity }) =>
      resolvePlugin({ use, ...(integrity !== undefined && { integrity }) }, {
        baseDir: options.source.baseDir,
        cacheDir: options.cacheDir,
        embedding: options.embedding,
        builtins: options.builtins,
        offlineWarn: (message) => options.log.warn(message),
      })
    ),
  );
  const problems = results.flatMap((result) =>
    result.status === "rejected"
      ? [
        result.reason instanceof Error
          ? result.reason.message
          : String(result.reason),
      ]
      : []
  );
  if (problems.length > 0) throw new RefusedError(problems);
  return results.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : []
  );
}
