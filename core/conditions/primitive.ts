/**
 * What a primitive of the rule language is.
 *
 * @module
 */
import type { HttpRequest, HttpResponse } from "../plugin.ts";
import type { IndexKey } from "./index_key.ts";
import type { ArgumentsOf, Parameter } from "./parameter.ts";

/** A compiled condition on a request, or a part of one. */
export type Condition = (request: HttpRequest) => boolean;

/** A compiled condition on a response to a request; one on the request alone is one too. */
export type ResponseCondition = (
  request: HttpRequest,
  response: HttpResponse,
) => boolean;

/** What a condition judges. */
export type Subject = "request" | "response";

/** What is known of the place in the config where a condition stands. */
export interface ConditionPlace {
  /** The `hosts` of the product whose rule it is, in their one spelling; left out elsewhere. */
  readonly hosts?: readonly string[];
}

/** A named test of a request or response, to be made with arguments. */
export interface Primitive {
  readonly name: string;
  /** When it is true, in one line. */
  readonly description: string;
  /** `response`: it has no meaning where there is none yet. */
  readonly subject: Subject;
  /** Undefined for a plugin's, which gets its texts and booleans as they are written and judges them itself. */
  readonly parameters: readonly Parameter<unknown>[] | undefined;
  /** Makes one use of it; throws to refuse the arguments. */
  readonly make: (
    args: readonly unknown[],
    place: ConditionPlace,
  ) => ResponseCondition;
  /** What a request must have for this use to be true: any of these. Undefined where that can't be told by keys. */
  readonly keys: (args: readonly unknown[]) => readonly IndexKey[] | undefined;
}

/** Primitives by name; never changed, so that snapshots can share it. */
export type PrimitiveTable = ReadonlyMap<string, Primitive>;

/** What defines a primitive: `Test` is what it makes. */
interface Definition<P extends readonly Parameter<unknown>[], Test> {
  readonly name: string;
  readonly description: string;
  readonly parameters: P;
  readonly make: (args: ArgumentsOf<P>, place: ConditionPlace) => Test;
  /** By default its uses are not indexed. */
  readonly keys?: (args: ArgumentsOf<P>) => readonly IndexKey[] | undefined;
}

/** A primitive on requests; ties its maker to the parameters that it declares. */
export function definePrimitive<const P extends readonly Parameter<unknown>[]>(
  definition: Definition<P, Condition>,
): Primitive {
  return define("request", definition);
}

/** A primitive on responses. */
export function defineResponsePrimitive<
  const P extends readonly Parameter<unknown>[],
>(definition: Definition<P, ResponseCondition>): Primitive {
  return define("response", definition);
}

function define<P extends readonly Parameter<unknown>[]>(
  subject: Subject,
  { make, keys = () => undefined, ...rest }: Definition<P, ResponseCondition>,
): Primitive {
  return {
    ...rest,
    subject,
    // Whoever calls them has built the arguments by `parameters`.
    make: make as Primitive["make"],
    keys: keys as Primitive["keys"],
  };
}
