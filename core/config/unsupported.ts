/**
 * The keys of parts of Headrace that are still to come: known to the schema,
 * refused when they are used, so that nothing is silently ignored.
 *
 * Whoever builds a part deletes its rows here.
 *
 * @module
 */
import type { Finding, Path } from "./problem.ts";

/** One key that is not supported yet. */
interface UnsupportedKey {
  /** Its path; `[]` stands for each item of a list. */
  readonly path: string;
}

/** The table. */
export const UNSUPPORTED_KEYS: readonly UnsupportedKey[] = [];

/** The keys of the table that the tree uses. */
export function unsupportedFindings(tree: unknown): Finding[] {
  return UNSUPPORTED_KEYS.flatMap((key) =>
    find(tree, key.path)
      .filter(({ value }) => value !== undefined)
      .map(({ path }): Finding => ({
        path,
        at: "key",
        message: "not supported yet",
      }))
  );
}

interface Found {
  readonly path: Path;
  readonly value: unknown;
}

function find(tree: unknown, pattern: string): Found[] {
  let found: Found[] = [{ path: [], value: tree }];
  for (const step of pattern.replaceAll("[]", ".[]").split(".")) {
    found = found.flatMap(({ path, value }): Found[] => {
      if (step === "[]") {
        const items: unknown[] = Array.isArray(value) ? value : [];
        return items.map((item, index) => ({
          path: [...path, index],
          value: item,
        }));
      }
      if (typeof value !== "object" || value === null) return [];
      if (!Object.hasOwn(value, step)) return [];
      const mapping: Readonly<Record<string, unknown>> = { ...value };
      return [{ path: [...path, step], value: mapping[step] }];
    });
  }
  return found;
}
