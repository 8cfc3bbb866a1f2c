/**
 * Cuts a condition's text into tokens.
 *
 * @module
 */
import { ConditionError } from "./condition_error.ts";

/** A piece of a condition's text. */
export type Token =
  /** A primitive's name, or `true` and `false`, or a word that has no place. */
  | { readonly kind: "word"; readonly value: string; readonly offset: number }
  /** A string; `value` is without quotes and escapes. */
  | { readonly kind: "text"; readonly value: string; readonly offset: number }
  | {
    readonly kind: "(" | ")" | "," | "!" | "&&" | "||" | "end";
    readonly offset: number;
  }
  /** Something that no condition holds; the parser says what it expected instead. */
  | {
    readonly kind: "unknown";
    readonly value: string;
    readonly offset: number;
  };

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  n: "\n",
  t: "\t",
};

/** Reads tokens one after another. */
export class Lexer {
  // Sticky patterns remember a position: each lexer has its own.
  readonly #whitespace = /[ \t\r\n]*/y;
  readonly #word = /[A-Za-z_][A-Za-z0-9_]*/y;
  /** So much of what was not understood is shown. */
  readonly #unknown = /[^\s"`(),!&|]{1,20}|[^]/uy;
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next token; `end` for ever after the last one. Throws a {@linkcode ConditionError} for a broken string. */
  next(): Token {
    this.#take(this.#whitespace);
    const offset = this.#at;
    const char = this.#text[offset];
    switch (char) {
      case undefined:
        return { kind: "end", offset };
      case "(":
      case ")":
      case ",":
      case "!":
        this.#at++;
        return { kind: char, offset };
      case "&":
      case "|":
        if (this.#text[offset + 1] !== char) break;
        this.#at += 2;
        return { kind: char === "&" ? "&&" : "||", offset };
      case '"':
        return { kind: "text", value: this.#quoted(), offset };
      case "`":
        return { kind: "text", value: this.#raw(), offset };
    }
    const word = this.#take(this.#word);
    if (word !== "") return { kind: "word", value: word, offset };
    return { kind: "unknown", value: this.#take(this.#unknown), offset };
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #quoted(): string {
    const start = this.#at;
    let value = "";
    let at = start + 1;
    for (;;) {
      const plain = /[^"\\\n]*/y;
      plain.lastIndex = at;
      value += plain.exec(this.#text)?.[0] ?? "";
      at = plain.lastIndex;
      if (this.#text[at] === '"') break;
      // A line break is refused, as a forgotten quote would else swallow the
      // lines that follow.
      if (this.#text[at] !== "\\" || at + 1 >= this.#text.length) {
        const found = this.#text[at] === "\n" ? "end of line" : undefined;
        throw unclosed("a double quote", start, found);
      }
      value += this.#escape(at);
      at += 2;
    }
    this.#at = at + 1;
    return value;
  }

  #escape(at: number): string {
    const letter = this.#text[at + 1] ?? "";
    const char = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (char !== undefined) return char;
    throw new ConditionError(
      `Expected one of \\" \\\\ \\n \\t at offset ${at}: found \\${letter} (a pattern reads best in back quotes, which know no escapes)`,
      at,
    );
  }

  #raw(): string {
    const start = this.#at;
    const end = this.#text.indexOf("`", start + 1);
    if (end < 0) throw unclosed("a back quote", start);
    this.#at = end + 1;
    return this.#text.slice(start + 1, end);
  }
}

function unclosed(
  quote: string,
  offset: number,
  found = "end of condition",
): ConditionError {
  return new ConditionError(
    `Expected ${quote} to close the string at offset ${offset}: found ${found}`,
    offset,
    { unbalanced: true },
  );
}
