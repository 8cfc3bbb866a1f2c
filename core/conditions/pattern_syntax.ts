/**
 * Parses regular expressions in RE2's syntax (https://github.com/google/re2/wiki/Syntax),
 * which BFE's conditions are written in.
 *
 * What only a backtracking matcher can do (back references, look-around,
 * atomic groups, possessive quantifiers) is refused, as RE2 refuses it. One
 * character of the subject is matched by an atom: a piece of JavaScript syntax,
 * so that classes, case folding and Unicode properties are the runtime's.
 *
 * @module
 */
import { parseClass, posixHint } from "./pattern_class.ts";
import { PatternError, PatternReader } from "./pattern_reader.ts";

/** A pattern as a tree. */
export type PatternNode =
  /** One code point that the atom accepts. */
  | { readonly kind: "atom"; readonly atom: Atom }
  /** No character, but a place. */
  | { readonly kind: "assert"; readonly place: Place }
  | { readonly kind: "sequence"; readonly parts: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly parts: readonly PatternNode[] }
  | {
    readonly kind: "repeat";
    readonly body: PatternNode;
    readonly min: number;
    /** `Infinity` for no bound. */
    readonly max: number;
    /** Prefers fewer: the same to a test that only says yes or no. */
    readonly lazy: boolean;
  }
  /** A group whose text can be asked for, numbered from 1 by its parenthesis. */
  | {
    readonly kind: "group";
    readonly number: number;
    readonly body: PatternNode;
  };

/** JavaScript syntax for exactly one code point, for the flags `u` and, without case, `i`. */
export interface Atom {
  readonly source: string;
  readonly ignoreCase: boolean;
}

/** A place between two characters. */
export type Place = "start" | "end" | "wordBoundary" | "noWordBoundary";

/** As RE2: the most that a counted repetition may ask for. */
const MAX_COUNT = 1_000;
const MAX_DEPTH = 100;

/** Parses `pattern`; throws a {@linkcode PatternError}. */
export function parsePattern(
  pattern: string,
  options: { readonly ignoreCase: boolean },
): PatternNode {
  return new PatternParser(pattern, options.ignoreCase).parse();
}

class PatternParser {
  readonly #in: PatternReader;
  #ignoreCase: boolean;
  #dotAll = false;
  #ungreedy = false;
  #depth = 0;
  #groups = 0;

  constructor(pattern: string, ignoreCase: boolean) {
    this.#in = new PatternReader(pattern);
    this.#ignoreCase = ignoreCase;
  }

