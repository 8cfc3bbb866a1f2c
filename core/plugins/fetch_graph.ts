/**
 * Fetches a plugin's module and everything that it imports.
 *
 * @module
 */
import { fetchModule, refuseInsecure } from "./fetch_module.ts";
import { resolveImport } from "./import_url.ts";
import { type ImportPlace, type LoadContext, refusal } from "./load_context.ts";
import { type ModuleType, moduleType } from "./media_type.ts";
import {
  type FoundImport,
  loadModuleReader,
  type ModuleReader,
  ModuleTextError,
} from "./module_code.ts";
import { messageOf } from "./plugin_load_error.ts";
import { describeUrl } from "./plugin_url.ts";

/** A plugin's modules as fetched, not yet written anywhere. */
export interface ModuleGraph {
  /** The root module's URL after redirects: a key of `modules`. */
  readonly root: string;
  /** By URL after redirects. */
  readonly modules: ReadonlyMap<string, GraphModule>;
  /** From each URL that was redirected to where that led. */
  readonly redirects: ReadonlyMap<string, string>;
}

/** One module of a graph. */
export interface GraphModule {
  /** After redirects. */
  readonly url: URL;
  readonly type: ModuleType;
  /** The bytes as fetched. */
  readonly bytes: Uint8Array;
  /** JavaScript, or JSON as it came. */
  readonly code: string;
  /** Imports to rewrite: those that are not the runtime's. */
  readonly imports: readonly GraphImport[];
  /** Specifiers of the runtime's: `npm:`, `jsr:`, `node:`. */
  readonly runtimeImports: readonly string[];
}

/** One import between two modules of a graph. */
export interface GraphImport extends FoundImport {
  /** The URL asked for, before redirects. */
  readonly url: URL;
  /** `URL:line:column`, for messages. */
  readonly place: string;
}

interface Wanted {
  readonly url: URL;
  readonly place: ImportPlace;
}

/** Requests under way at once: enough to hide latency, few enough for a small file server. */
const CONCURRENCY = 16;

/** Fetches the whole graph. Throws a `PluginLoadError`, or the signal's reason when that fires. */
export async function fetchGraph(
  root: URL,
  context: LoadContext,
): Promise<ModuleGraph> {
  refuseInsecure(root, undefined, context);
  const read = await loadModuleReader();
  const modules = new Map<string, GraphModule>();
  const redirects = new Map<string, string>();
  const asked = new Set<string>([root.href]);
  let wanted: Wanted[] = [{ url: root, place: undefined }];
  // Wave by wave, so that the order of modules and errors is the same each time.
  while (wanted.length > 0) {
    const wave = await fetchWave(wanted, read, context);
    const next: Wanted[] = [];
    for (const [i, module] of wave.entries()) {
      const { href } = module.url;
      const from = wanted[i]!.url.href;
      if (from !== href) redirects.set(from, href);
      if (modules.has(href)) continue;
      modules.set(href, module);
      asked.add(href);
      for (const found of module.imports) {
        if (asked.has(found.url.href)) continue;
        asked.add(found.url.href);
        next.push(found);
      }
    }
    const files = modules.size + next.length;
    if (files > context.limits.files) {
      throw refusal(
        context,
        "too_many_files",
        `it has more than ${context.limits.files} modules`,
        next[context.limits.files - modules.size]?.place,
      );
    }
    wanted = next;
  }
  const graph = {
    root: redirects.get(root.href) ?? root.href,
    modules,
    redirects,
  };
  checkTypes(graph, context);
  return graph;
}

