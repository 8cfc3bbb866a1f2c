/**
 * From what the config says of a plugin to what a worker can import.
 *
 * The supervisor does this once for all workers. Every time, so that a reload
 * sees changed modules, the whole graph is fetched; the same bytes lead to the
 * same files. When the network or the far end is down (no connection, too late,
 * cut off, 5xx, 408, 425, 429), the last graph of this URL that could be had
 * stands in, with a warning; 404, 410 and other 4xx are refusals, as the author
 * took the plugin away.
 *
 * `import.meta.url` in a fetched module is its file in the cache.
 *
 * @module
 */
import { type Clock, systemClock } from "../net/clock.ts";
import { type Embedding, findEmbedded } from "./embedded.ts";
import { fetchGraph, type ModuleGraph } from "./fetch_graph.ts";
import { readLocalFile } from "./fetch_module.ts";
import { GraphCache } from "./graph_cache.ts";
import { layOut } from "./graph_files.ts";
import {
  checkPin,
  hashModules,
  type NamedModule,
  nameModules,
  sha256Hex,
  sha256Pin,
} from "./graph_hash.ts";
import {
  DEFAULT_LOAD_LIMITS,
  isTemporary,
  type LoadContext,
  type LoadLimits,
  type ReadFile,
} from "./load_context.ts";
import type {
  ArtifactModule,
  PluginArtifact,
  PluginRequest,
} from "./plugin_artifact.ts";
import { PluginLoadError } from "./plugin_load_error.ts";
import { describeUrl, parseUse, type PluginSource } from "./plugin_url.ts";

