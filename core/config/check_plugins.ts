/**
 * Relations of plugins: where a module comes from, and its pin.
 *
 * @module
 */
import { needsIntegrity } from "./plugin_use.ts";
import type { Finding } from "./problem.ts";
import { entries, has, root, textAt } from "./tree.ts";

/** Modules that come over plain http from another machine need a pin. */
export function pluginFindings(tree: unknown): Finding[] {
  return entries(root(tree), "plugins").flatMap((plugin) => {
    const use = textAt(plugin, "use");
    if (use === undefined || has(plugin, "integrity")) return [];
    if (!needsIntegrity(use.value)) return [];
    return [{
      ...use,
      message:
        "expected https:, or integrity: beside it, as plain http from another machine can be forged",
    }];
  });
}
