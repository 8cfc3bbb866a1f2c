/**
 * Compiles conditions to closures, once at load.
 *
 * @module
 */
import { nearest } from "../text/suggest.ts";
import { ConditionError } from "./condition_error.ts";
import type { IndexKey } from "./index_key.ts";
import type { Parameter } from "./parameter.ts";
import {
  type ArgumentNode,
  type CallNode,
  type ConditionNode,
  parseCondition,
} from "./parser.ts";
import type {
  Condition,
  ConditionPlace,
  Primitive,
  PrimitiveTable,
  ResponseCondition,
  Subject,
} from "./primitive.ts";

/** A condition with its tree, for whoever indexes or explains rules. */
export interface Compiled<Test = Condition> {
  readonly node: ConditionNode;
  readonly test: Test;
  /** The operands of `!`, `&&` and `||` in their order. */
  readonly parts: readonly Compiled<Test>[];
  /** A request with none of these keys makes it false; undefined where keys don't tell. */
  readonly keys: readonly IndexKey[] | undefined;
  /** Whether a plugin's code runs in it, which may throw and change the request. */
  readonly foreign: boolean;
}

/**
 * Parses and compiles a condition on a request. Throws a
 * {@linkcode ConditionError} for a syntax error, an unknown primitive or one on
 * responses, arguments that don't fit, a bad pattern.
 */
export function compileCondition(
  text: string,
  primitives: PrimitiveTable,
  place: ConditionPlace = {},
): Compiled {
  return compileNode(parseCondition(text), primitives, place);
}

/** Compiles a parsed condition on a request; errors as {@linkcode compileCondition}. */
export function compileNode(
  node: ConditionNode,
  primitives: PrimitiveTable,
  place: ConditionPlace = {},
): Compiled {
  // None of its primitives is one on responses: it never looks for one.
  return compile(node, { primitives, place, subject: "request" }) as Compiled;
}

/**
 * The same for a condition on a response, which may ask for its request too.
 * Compiled parts of it are asked with both.
 */
export function compileResponseCondition(
  text: string,
  primitives: PrimitiveTable,
): Compiled<ResponseCondition> {
  const context: Context = { primitives, place: {}, subject: "response" };
  return compile(parseCondition(text), context);
}

interface Context {
  readonly primitives: PrimitiveTable;
  readonly place: ConditionPlace;
  readonly subject: Subject;
}

function compile(
  node: ConditionNode,
  context: Context,
): Compiled<ResponseCondition> {
  if (node.kind === "call") return compileCall(node, context);
  const parts = (node.kind === "not" ? [node.operand] : node.operands)
    .map((operand) => compile(operand, context));
  const tests = parts.map(({ test }) => test);
  return {
    node,
    test: COMBINE[node.kind](tests),
    parts,
    keys: undefined,
    foreign: parts.some(({ foreign }) => foreign),
  };
}

const COMBINE = {
  not:
    ([test]: readonly ResponseCondition[]): ResponseCondition =>
    (request, response) => !test!(request, response),
  and: all,
  or: some,
};

function all(tests: readonly ResponseCondition[]): ResponseCondition {
  const [first, second] = tests;
  if (tests.length === 2 && first && second) {
    return (request, response) =>
      first(request, response) && second(request, response);
  }
  return (request, response) => {
    for (let i = 0; i < tests.length; i++) {
      if (!tests[i]!(request, response)) return false;
    }
    return true;
  };
}

function some(tests: readonly ResponseCondition[]): ResponseCondition {
  const [first, second] = tests;
  if (tests.length === 2 && first && second) {
    return (request, response) =>
      first(request, response) || second(request, response);
  }
  return (request, response) => {
    for (let i = 0; i < tests.length; i++) {
      if (tests[i]!(request, response)) return true;
    }
    return false;
  };
}

function compileCall(
  node: CallNode,
  context: Context,
): Compiled<ResponseCondition> {
  const primitive = context.primitives.get(node.name);
  if (primitive === undefined) {
    throw unknownPrimitive(node, context.primitives);
  }
  if (primitive.subject === "response" && context.subject === "request") {
    throw unusable(
      node,
      "there is no response yet when this condition is asked",
    );
  }
  const args = convertAll(node, primitive);
  try {
    return {
      node,
      test: primitive.make(args, context.place),
      parts: [],
      keys: primitive.keys(args),
      foreign: primitive.parameters === undefined,
    };
  } catch (error) {
    throw unusable(node, reasonOf(error), { cause: error });
  }
}

function unusable(
  { name, offset }: CallNode,
  reason: string,
  options?: { readonly cause: unknown },
): ConditionError {
  const message = `Cannot use ${name} at offset ${offset}: ${reason}`;
  return new ConditionError(message, offset, options);
}

function unknownPrimitive(
  node: CallNode,
  primitives: PrimitiveTable,
): ConditionError {
  const { name, offset } = node;
  const meant = nearest(name, primitives.keys());
  return new ConditionError(
    `Expected the name of a primitive at offset ${offset}: found \`${name}\`` +
      (meant === undefined ? "" : ` (did you mean \`${meant}\`?)`),
    offset,
  );
}

function convertAll(
  node: CallNode,
  { parameters }: Primitive,
): readonly unknown[] {
  if (parameters === undefined) return node.arguments.map(({ value }) => value);
  if (parameters.length !== node.arguments.length) {
    throw new ConditionError(
      `Expected ${node.name}(${
        parameters.map(({ form }) => form).join(", ")
      }) at offset ${node.offset}: found ${
        count(node.arguments.length, "argument")
      }`,
      node.offset,
    );
  }
  return parameters.map((parameter, i) =>
    convert(node.arguments[i]!, parameter, `argument ${i + 1} of ${node.name}`)
  );
}

function convert<T>(
  { value, offset }: ArgumentNode,
  { form, convert }: Parameter<T>,
  which: string,
): T {
  if ((typeof value === "boolean") !== (form === "boolean")) {
    throw new ConditionError(
      `Expected ${
        form === "boolean" ? "true or false" : "a string"
      } as ${which} at offset ${offset}: found ${JSON.stringify(value)}`,
      offset,
    );
  }
  try {
    return convert(value);
  } catch (error) {
    throw new ConditionError(
      `${reasonOf(error)} (${which} at offset ${offset})`,
      offset,
      { cause: error },
    );
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
