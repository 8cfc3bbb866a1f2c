/**
 * Compiles conditions to closures, once at load.
 *
 * @module
 */
import { nearest } from "../text/suggest.ts";
import { ConditionError } from "./condition_error.ts";
import {
  type ArgumentNode,
  type CallNode,
  type ConditionNode,
  parseCondition,
} from "./parser.ts";
import type {
  Argument,
  Condition,
  ParameterKind,
  Primitive,
  PrimitiveTable,
} from "./primitive.ts";
import { UNSUPPORTED_PRIMITIVES } from "./primitives.ts";
import { compileSafe } from "./safe_regexp.ts";

/** A condition with its tree, for whoever indexes or explains rules. */
export interface Compiled {
  readonly node: ConditionNode;
  readonly test: Condition;
}

/**
 * Parses and compiles a condition. Throws a {@linkcode ConditionError} for a
 * syntax error, an unknown primitive, arguments that don't fit, a bad pattern.
 */
export function compileCondition(
  text: string,
  primitives: PrimitiveTable,
): Condition {
  return compileNode(parseCondition(text), primitives).test;
}

/** Compiles a parsed condition; errors as {@linkcode compileCondition}. */
export function compileNode(
  node: ConditionNode,
  primitives: PrimitiveTable,
): Compiled {
  return { node, test: compile(node, primitives) };
}

function compile(node: ConditionNode, primitives: PrimitiveTable): Condition {
  switch (node.kind) {
    case "call":
      return compileCall(node, primitives);
    case "not": {
      const test = compile(node.operand, primitives);
      return (request) => !test(request);
    }
    case "and":
      return all(node.operands.map((operand) => compile(operand, primitives)));
    case "or":
      return some(node.operands.map((operand) => compile(operand, primitives)));
  }
}

function all(tests: readonly Condition[]): Condition {
  const [first, second] = tests;
  if (tests.length === 2 && first && second) {
    return (request) => first(request) && second(request);
  }
  return (request) => {
    for (let i = 0; i < tests.length; i++) {
      if (!tests[i]?.(request)) return false;
    }
    return true;
  };
}

function some(tests: readonly Condition[]): Condition {
  const [first, second] = tests;
  if (tests.length === 2 && first && second) {
    return (request) => first(request) || second(request);
  }
  return (request) => {
    for (let i = 0; i < tests.length; i++) {
      if (tests[i]?.(request)) return true;
    }
    return false;
  };
}

function compileCall(node: CallNode, primitives: PrimitiveTable): Condition {
  const primitive = primitives.get(node.name);
  if (primitive === undefined) throw unknownPrimitive(node, primitives);
  const args = convertAll(node, primitive);
  try {
    return primitive.make(...args);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConditionError(
      `Cannot use ${node.name} at offset ${node.offset}: ${reason}`,
      node.offset,
      { cause: error },
    );
  }
}

function unknownPrimitive(
  { name, offset }: CallNode,
  primitives: PrimitiveTable,
): ConditionError {
  if (UNSUPPORTED_PRIMITIVES.includes(name)) {
    return new ConditionError(
      `Cannot use ${name} at offset ${offset}: this primitive is not supported yet`,
      offset,
    );
  }
  const meant = nearest(name, primitives.keys());
  return new ConditionError(
    `Expected the name of a primitive at offset ${offset}: found \`${name}\`` +
      (meant === undefined ? "" : ` (did you mean \`${meant}\`?)`),
    offset,
  );
}

function convertAll(node: CallNode, primitive: Primitive): readonly Argument[] {
  const { parameters } = primitive;
  if (parameters === undefined) return node.arguments.map(({ value }) => value);
  if (parameters.length !== node.arguments.length) {
    throw new ConditionError(
      `Expected ${node.name}(${
        parameters.join(", ")
      }) at offset ${node.offset}: found ${
        count(node.arguments.length, "argument")
      }`,
      node.offset,
    );
  }
  return node.arguments.map((argument, i) =>
    convert(argument, parameters[i] ?? "string", `${i + 1} of ${node.name}`)
  );
}

function convert(
  { value, offset }: ArgumentNode,
  kind: ParameterKind,
  place: string,
): Argument {
  if (typeof value === "boolean" || kind === "boolean") {
    if (typeof value === "boolean" && kind === "boolean") return value;
    throw new ConditionError(
      `Expected ${
        kind === "boolean" ? "true or false" : "a string"
      } as argument ${place} at offset ${offset}: found ${
        JSON.stringify(value)
      }`,
      offset,
    );
  }
  switch (kind) {
    case "list":
      return value.split("|");
    case "string":
      return value;
    case "regexp":
      return convertPattern(value, offset, place);
  }
}

function convertPattern(value: string, offset: number, place: string) {
  try {
    return compileSafe(value);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) {
      throw error;
    }
    throw new ConditionError(
      `${error.message} (argument ${place} at offset ${offset})`,
      offset,
      { cause: error },
    );
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
