/**
 * Looks into a config that may be wrong anywhere: what is not there, or is not
 * what it should be, is just left out.
 *
 * The relations between parts are checked on this and not on the schema's
 * output, which exists only where nothing else is wrong: so that all problems
 * come in one report.
 *
 * @module
 */
import type { Path } from "./problem.ts";

/** A mapping of the file, and where it stands. */
export interface Entry {
  readonly path: Path;
  readonly value: Readonly<Record<string, unknown>>;
}

/** A text of the file, and where it stands. */
export interface TextEntry {
  readonly path: Path;
  readonly value: string;
}

/** The file's root. */
export function root(tree: unknown): Entry {
  return { path: [], value: isMapping(tree) ? tree : {} };
}

/** The mapping under the key. */
export function child(entry: Entry, key: string): Entry | undefined {
  const value = entry.value[key];
  return isMapping(value) ? { path: [...entry.path, key], value } : undefined;
}

/** The mappings in the list under the key. */
export function entries(entry: Entry, key: string): Entry[] {
  return items(entry, key).flatMap(({ path, value }) =>
    isMapping(value) ? [{ path, value }] : []
  );
}

/** The texts in the list under the key. */
export function texts(entry: Entry, key: string): TextEntry[] {
  return items(entry, key).flatMap(({ path, value }) =>
    typeof value === "string" ? [{ path, value }] : []
  );
}

/** The text under the key. */
export function textAt(entry: Entry, key: string): TextEntry | undefined {
  const value = entry.value[key];
  return typeof value === "string"
    ? { path: [...entry.path, key], value }
    : undefined;
}

/** Whether the key is there, whatever it holds. */
export function has(entry: Entry, key: string): boolean {
  return Object.hasOwn(entry.value, key);
}

/** All of one list's texts under the key, one for each mapping that has it. */
export function textsOf(all: readonly Entry[], key: string): TextEntry[] {
  return all.flatMap((entry) => textAt(entry, key) ?? []);
}

function items(
  entry: Entry,
  key: string,
): { readonly path: Path; readonly value: unknown }[] {
  const list: unknown = entry.value[key];
  return Array.isArray(list)
    ? list.map((value: unknown, index) => ({
      path: [...entry.path, key, index],
      value,
    }))
    : [];
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null &&
    Object.getPrototypeOf(value) === Object.prototype;
}
