/**
 * Primitives on a response: for conditions that are asked once there is one.
 *
 * @module
 */
import {
  IGNORE_CASE,
  list,
  parseFieldName,
  parseNumber,
  text,
} from "./parameter.ts";
import { defineResponsePrimitive, type Primitive } from "./primitive.ts";
import { firstValue } from "./request_reading.ts";
import { matchIn } from "./text_match.ts";

/** Those on status and header fields of the response. */
export function responsePrimitives(): readonly Primitive[] {
  return [
    defineResponsePrimitive({
      name: "res_code_in",
      parameters: [
        list("codes", (text) => parseNumber("A status", text, 100, 599)),
      ],
      description: "the response's status is one of these",
      make: ([list]) => {
        const codes = new Set(list);
        return (_request, { status }) => codes.has(status);
      },
    }),
    defineResponsePrimitive({
      name: "res_header_key_in",
      parameters: [list("names", parseFieldName)],
      description: "the response has a header field of one of these names",
      make: ([names]) => (_request, { headers }) => {
        for (const name of names) {
          if (firstValue(headers, name) !== undefined) return true;
        }
        return false;
      },
    }),
    defineResponsePrimitive({
      name: "res_header_value_in",
      parameters: [
        text("name", parseFieldName),
        list("values", String),
        IGNORE_CASE,
      ],
      description:
        "the first header field of this name in the response is one of these",
      make: ([name, values, ignoreCase]) => {
        const test = matchIn(values, ignoreCase);
        return (_request, { headers }) => {
          const value = firstValue(headers, name);
          return value !== undefined && test(value);
        };
      },
    }),
  ];
}
