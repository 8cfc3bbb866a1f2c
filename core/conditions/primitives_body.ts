/**
 * Primitives on a JSON body: the request's body is read for them, so that the
 * rules before them are better those that need none.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import { IGNORE_CASE, list, parts, text } from "./parameter.ts";
import { definePrimitive, type Primitive } from "./primitive.ts";
import { matchIn, matchPrefix, type TextMatch } from "./text_match.ts";

/** Those on members of the body. */
export function bodyPrimitives(): readonly Primitive[] {
  return [
    onJson("in", "is", matchIn),
    onJson("prefix_in", "begins with", matchPrefix),
  ];
}

function onJson(suffix: string, does: string, match: TextMatch): Primitive {
  return definePrimitive({
    name: `req_body_json_${suffix}`,
    parameters: [
      text("path", parsePath),
      suffix === "in" ? list("values", String) : parts("values"),
      IGNORE_CASE,
    ],
    description:
      `the text, number or boolean at this place of a JSON body ${does} one of these`,
    make: ([path, values, ignoreCase]) => {
      const test = match(values, ignoreCase);
      return (request) => {
        const value = valueAt(request, path);
        return value !== undefined && test(value);
      };
    },
  });
}

/** `messages.0.role`: names of members and places in arrays; `\.` is a dot in a name. */
function parsePath(path: string): readonly string[] {
  const names = path.match(/(?:[^.\\]|\\.)+|(?<=\.|^)(?=\.|$)/gs) ?? [""];
  if (names.includes("") || /(?<!\\)(?:\\\\)*\\$/.test(path)) {
    throw new RangeError(
      `A path must be names with dots between them: current value is ${
        JSON.stringify(path)
      }`,
    );
  }
  return names.map((name) => name.replace(/\\(.)/gs, "$1"));
}

/** Undefined also for objects, arrays and null. */
function valueAt(
  { body }: HttpRequest,
  path: readonly string[],
): string | undefined {
  let value = body.json();
  for (const name of path) {
    // Text has own members, too: its characters.
    if (typeof value !== "object" || value === null) return undefined;
    if (!Object.hasOwn(value, name)) return undefined;
    if (Array.isArray(value) && !/^\d+$/.test(name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "boolean":
      return String(value);
    default:
      return undefined;
  }
}
