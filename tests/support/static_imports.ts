/**
 * What a module loads before its first line runs.
 *
 * @module
 */
import { textOf } from "./byte_streams.ts";

const ROOT = new URL("../../", import.meta.url);

/** A graph as `deno info --json` tells it, of which this is read. */
interface Graph {
  readonly roots: readonly string[];
  readonly redirects: Readonly<Record<string, string>>;
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
}

/**
 * Modules and packages that a module of the project imports statically, itself
 * and those that it imports: paths from the project's root, `npm:` and `node:`.
 */
export async function staticImports(path: string): Promise<Set<string>> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", path],
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(textOf(stderr));
  const { roots, redirects, modules }: Graph = JSON.parse(textOf(stdout));
  const found = new Set(roots);
  for (const specifier of found) {
    const module = modules.find((each) => each.specifier === specifier);
    for (const { code, isDynamic } of module?.dependencies ?? []) {
      const target = code?.specifier;
      if (target === undefined || isDynamic) continue;
      found.add(redirects[target] ?? target);
    }
  }
  return new Set(
    Array.from(found, (specifier) => specifier.replace(ROOT.href, "")),
  );
}
