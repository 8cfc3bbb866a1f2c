/**
 * Parses a pattern's class in brackets into JavaScript's syntax.
 *
 * @module
 */
import { PatternError, type PatternReader } from "./pattern_reader.ts";

const POSIX: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\0-\\x7f",
  blank: "\\t ",
  cntrl: "\\0-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@\\[-`\\{-~",
  space: "\\t\\n\\v\\f\\r ",
  upper: "A-Z",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};

/** What to say of `[:digit:]` that stands where a class begins, `[` being passed; undefined if it does not. */
export function posixHint(input: PatternReader): string | undefined {
  return input.sees(":") && input.match(/:[a-z]+:\]/y) !== ""
    ? "a class such as [:digit:] needs brackets of its own: [[:digit:]]"
    : undefined;
}

/** Parses what follows a `[` at `opened`, up to its `]`. */
export function parseClass(input: PatternReader, opened: number): string {
  let source = input.accept("^") ? "[^" : "[";
  // As in RE2 a `]` that comes first is a character.
  for (let first = true; first || !input.accept("]"); first = false) {
    if (input.ended) {
      throw new PatternError("its class is not closed", opened);
    }
    source += item(input);
  }
  return source + "]";
}

/** One character, range or set. */
function item(input: PatternReader): string {
  const at = input.at;
  const posix = input.match(/\[:[a-z]+:\]/y);
  if (posix !== "") {
    const set = POSIX[posix.slice(2, -2)];
    if (set !== undefined) return set;
    throw new PatternError(`no class is called ${posix}`, at);
  }
  const low = member(input);
  if (input.match(/-(?=[^\]])/y) === "") return write(low);
  const high = member(input);
  if (typeof low === "string" || typeof high === "string" || high < low) {
    throw new PatternError(
      "a range in a class runs backwards or from a set",
      at,
    );
  }
  return `${write(low)}-${write(high)}`;
}

function member(input: PatternReader): number | string {
  const at = input.at;
  if (input.accept("\\")) {
    return input.accept("b") ? refuseBoundary(at) : input.escape(at);
  }
  return input.take().codePointAt(0) ?? 0;
}

function refuseBoundary(at: number): never {
  throw new PatternError("a class can't hold \\b", at);
}

function write(member: number | string): string {
  return typeof member === "string" ? member : `\\u{${member.toString(16)}}`;
}