/** What fetching a plugin needs. */
export interface FetchOptions {
  /** The config file's folder: the base of relative paths. */
  readonly baseDir: string;
  /** The names of the built-in plugins. */
  readonly builtins: ReadonlySet<string>;
  /** By default the global one. */
  readonly fetch?: typeof fetch;
  /** By default from the disk. */
  readonly readFile?: ReadFile;
  /** By default {@linkcode DEFAULT_LOAD_LIMITS}. */
  readonly limits?: Partial<LoadLimits>;
  /** By default the machine's. */
  readonly clock?: Clock;
  /** Ends the loading; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What finding a plugin and laying it out needs. */
export interface ResolveOptions extends FetchOptions {
  /** See `defaultCacheDir`. */
  readonly cacheDir: string;
  /** Is told, in a sentence, that a last good copy stands in. */
  readonly offlineWarn: (message: string) => void;
  /** What the executable that this is holds; left out where Deno runs the sources. */
  readonly embedding?: Embedding | undefined;
}

/** Finds a plugin, fetches its modules and lays them out. Throws a {@linkcode PluginLoadError}. */
export async function resolvePlugin(
  request: PluginRequest,
  options: ResolveOptions,
): Promise<PluginArtifact> {
  const { use, integrity: pin } = request;
  const source = parseUse(use, options.baseDir, options.builtins);
  if (pin !== undefined) {
    refusePinOn(source, use);
    checkPin(use, pin);
  }
  if (source.kind === "builtin") {
    return withoutModules(use, "builtin", `builtin:${source.name}`);
  }
  const { embedding } = options;
  const embedded = findEmbedded(use, source, pin, embedding);
  if (embedded !== undefined) return embedded;
  if (source.kind === "runtime") {
    if (embedding !== undefined) throw notEmbedded(use, embedding);
    return withoutModules(use, "runtime", source.specifier);
  }
  try {
    const fetched = await fetchPlugin(request, source.url, options);
    return embedding === undefined
      ? fetched
      : { ...fetched, advice: embedding.advice };
  } catch (error) {
    if (embedding === undefined || !(error instanceof PluginLoadError)) {
      throw error;
    }
    throw new PluginLoadError(
      use,
      error.code,
      `${error.detail}; it is not in this executable: ${embedding.advice}`,
      { cause: error },
    );
  }
}

/** Fetches a plugin's modules, checks their pin and lays them out. */
async function fetchPlugin(
  { use, integrity: pin }: PluginRequest,
  url: URL,
  options: ResolveOptions,
): Promise<PluginArtifact> {
  const cache = new GraphCache(options.cacheDir);
  const context = makeContext(use, pin !== undefined, options);
  let graph: ModuleGraph;
  try {
    graph = await fetchGraph(url, context);
  } catch (error) {
    if (!isTemporary(error)) throw error;
    const copy = await standIn(error, url, pin, cache, context);
    options.offlineWarn(
      `Using the last good copy of plugin ${
        describeUrl(url)
      } (${copy.hash}): ${error.message}`,
    );
    return copy;
  }
  const modules = nameModules(graph);
  const hash = hashModules(graph, modules);
  if (pin !== undefined && pin !== hash) {
    throw new PluginLoadError(
      use,
      "pin_mismatch",
      `its modules do not match the pin: integrity is "${pin}", the hash of what came is "${hash}"`,
    );
  }
  const artifact = {
    use,
    url: url.href,
    kind: "module" as const,
    hash,
    modules: factsOf(modules),
  };
  return await cache.store(artifact, layOut(graph, modules));
}

/** A plugin's hash and what went into it. */
export interface PluginHash {
  /** The absolute URL, before redirects. */
  readonly url: string;
  /** What to write as `integrity`. */
  readonly hash: string;
  readonly modules: readonly ArtifactModule[];
  /** What it imports of the runtime, sorted: `npm:`, `jsr:` and `node:` specifiers. */
  readonly runtimeImports: readonly string[];
}

/**
 * Hashes a plugin's whole graph for a pin, and writes nothing. Plain http is
 * taken from everywhere, as the pin is what makes that safe. Throws a
 * {@linkcode PluginLoadError}.
 */
export async function hashGraph(
  use: string,
  options: FetchOptions,
): Promise<PluginHash> {
  const source = parseUse(use, options.baseDir, options.builtins);
  refusePinOn(source, use);
  const graph = await fetchGraph(source.url, makeContext(use, true, options));
  const modules = nameModules(graph);
  return {
    url: source.url.href,
    hash: hashModules(graph, modules),
    modules: factsOf(modules),
    runtimeImports: [
      ...new Set(modules.flatMap(({ module }) => module.runtimeImports)),
    ].sort(),
  };
}

/** The last good copy of a plugin that can't be fetched now, or `failure`. */
async function standIn(
  failure: PluginLoadError,
  url: URL,
  pin: string | undefined,
  cache: GraphCache,
  context: LoadContext,
): Promise<PluginArtifact> {
  const copy = await cache.lastGood(context.use, url.href);
  if (copy === undefined) throw failure;
  if (pin !== undefined && pin !== copy.hash) {
    throw new PluginLoadError(
      failure.use,
      failure.code,
      `${
        describeUrl(url)
      } can't be had now, and its last good copy, ${copy.hash}, does not match the pin ${pin} (${failure.message})`,
      { cause: failure },
    );
  }
  if (await localPartChanged(copy, context)) throw failure;
  return copy;
}

/** Whether files of the copy differ from what is on the disk now: then it would hide what the operator just changed. */
async function localPartChanged(
  copy: PluginArtifact,
  context: LoadContext,
): Promise<boolean> {
  for (const { url, sha256 } of copy.modules) {
    if (!url.startsWith("file:")) continue;
    const { fileBytes } = context.limits;
    try {
      const bytes = await context.readFile(new URL(url), fileBytes);
      if (sha256Hex(bytes) !== sha256) return true;
    } catch {
      // Gone or unreadable is as good as changed.
      return true;
    }
  }
  return false;
}

function refusePinOn(
  source: PluginSource,
  use: string,
): asserts source is Extract<PluginSource, { kind: "module" }> {
  if (source.kind === "module") return;
  throw new PluginLoadError(
    use,
    "pin_not_possible",
    source.kind === "builtin"
      ? "a built-in plugin can't be pinned: it is part of Headrace"
      : "npm: and jsr: packages can't be pinned with integrity, as Deno fetches them; pin an exact version, or use the package's https: URL",
  );
}

/** Packages come from the runtime, and an executable's has only those that it was made with (reference/deno.md). */
function notEmbedded(use: string, { advice }: Embedding): PluginLoadError {
  return new PluginLoadError(
    use,
    "not_embedded",
    `it is not in this executable, which can't fetch packages: ${advice}`,
  );
}

function withoutModules(
  use: string,
  kind: "builtin" | "runtime",
  entry: string,
): PluginArtifact {
  return { use, url: entry, kind, entry, hash: sha256Pin(entry), modules: [] };
}

function factsOf(modules: readonly NamedModule[]): ArtifactModule[] {
  return modules.map(({ module, sha256 }) => ({
    url: module.url.href,
    size: module.bytes.length,
    sha256,
  }));
}

function makeContext(
  use: string,
  allowInsecure: boolean,
  options: FetchOptions,
): LoadContext {
  return {
    use,
    allowInsecure,
    limits: { ...DEFAULT_LOAD_LIMITS, ...options.limits },
    fetch: options.fetch ?? fetch,
    readFile: options.readFile ?? readLocalFile,
    clock: options.clock ?? systemClock,
    // One that never fires, where nobody wants to end the loading.
    signal: options.signal ?? new AbortController().signal,
  };
}
