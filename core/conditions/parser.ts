/**
 * Parses a condition into a tree: what binds how, not what it means.
 *
 *     or      = and *( "||" and )
 *     and     = unary *( "&&" unary )
 *     unary   = "!" unary / "(" or ")" / name "(" [ argument *( "," argument ) ] ")"
 *
 * BFE's shipped grammar lets `||` bind tighter than `&&`, against its own
 * documentation; here `&&` binds tighter, as everywhere else.
 *
 * @module
 */
import { ConditionError } from "./condition_error.ts";
import { Lexer, type Token } from "./lexer.ts";

/** A condition as a tree. `offset` is where it begins in the text. */
export type ConditionNode = CallNode | NotNode | ListNode;

/** A use of a primitive. */
export interface CallNode {
  readonly kind: "call";
  readonly name: string;
  readonly arguments: readonly ArgumentNode[];
  readonly offset: number;
}

/** True where the operand is false. */
export interface NotNode {
  readonly kind: "not";
  readonly operand: ConditionNode;
  readonly offset: number;
}

/**
 * All (`and`) or one (`or`) of at least two operands, tried in order. A list
 * of the same kind among them was in parentheses.
 */
export interface ListNode {
  readonly kind: "and" | "or";
  readonly operands: readonly ConditionNode[];
  readonly offset: number;
}

/** What a primitive is given. */
export interface ArgumentNode {
  readonly value: string | boolean;
  readonly offset: number;
}

/** The longest text, in UTF-16 units. */
export const MAX_CONDITION_LENGTH = 16_384;
/** The most `!` and `(` that may enclose a part. */
export const MAX_CONDITION_DEPTH = 64;

/** Parses a condition; throws a {@linkcode ConditionError}. */
export function parseCondition(text: string): ConditionNode {
  if (text.length > MAX_CONDITION_LENGTH) {
    throw new ConditionError(
      `Cannot parse condition as its length must be <= ${MAX_CONDITION_LENGTH}: current value is ${text.length}`,
      MAX_CONDITION_LENGTH,
    );
  }
  return new Parser(text).parse();
}

class Parser {
  readonly #lexer: Lexer;
  #token: Token;
  #depth = 0;

  constructor(text: string) {
    this.#lexer = new Lexer(text);
    this.#token = this.#lexer.next();
  }

  parse(): ConditionNode {
    const node = this.#list("or");
    if (!this.#sees("end")) {
      throw this.#unexpected("`&&`, `||` or end of condition");
    }
    return node;
  }

  #list(kind: "and" | "or"): ConditionNode {
    const offset = this.#token.offset;
    const operator = kind === "and" ? "&&" : "||";
    const operands: ConditionNode[] = [];
    do {
      if (operands.length > 0) this.#advance();
      operands.push(kind === "and" ? this.#unary() : this.#list("and"));
    } while (this.#sees(operator));
    const [only] = operands;
    return operands.length === 1 && only !== undefined
      ? only
      : { kind, operands, offset };
  }

  #unary(): ConditionNode {
    const token = this.#token;
    if (token.kind === "!") {
      this.#enter();
      const operand = this.#unary();
      this.#depth--;
      return { kind: "not", operand, offset: token.offset };
    }
    if (token.kind === "(") {
      this.#enter();
      const node = this.#list("or");
      this.#close(token.offset, "`&&`, `||` or `)`", "parenthesis");
      this.#depth--;
      return node;
    }
    if (token.kind === "word" && !isBoolean(token.value)) {
      return this.#call(token.value, token.offset);
    }
    throw this.#unexpected("a primitive, `!` or `(`");
  }

  #call(name: string, offset: number): CallNode {
    this.#advance();
    const opened = this.#token.offset;
    if (!this.#sees("(")) {
      throw this.#unexpected(`\`(\` after ${name}`);
    }
    this.#advance();
    const args: ArgumentNode[] = [];
    if (!this.#sees(")")) {
      args.push(this.#argument());
      while (this.#sees(",")) {
        this.#advance();
        args.push(this.#argument());
      }
    }
    this.#close(opened, "`,` or `)`", "arguments");
    return { kind: "call", name, arguments: args, offset };
  }

  #argument(): ArgumentNode {
    const token = this.#token;
    let value: string | boolean;
    if (token.kind === "text") value = token.value;
    else if (token.kind === "word" && isBoolean(token.value)) {
      value = token.value === "true";
    } else {
      throw this.#unexpected('"text", `text`, true or false', true);
    }
    this.#advance();
    return { value, offset: token.offset };
  }

  #enter(): void {
    if (++this.#depth > MAX_CONDITION_DEPTH) {
      throw new ConditionError(
        `Cannot parse condition as its nesting must be <= ${MAX_CONDITION_DEPTH}: exceeded at offset ${this.#token.offset}`,
        this.#token.offset,
      );
    }
    this.#advance();
  }

  /** Passes the `)` that belongs to the `(` at `opened`. */
  #close(opened: number, expected: string, what: string): void {
    if (this.#sees("end")) {
      throw new ConditionError(
        `Expected \`)\` to close the ${what} at offset ${opened}: found end of condition`,
        opened,
        { unbalanced: true },
      );
    }
    if (!this.#sees(")")) throw this.#unexpected(expected);
    this.#advance();
  }

  #sees(kind: Token["kind"]): boolean {
    return this.#token.kind === kind;
  }

  #advance(): void {
    this.#token = this.#lexer.next();
  }

  #unexpected(expected: string, inside = this.#depth > 0): ConditionError {
    const { offset, kind } = this.#token;
    return new ConditionError(
      `Expected ${expected} at offset ${offset}: found ${show(this.#token)}`,
      offset,
      { unbalanced: kind === "end" && inside },
    );
  }
}

function isBoolean(word: string): boolean {
  return word === "true" || word === "false";
}

function show(token: Token): string {
  switch (token.kind) {
    case "end":
      return "end of condition";
    case "text":
      return "a string";
    case "word":
    case "unknown":
      return `\`${token.value}\``;
    default:
      return `\`${token.kind}\``;
  }
}
