/**
 * Patterns as plugins get them: bounded like the rule language's, with groups
 * and replacement.
 *
 * @module
 */
import type { Pattern } from "../plugin.ts";
import { PatternCaptures, type Slots } from "./pattern_captures.ts";
import { compileProgram, type Program } from "./pattern_program.ts";
import { parsePattern } from "./pattern_syntax.ts";
import { compileSafe } from "./safe_regexp.ts";

/**
 * Compiles a pattern in RE2's syntax. Throws a `PatternError` for bad syntax, a
 * `RangeError` for one that is too large.
 */
export function compilePattern(
  source: string,
  { ignoreCase = false }: { readonly ignoreCase?: boolean } = {},
): Pattern {
  const { test } = compileSafe(source, { ignoreCase });
  const program = compileProgram(
    parsePattern(source, { ignoreCase }),
    { captures: true },
  );
  const captures = new PatternCaptures(program);
  return Object.freeze({
    source,
    test,
    match(text: string) {
      // Most texts don't match, and that is told faster.
      const slots = test(text) ? captures.over(text)(0) : undefined;
      return slots && groupsOf(text, slots);
    },
    replacer(replacement: string) {
      const parts = parseReplacement(replacement, program);
      return (text: string) =>
        test(text) ? replaceAll(text, captures, parts) : text;
    },
  });
}

function groupsOf(text: string, slots: Slots): (string | undefined)[] {
  return Array.from(
    { length: slots.length / 2 },
    (_, group) => groupOf(text, slots, group),
  );
}

function groupOf(
  text: string,
  slots: Slots,
  group: number,
): string | undefined {
  const [begin, end] = [slots[2 * group]!, slots[2 * group + 1]!];
  return begin < 0 || end < 0 ? undefined : text.slice(begin, end);
}

/** Texts and numbers of groups in turn. */
function parseReplacement(
  text: string,
  { groups }: Program,
): (string | number)[] {
  const parts: (string | number)[] = [];
  let end = 0;
  for (const found of text.matchAll(/\$(\$|\d{1,2}|)/g)) {
    if (found.index > end) parts.push(text.slice(end, found.index));
    end = found.index + found[0].length;
    const name = found[1]!;
    if (name === "") {
      throw new SyntaxError(
        `Cannot use replacement ${
          JSON.stringify(text)
        }: expected $1, $$ for a dollar sign`,
      );
    }
    if (name !== "$" && Number(name) > groups) {
      throw new SyntaxError(
        `Cannot use $${name} as its pattern has ${groups} groups`,
      );
    }
    parts.push(name === "$" ? "$" : Number(name));
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}

function replaceAll(
  text: string,
  captures: PatternCaptures,
  parts: readonly (string | number)[],
): string {
  const find = captures.over(text);
  let replaced = "";
  let end = 0;
  for (let at = 0; at <= text.length;) {
    const slots = find(at);
    if (slots === undefined) break;
    const [begin, stop] = [slots[0]!, slots[1]!];
    replaced += text.slice(end, begin);
    for (const part of parts) {
      replaced += typeof part === "string"
        ? part
        : groupOf(text, slots, part) ?? "";
    }
    end = stop;
    at = stop > begin
      ? stop
      : stop + (text.codePointAt(stop)! > 0xffff ? 2 : 1);
  }
  return replaced + text.slice(end);
}
