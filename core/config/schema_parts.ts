/**
 * How the schemas are put together: mappings, lists and keys that are required,
 * optional or have a default, each with its description for editors.
 *
 * @module
 */
import { z } from "zod";
import { parsedOr } from "./check_names.ts";
import { parseHostPattern } from "./host_pattern.ts";
import type { JsonSchema, Scalar } from "./scalars.ts";
import { ValueError } from "./value_error.ts";

/** Schemas by key. */
type Shape = Readonly<Record<string, z.ZodType>>;

/** A scalar that must be there. */
export function required<T>(scalar: Scalar<T>): z.ZodType<T> {
  return z.unknown().meta(metaOf(scalar)).transform((value, context) =>
    parseScalar(scalar, value, context)
  );
}

/** A scalar that may be left out. */
export function optional<T>(scalar: Scalar<T>): z.ZodType<T | undefined> {
  return z.unknown().optional().meta(metaOf(scalar)).transform((
    value,
    context,
  ) => value === undefined ? undefined : parseScalar(scalar, value, context));
}

/** A scalar that may be left out; the default is given as the file would have it. */
export function withDefault<T>(
  value: string | number | boolean,
  scalar: Scalar<T>,
): z.ZodType<T> {
  return required(scalar).prefault(value);
}

/** A mapping with exactly these keys. */
export function mapping<S extends Shape>(description: string, shape: S) {
  return z.strictObject(shape).meta({ description });
}

/** A mapping with exactly these keys, all of which may be left out. */
export function mappingOfDefaults<S extends Shape>(
  description: string,
  shape: S,
) {
  // What prefault takes is typed by the shape; that {} fits is the caller's duty.
  return z.strictObject(shape).meta({ description }).prefault(() =>
    ({}) as never
  );
}

/** A mapping, list or whatever else that may be left out. */
export function maybe<T>(schema: z.ZodType<T>): z.ZodType<T | undefined> {
  return schema.optional().transform((value) => value);
}

/** A list that must be there, and hold something unless `min` is 0. */
export function list<T>(
  description: string,
  item: z.ZodType<T>,
  { min = 1 }: { readonly min?: 0 | 1 } = {},
): z.ZodType<T[]> {
  return z.array(item).min(min).meta({ description });
}

/** A list that may be left out, or empty; the default is given as the file would have it. */
export function listWithDefault<T>(
  value: readonly (string | number)[],
  description: string,
  item: z.ZodType<T>,
): z.ZodType<T[]> {
  // What prefault takes is typed by the item's input, which is unknown here.
  return z.array(item).meta({ description }).prefault(() =>
    [...value] as never
  );
}

/** A mapping by host or `*.domain`, which come out in their normal form; keys that are neither are the relations' to refuse. */
export function recordByHost<T>(
  description: string,
  value: z.ZodType<T>,
): z.ZodType<Record<string, T>> {
  return z.record(z.string(), value).meta({ description }).transform((record) =>
    Object.fromEntries(
      Object.entries(record).map(([key, item]) => [
        parsedOr(() => parseHostPattern(key)) ?? key,
        item,
      ]),
    )
  );
}

/** Anything; not looked into. */
export function anything(description: string): z.ZodType<unknown> {
  return z.unknown().optional().meta({ description }).transform((value) =>
    value
  );
}

function metaOf<T>(scalar: Scalar<T>): JsonSchema {
  return { description: scalar.description, ...scalar.json };
}

function parseScalar<T>(
  scalar: Scalar<T>,
  value: unknown,
  context: z.core.$RefinementCtx,
): T {
  try {
    return scalar.parse(value);
  } catch (error) {
    if (!(error instanceof ValueError || error instanceof SyntaxError)) {
      throw error;
    }
    const suggestion = error instanceof ValueError
      ? error.suggestion
      : undefined;
    context.issues.push({
      code: "custom",
      message: error.message,
      input: value,
      params: { suggestion },
    });
    return z.NEVER;
  }
}
