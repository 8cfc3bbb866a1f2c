/**
 * What a primitive of the rule language is.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import type { SafeRegExp } from "./safe_regexp.ts";

/** A compiled condition, or a part of one. */
export type Condition = (request: HttpRequest) => boolean;

/** What a parameter takes, and what becomes of the argument. */
export interface ArgumentOf {
  /** A text of elements with `|` between them: `"a|b|c"`. */
  readonly list: readonly string[];
  readonly string: string;
  readonly boolean: boolean;
  /** A text in RE2's syntax. */
  readonly regexp: SafeRegExp;
}

/** The kind of a parameter. */
export type ParameterKind = keyof ArgumentOf;

/** What a primitive's maker gets for its parameters. */
export type ArgumentsOf<P extends readonly ParameterKind[]> = {
  readonly [I in keyof P]: ArgumentOf[P[I]];
};

/** An argument of any kind. */
export type Argument = ArgumentOf[ParameterKind];

/** A named test of a request, to be made with arguments. */
export interface Primitive {
  readonly name: string;
  /** When it is true, in one line. */
  readonly description: string;
  /** Undefined for a plugin's, which gets its texts and booleans as they are written and judges them itself. */
  readonly parameters: readonly ParameterKind[] | undefined;
  /** Makes one use of it; throws to refuse the arguments. */
  readonly make: (...args: readonly Argument[]) => Condition;
}

/** Primitives by name; never changed, so that snapshots can share it. */
export type PrimitiveTable = ReadonlyMap<string, Primitive>;

/** Ties a maker's parameter types to the kinds that it declares. */
export function definePrimitive<const P extends readonly ParameterKind[]>(
  name: string,
  parameters: P,
  description: string,
  make: (...args: ArgumentsOf<P>) => Condition,
): Primitive {
  return {
    name,
    description,
    parameters,
    // Whoever calls it has built the arguments by `parameters`.
    make: make as unknown as Primitive["make"],
  };
}
