/**
 * Reads a pattern's text: characters, quantifiers and the escapes that are the
 * same inside and outside of a class.
 *
 * @module
 */

/** Why a pattern was refused. */
export class PatternError extends SyntaxError {
  override readonly name = "PatternError";
  /** Where in the pattern, in UTF-16 units from 0. */
  readonly offset: number;

  constructor(reason: string, offset: number) {
    super(`Cannot use pattern as ${reason}: found at its offset ${offset}`);
    this.offset = offset;
  }
}

/** A counted repetition as written. */
interface Count {
  readonly min: number;
  readonly max: number;
  readonly at: number;
}

const CONTROLS: Readonly<Record<string, number>> = {
  a: 7,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};

/** A cursor over a pattern's text. */
export class PatternReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The cursor's place. */
  get at(): number {
    return this.#at;
  }

  get ended(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Whether `text` follows. */
  sees(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  /** Passes `text` if it follows. */
  accept(text: string): boolean {
    if (!this.sees(text)) return false;
    this.#at += text.length;
    return true;
  }

  /** Passes what the sticky pattern finds here, and returns it; empty for nothing. */
  match(sticky: RegExp): string {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  /** Passes one code point; empty at the end. */
  take(): string {
    return this.match(/[^]/uy);
  }

  /** Passes everything up to and with `end`, or all that is left; returns what came before. */
  until(end: string): string {
    const found = this.#text.indexOf(end, this.#at);
    const stop = found < 0 ? this.#text.length : found;
    const passed = this.#text.slice(this.#at, stop);
    this.#at = found < 0 ? stop : stop + end.length;
    return passed;
  }

  /** Passes a quantifier; a `{` that begins none is a character, as in RE2. */
  quantifier(): Count | undefined {
    const at = this.#at;
    const text = this.match(/[*+?]|\{\d+(?:,\d*)?\}/y);
    switch (text) {
      case "":
        return undefined;
      case "*":
        return { min: 0, max: Infinity, at };
      case "+":
        return { min: 1, max: Infinity, at };
      case "?":
        return { min: 0, max: 1, at };
      default: {
        const [min = "", max = min] = text.slice(1, -1).split(",");
        return {
          min: Number(min),
          max: max === "" ? Infinity : Number(max),
          at,
        };
      }
    }
  }

  /**
   * Passes what follows a backslash at `at`: a code point, or JavaScript syntax
   * for a set of them.
   */
  escape(at: number): number | string {
    const set = this.match(/[dDsSwW]/y);
    if (set !== "") return `\\${set}`;
    const property = this.match(/[pP](?:\{\^?[A-Za-z_=]+\}|[A-Z])/y);
    if (property !== "") return unicodeSet(property, at);
    const hex = this.match(
      /x\{[0-9A-Fa-f]{1,6}\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}/y,
    );
    if (hex !== "") {
      const code = parseInt(hex.replace(/[{}xu]/g, ""), 16);
      if (code <= 0x10ffff) return code;
      throw new PatternError("no character has this number", at);
    }
    const octal = this.match(/0[0-7]{0,2}/y);
    if (octal !== "") return parseInt(octal, 8);
    const control = CONTROLS[this.match(/[afnrtv]/y)];
    if (control !== undefined) return control;
    const literal = this.match(/[!-/:-@[-`{-~ ]/y).codePointAt(0);
    if (literal !== undefined) return literal;
    throw new PatternError(
      this.ended
        ? "it ends in a backslash"
        : `the escape \\${this.take()} is not supported`,
      at,
    );
  }
}

/** RE2 names scripts without `Script=`, and negates inside of the braces. */
function unicodeSet(escape: string, at: number): string {
  const [, inner = ""] = /^.\{?(.*?)\}?$/.exec(escape) ?? [];
  const negated = escape.startsWith("P") !== inner.startsWith("^");
  const name = inner.replace("^", "");
  for (const property of [name, `Script=${name}`]) {
    const source = `\\${negated ? "P" : "p"}{${property}}`;
    try {
      new RegExp(source, "u");
      return source;
    } catch {
      // Not a property of this spelling: the next one, else refused below.
    }
  }
  throw new PatternError(`no Unicode property is called ${name}`, at);
}
