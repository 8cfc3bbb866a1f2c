/**
 * What every text that a pattern matches has in it.
 *
 * @module
 */
import type { PatternNode } from "./pattern_syntax.ts";

/** Texts that a pattern's matches have; empty for nothing certain. */
export interface PatternLiterals {
  /** What they begin with: `/api/v` for `^/api/v[0-9]+/`. */
  readonly prefix: string;
  /** What they end with: `.js` for `/[a-z]+\.js$`. */
  readonly suffix: string;
  /** The longest text that they contain, of several the last: `/admin/` for `[a-z]/admin/[0-9]`. */
  readonly part: string;
}

/** The literals of a pattern: its characters that stand for themselves alone and can't be left out. */
export function literalsOf(pattern: PatternNode): PatternLiterals {
  let prefix = "";
  let part = "";
  let run = "";
  /** Whether the text's start stands before the run, with nothing between. */
  let anchored = false;
  let suffix = "";
  for (const node of flatten(pattern)) {
    // Behind the text's end there is no character: what stands there never matches.
    suffix = "";
    if (node.kind === "assert") {
      if (node.place === "start") anchored = run === "";
      else if (node.place === "end") suffix = run;
      continue;
    }
    const char = node.kind === "atom" ? literalOf(node.atom) : undefined;
    run = char === undefined ? "" : run + char;
    anchored &&= char !== undefined;
    if (anchored) prefix = run;
    if (run.length >= part.length) part = run;
  }
  return { prefix, suffix, part };
}

/** The one character that an atom accepts; undefined where it accepts several. */
function literalOf(
  { source, ignoreCase }: { readonly source: string; ignoreCase: boolean },
): string | undefined {
  if (ignoreCase) return undefined;
  const [, code] = /^\\u\{([0-9a-f]+)\}$/.exec(source) ?? [];
  return code === undefined
    ? undefined
    : String.fromCodePoint(parseInt(code, 16));
}

/** What is passed one after another, groups opened. */
function flatten(node: PatternNode): readonly PatternNode[] {
  if (node.kind === "group") return flatten(node.body);
  return node.kind === "sequence" ? node.parts.flatMap(flatten) : [node];
}
