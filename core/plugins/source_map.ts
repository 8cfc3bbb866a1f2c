/**
 * Source maps by which stack traces name the module's URL instead of its file in
 * the cache. (Deno heeds `sourceMappingURL`, but no `sourceURL`: tried on 2.4.2
 * and 2.9.6.)
 *
 * Lines are the source's, as transpiling keeps them. Columns are those of the
 * JavaScript before its imports were rewritten: exact for JavaScript, also in one
 * long minified line, and near for TypeScript.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** A range of the code that was replaced by `text`. */
export interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The comment to put behind `code` after the replacements, which come in order. */
export function sourceMapComment(
  url: URL,
  code: string,
  replacements: readonly Replacement[],
): string {
  const map = {
    version: 3,
    sources: [url.protocol === "data:" ? "data:" : url.href],
    names: [],
    mappings: mappingsOf(code, replacements),
  };
  const text = Buffer.from(JSON.stringify(map)).toString("base64");
  return `\n//# sourceMappingURL=data:application/json;base64,${text}\n`;
}

/** One segment for each word and sign: lookups give the nearest one before. */
function mappingsOf(
  code: string,
  replacements: readonly Replacement[],
): string {
  const lines: string[] = [];
  let lineStart = 0;
  let next = 0;
  // The last segment's place in the source: segments are differences.
  let sourceLine = 0;
  let sourceColumn = 0;
  for (const [line, text] of code.split("\n").entries()) {
    const segments: string[] = [];
    let shift = 0;
    let lastColumn = 0;
    for (const { index: column } of text.matchAll(/[\w$]+|[^\s\w$]/g)) {
      for (
        let replaced = replacements[next];
        replaced !== undefined && replaced.end <= lineStart + column;
        replaced = replacements[++next]
      ) {
        // What ended before this line moved nothing in it.
        if (replaced.start < lineStart) continue;
        shift += replaced.text.length - (replaced.end - replaced.start);
      }
      segments.push(
        vlq(column + shift - lastColumn) + "A" + vlq(line - sourceLine) +
          vlq(column - sourceColumn),
      );
      lastColumn = column + shift;
      sourceLine = line;
      sourceColumn = column;
    }
    lines.push(segments.join(","));
    lineStart += text.length + 1;
  }
  return lines.join(";");
}

const DIGITS =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 VLQ: five bits a digit, least first, the sign in the lowest. */
function vlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1;
  let text = "";
  do {
    const more = rest > 31 ? 32 : 0;
    text += DIGITS[(rest & 31) | more]!;
    rest >>>= 5;
  } while (rest > 0);
  return text;
}