/** Fetches the modules of one wave; the first that fails ends the others. */
async function fetchWave(
  wanted: readonly Wanted[],
  read: ModuleReader,
  context: LoadContext,
): Promise<GraphModule[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const result: GraphModule[] = new Array(wanted.length);
  let place = 0;
  const failures: unknown[] = [];
  async function work(): Promise<void> {
    while (place < wanted.length && failures.length === 0) {
      const mine = place++;
      try {
        result[mine] = await fetchOne(wanted[mine]!, read, {
          ...context,
          signal,
        });
      } catch (error) {
        // Later ones are only what `stop` did to the others.
        failures.push(error);
        stop.abort();
      }
    }
  }
  await Promise.all(
    Array.from({ length: Math.min(CONCURRENCY, wanted.length) }, work),
  );
  context.signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  return result;
}

async function fetchOne(
  { url: asked, place }: Wanted,
  read: ModuleReader,
  context: LoadContext,
): Promise<GraphModule> {
  const { url, bytes, contentType } = await fetchModule(asked, place, context);
  const type = moduleType(url, contentType);
  if (type === undefined) {
    throw refusal(
      context,
      "wrong_media_type",
      `${describeUrl(url)} is no JavaScript, TypeScript or JSON module: ${
        contentType === undefined
          ? "its name has no such extension"
          : `its media type is "${contentType}"`
      }`,
      place,
    );
  }
  const text = decode(bytes, url, place, context);
  if (type === "json") {
    checkJson(text, url, place, context);
    return { url, type, bytes, code: text, imports: [], runtimeImports: [] };
  }
  try {
    const { code, imports } = read(text, type);
    const isRoot = place === undefined;
    return {
      url,
      type,
      bytes,
      code,
      ...withUrls(imports, { url, isRoot }, context),
    };
  } catch (error) {
    if (!(error instanceof ModuleTextError)) throw error;
    const what = error.code === "parse_error"
      ? `it doesn't parse: ${error.message}`
      : error.message;
    throw refusal(
      context,
      error.code,
      `${describeUrl(url)}:${error.at}: ${what}`,
      place,
      { cause: error },
    );
  }
}

function withUrls(
  imports: readonly FoundImport[],
  importer: { readonly url: URL; readonly isRoot: boolean },
  context: LoadContext,
): Pick<GraphModule, "imports" | "runtimeImports"> {
  const ours: GraphImport[] = [];
  const runtimeImports: string[] = [];
  for (const found of imports) {
    const place = `${describeUrl(importer.url)}:${found.at}`;
    const url = resolveImport(found.specifier, importer, place, context);
    if (url === undefined) runtimeImports.push(found.specifier);
    else ours.push({ ...found, url, place });
  }
  return { imports: ours, runtimeImports };
}

function decode(
  bytes: Uint8Array,
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw refusal(
      context,
      "parse_error",
      `${describeUrl(url)} is not UTF-8`,
      place,
      { cause: error },
    );
  }
}

function checkJson(
  text: string,
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw refusal(
      context,
      "parse_error",
      `${describeUrl(url)} doesn't parse as JSON: ${messageOf(error)}`,
      place,
      { cause: error },
    );
  }
}

/** JSON has to be asked for as such, and nothing else may be: the runtime would refuse it later and less clearly. */
function checkTypes(graph: ModuleGraph, context: LoadContext): void {
  const root = graph.modules.get(graph.root)!;
  if (root.type === "json") {
    throw refusal(
      context,
      "wrong_media_type",
      `${describeUrl(root.url)} is JSON, not a module`,
      undefined,
    );
  }
  for (const module of graph.modules.values()) {
    for (const found of module.imports) {
      const target = targetOf(found, graph);
      if ((target.type === "json") === found.json) continue;
      throw refusal(
        context,
        "wrong_media_type",
        found.json
          ? `${describeUrl(target.url)} is not JSON`
          : `${
            describeUrl(target.url)
          } is JSON: import it with { type: "json" }`,
        found.place,
      );
    }
  }
}

/** The module that an import leads to. */
export function targetOf(found: GraphImport, graph: ModuleGraph): GraphModule {
  const { href } = found.url;
  return graph.modules.get(graph.redirects.get(href) ?? href)!;
}