  parse(): PatternNode {
    const node = this.#choice();
    if (this.#in.ended) return node;
    throw new PatternError(
      "it closes a group that was not opened",
      this.#in.at,
    );
  }

  #choice(): PatternNode {
    const parts = [this.#sequence()];
    while (this.#in.accept("|")) parts.push(this.#sequence());
    const [only] = parts;
    return parts.length === 1 && only ? only : { kind: "choice", parts };
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (!this.#in.ended && !this.#in.sees("|") && !this.#in.sees(")")) {
      this.#item(parts);
    }
    return { kind: "sequence", parts };
  }

  #item(parts: PatternNode[]): void {
    const at = this.#in.at;
    if (this.#in.accept("\\Q")) {
      // A quantifier behind it is the last character's.
      const chars = [...this.#in.until("\\E")];
      const last = chars.pop();
      for (const char of chars) parts.push(this.#literal(char));
      if (last !== undefined) parts.push(this.#quantified(this.#literal(last)));
      return;
    }
    const body = this.#in.accept("(")
      ? this.#group(at)
      : this.#in.accept("[")
      ? this.#class(at)
      : this.#in.accept("\\")
      ? this.#escape(at)
      : this.#plain(at);
    parts.push(this.#quantified(body));
  }

  #quantified(body: PatternNode): PatternNode {
    const count = this.#in.quantifier();
    if (count === undefined) return body;
    if (count.max < count.min) {
      throw new PatternError("its repetition ends before it begins", count.at);
    }
    if (
      count.min > MAX_COUNT || (count.max > MAX_COUNT && count.max < Infinity)
    ) {
      throw new PatternError(
        `a repetition must be <= ${MAX_COUNT}`,
        count.at,
      );
    }
    const lazy = this.#in.accept("?") !== this.#ungreedy;
    const next = this.#in.at;
    if (this.#in.quantifier() !== undefined) {
      throw new PatternError(
        "possessive and doubled quantifiers are not supported",
        next,
      );
    }
    return { kind: "repeat", body, min: count.min, max: count.max, lazy };
  }

  #plain(at: number): PatternNode {
    if (this.#in.quantifier() !== undefined) {
      throw new PatternError("there is nothing to repeat", at);
    }
    const char = this.#in.take();
    switch (char) {
      case ".":
        return this.#atom(this.#dotAll ? "[^]" : "[^\\n]");
      case "^":
        return { kind: "assert", place: "start" };
      case "$":
        return { kind: "assert", place: "end" };
      default:
        return this.#literal(char);
    }
  }

  #class(at: number): PatternNode {
    const hint = posixHint(this.#in);
    if (hint !== undefined) throw new PatternError(hint, at);
    return this.#atom(parseClass(this.#in, at));
  }

  #group(at: number): PatternNode {
    if (++this.#depth > MAX_DEPTH) {
      throw new PatternError(`its nesting must be <= ${MAX_DEPTH}`, at);
    }
    const [ignoreCase, dotAll] = [this.#ignoreCase, this.#dotAll];
    const ungreedy = this.#ungreedy;
    const kind = this.#in.accept("?") ? this.#extended(at) : "capture";
    if (kind === "flags") {
      // Flags without a colon hold up to the end of the group around them.
      this.#depth--;
      return { kind: "sequence", parts: [] };
    }
    const number = kind === "capture" ? ++this.#groups : 0;
    const node = this.#choice();
    if (!this.#in.accept(")")) {
      throw new PatternError("its group is not closed", at);
    }
    this.#depth--;
    this.#ignoreCase = ignoreCase;
    this.#dotAll = dotAll;
    this.#ungreedy = ungreedy;
    return number === 0 ? node : { kind: "group", number, body: node };
  }

  /** What follows `(?`: says which group follows, or that it was flags alone. */
  #extended(at: number): "capture" | "group" | "flags" {
    const input = this.#in;
    if (["=", "!", "<=", "<!"].some((mark) => input.sees(mark))) {
      throw new PatternError("look-around is not supported", at);
    }
    if (input.sees("P=")) {
      throw new PatternError("back references are not supported", at);
    }
    if (input.match(/P?<[A-Za-z_][A-Za-z0-9_]*>/y) !== "") return "capture";
    const flags = input.match(/[imsU]*(?:-[imsU]+)?[:)]/y);
    if (flags === "") {
      throw new PatternError("this kind of group is not supported", at);
    }
    const [on = "", off = ""] = flags.slice(0, -1).split("-");
    if (on.includes("m")) {
      throw new PatternError("the flag m is not supported", at);
    }
    if (on.includes("i")) this.#ignoreCase = true;
    if (on.includes("s")) this.#dotAll = true;
    if (off.includes("i")) this.#ignoreCase = false;
    if (off.includes("s")) this.#dotAll = false;
    if (on.includes("U")) this.#ungreedy = true;
    if (off.includes("U")) this.#ungreedy = false;
    return flags.endsWith(")") ? "flags" : "group";
  }

  #escape(at: number): PatternNode {
    const input = this.#in;
    if (input.match(/[1-9]|k</y) !== "") {
      throw new PatternError("back references are not supported", at);
    }
    switch (input.match(/[bBAz]/y)) {
      case "b":
        return { kind: "assert", place: "wordBoundary" };
      case "B":
        return { kind: "assert", place: "noWordBoundary" };
      case "A":
        return { kind: "assert", place: "start" };
      case "z":
        return { kind: "assert", place: "end" };
    }
    const escape = input.escape(at);
    return typeof escape === "number"
      ? this.#literal(String.fromCodePoint(escape))
      : this.#atom(escape);
  }

  #literal(char: string): PatternNode {
    const code = char.codePointAt(0) ?? 0;
    return this.#atom(`\\u{${code.toString(16)}}`);
  }

  #atom(source: string): PatternNode {
    return { kind: "atom", atom: { source, ignoreCase: this.#ignoreCase } };
  }
}
