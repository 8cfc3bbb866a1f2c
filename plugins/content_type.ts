/**
 * What kind of body a response has, and rules by it.
 *
 * @module
 */
import { z } from "zod";

/** Media types as options name them: `text/html`, or `text/*` for all of a kind. */
export function mediaTypes() {
  return z.array(z.string().regex(/^[\w.+-]+\/([\w.+-]+|\*)$/));
}

/** A Content-Type's type without parameters, in lower case; empty where there is none. */
export function mediaType(field: string | null): string {
  return (field ?? "").split(";")[0]!.trim().toLowerCase();
}

/** Tells whether a media type is one of these. */
export function typeMatcher(
  types: readonly string[],
): (type: string) => boolean {
  const exact = new Set(types.map((type) => type.toLowerCase()));
  return (type) => exact.has(type) || exact.has(`${type.split("/")[0]}/*`);
}
