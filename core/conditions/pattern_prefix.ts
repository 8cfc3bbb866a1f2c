/**
 * What every text that a pattern matches begins with.
 *
 * @module
 */
import type { PatternNode } from "./pattern_syntax.ts";

/**
 * The characters behind a `^` at the pattern's start, up to the first that may
 * be one of several: `/api/v` for `^/api/v[0-9]+/`. Empty for a pattern that
 * may match anywhere, and where case is ignored.
 */
export function prefixOf(pattern: PatternNode): string {
  let anchored = false;
  let prefix = "";
  for (const part of flatten(pattern)) {
    if (part.kind === "assert" && part.place === "start") anchored = true;
    else if (part.kind === "atom" && anchored && !part.atom.ignoreCase) {
      const [, code] = /^\\u\{([0-9a-f]+)\}$/.exec(part.atom.source) ?? [];
      if (code === undefined) return prefix;
      prefix += String.fromCodePoint(parseInt(code, 16));
    } else {
      return prefix;
    }
  }
  return prefix;
}

/** What is passed one after another, groups opened. */
function flatten(node: PatternNode): readonly PatternNode[] {
  return node.kind === "sequence" ? node.parts.flatMap(flatten) : [node];
}
