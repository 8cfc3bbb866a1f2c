/**
 * The files that a plugin's graph becomes in the cache: JavaScript and JSON
 * whose imports name each other.
 *
 * @module
 */
import { type GraphModule, type ModuleGraph, targetOf } from "./fetch_graph.ts";
import { fileName } from "./file_names.ts";
import type { NamedModule } from "./graph_hash.ts";
import { sourceMapComment } from "./source_map.ts";

/** One file of a graph. */
export interface GraphFile {
  readonly name: string;
  readonly text: string;
}

/** The files of a graph, in the order of `modules`, and which one to import. */
export interface GraphFiles {
  readonly files: readonly GraphFile[];
  readonly entry: string;
}

/** Makes the files; file `NNN_name` is module NNN of `modules`. */
export function layOut(
  graph: ModuleGraph,
  modules: readonly NamedModule[],
): GraphFiles {
  const names = new Map<GraphModule, string>();
  for (const [i, { module }] of modules.entries()) {
    names.set(module, fileName(i, module.url, module.type));
  }
  const files = modules.map(({ module }) => ({
    name: names.get(module)!,
    text: module.type === "json" ? module.code : rewrite(module, graph, names),
  }));
  return { files, entry: names.get(graph.modules.get(graph.root)!)! };
}

function rewrite(
  module: GraphModule,
  graph: ModuleGraph,
  names: ReadonlyMap<GraphModule, string>,
): string {
  const { code, imports, url } = module;
  const replacements = imports.map((found) => ({
    start: found.start,
    end: found.end,
    text: `"./${names.get(targetOf(found, graph))!}"`,
  })).sort((a, b) => a.start - b.start);
  let text = "";
  let done = 0;
  for (const replaced of replacements) {
    text += code.slice(done, replaced.start) + replaced.text;
    done = replaced.end;
  }
  return text + code.slice(done) + sourceMapComment(url, code, replacements);
}
