/**
 * The table of primitives: the built-in ones, and how plugins add their own.
 *
 * @module
 */
import { BodyWanted } from "../errors.ts";
import type { Clock, ConditionFactory, HttpRequest } from "../plugin.ts";
import type { Primitive, PrimitiveTable } from "./primitive.ts";
import { bodyPrimitives } from "./primitives_body.ts";
import { hostPrimitives } from "./primitives_host.ts";
import { pathPrimitives } from "./primitives_path.ts";
import { requestPrimitives } from "./primitives_request.ts";
import { responsePrimitives } from "./primitives_response.ts";
import { sessionPrimitives } from "./primitives_session.ts";
import { timePrimitives } from "./primitives_time.ts";
import { tlsPrimitives } from "./primitives_tls.ts";
import { valuePrimitives } from "./primitives_value.ts";

/** Primitives of one kind. */
export interface PrimitiveGroup {
  /** What they are about. */
  readonly title: string;
  readonly primitives: readonly Primitive[];
}

/** The primitives that Headrace brings, kind by kind; `clock` is what those on time go by. */
export function primitiveGroups(
  clock: Pick<Clock, "wall">,
): readonly PrimitiveGroup[] {
  return [
    { title: "Host and port", primitives: hostPrimitives() },
    { title: "Path and target", primitives: pathPrimitives() },
    {
      title: "Method, protocol, client, tags, context",
      primitives: requestPrimitives(),
    },
    { title: "Query, cookies, header fields", primitives: valuePrimitives() },
    { title: "JSON body", primitives: bodyPrimitives() },
    { title: "Connection", primitives: sessionPrimitives() },
    { title: "TLS", primitives: tlsPrimitives() },
    { title: "Time", primitives: timePrimitives(clock) },
    { title: "Response", primitives: responsePrimitives() },
  ];
}

/** The same by name. */
export function builtinPrimitives(
  clock: Pick<Clock, "wall">,
): PrimitiveTable {
  return new Map(
    primitiveGroups(clock)
      .flatMap(({ primitives }) => primitives)
      .map((primitive) => [primitive.name, primitive]),
  );
}

/**
 * A new table with one primitive more, as a plugin offers it. What its tests
 * throw, and that they answer no boolean, is thrown as `failure` makes it.
 * Throws a `RangeError` for a name that exists or is none.
 */
export function extendPrimitives(
  table: PrimitiveTable,
  name: string,
  factory: ConditionFactory,
  failure: (thrown: unknown) => unknown = (thrown) => thrown,
): PrimitiveTable {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || /^(true|false)$/.test(name)) {
    throw new RangeError(
      `Cannot add primitive as its name must be letters, digits and _: current value is ${
        JSON.stringify(name)
      }`,
    );
  }
  if (table.has(name)) {
    throw new RangeError(
      `Cannot add primitive as its name is taken: current value is ${name}`,
    );
  }
  return new Map(table).set(name, pluginPrimitive(name, factory, failure));
}

function pluginPrimitive(
  name: string,
  factory: ConditionFactory,
  failure: (thrown: unknown) => unknown,
): Primitive {
  return {
    name,
    description: "a plugin's",
    subject: "request",
    parameters: undefined,
    keys: () => undefined,
    make: (args) => {
      const test: unknown = factory(...args.filter(isLiteral));
      if (typeof test !== "function") {
        throw new TypeError(
          `A plugin's primitive must make a function: current value is ${typeof test}`,
        );
      }
      return (request: HttpRequest) => {
        try {
          const answer: unknown = test(request);
          // A promise would count as true: a rule that guards would let all in.
          if (typeof answer === "boolean") return answer;
          throw new TypeError(
            `Primitive ${name} must answer true or false: current value is ${typeof answer}`,
          );
        } catch (thrown) {
          // It asks for the body: once that is there it is asked again.
          if (thrown instanceof BodyWanted) throw thrown;
          throw failure(thrown);
        }
      };
    },
  };
}

function isLiteral(argument: unknown): argument is string | boolean {
  return typeof argument === "string" || typeof argument === "boolean";
}
