/**
 * The table of primitives: the built-in ones, those of BFE that are known but
 * not there yet, and how plugins add their own.
 *
 * @module
 */
import type { ConditionFactory } from "../plugin.ts";
import type { Argument, Primitive, PrimitiveTable } from "./primitive.ts";
import { pathPrimitives, requestPrimitives } from "./primitives_request.ts";
import { valuePrimitives } from "./primitives_value.ts";

/** Primitives of BFE that a config may name in good faith; they are refused as not supported yet. */
export const UNSUPPORTED_PRIMITIVES: readonly string[] = [
  "bfe_periodic_time_range",
  "bfe_time_range",
  "req_body_json_in",
  "req_body_json_prefix_in",
  "req_cip_hash_in",
  "req_context_value_in",
  "req_host_tag_in",
  "req_proto_match",
  "req_vip_in",
  "req_vip_range",
  "res_code_in",
  "res_header_key_in",
  "res_header_value_in",
  "ses_sip_range",
  "ses_tls_client_auth",
  "ses_tls_client_ca_in",
  "ses_tls_sni_in",
  "ses_vip_range",
];

/** The primitives that Headrace brings. */
export function builtinPrimitives(): PrimitiveTable {
  return new Map(
    [...requestPrimitives(), ...pathPrimitives(), ...valuePrimitives()]
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
  if (table.has(name) || UNSUPPORTED_PRIMITIVES.includes(name)) {
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
    parameters: undefined,
    make: (...args) => {
      const test: unknown = factory(...args.filter(isLiteral));
      if (typeof test !== "function") {
        throw new TypeError(
          `A plugin's primitive must make a function: current value is ${typeof test}`,
        );
      }
      return (request) => {
        try {
          const answer: unknown = test(request);
          // A promise would count as true: a rule that guards would let all in.
          if (typeof answer === "boolean") return answer;
          throw new TypeError(
            `Primitive ${name} must answer true or false: current value is ${typeof answer}`,
          );
        } catch (thrown) {
          throw failure(thrown);
        }
      };
    },
  };
}

function isLiteral(argument: Argument): argument is string | boolean {
  return typeof argument === "string" || typeof argument === "boolean";
}
