/**
 * Runs the schema and tells its issues in the config's own words.
 *
 * @module
 */
import type { z } from "zod";
import type { Config } from "./config.ts";
import { configJsonSchema } from "./json_schema.ts";
import type { Finding, Path } from "./problem.ts";
import { configSchema } from "./schema.ts";
import { nearest } from "../text/suggest.ts";

/** The config, or what the schema has against the tree. */
export type SchemaResult =
  | { readonly config: Config; readonly findings: readonly [] }
  | { readonly config: undefined; readonly findings: readonly Finding[] };

/** Checks types, units and keys, and fills in the defaults. */
export function applySchema(tree: unknown): SchemaResult {
  const result = configSchema.safeParse(tree);
  if (result.success) return { config: result.data, findings: [] };
  const findings = result.error.issues.flatMap((issue) => tell(issue, tree));
  return { config: undefined, findings };
}

function tell(issue: z.core.$ZodIssue, tree: unknown): Finding[] {
  const path = issue.path.map((part) =>
    typeof part === "number" ? part : String(part)
  );
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      at: "key",
      message: "unknown key",
      suggestion: nearest(key, knownKeys(path)),
    }));
  }
  const value = valueAt(tree, path);
  if (value === undefined) return [{ path, message: "is required" }];
  return [{
    path,
    value,
    message: expectation(issue),
    wantsScalar: issue.code === "custom",
    ...suggestionOf(issue),
  }];
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "custom":
      // The parsers speak as errors do, a problem goes on after its path.
      return issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
    case "invalid_type":
      return issue.expected === "array"
        ? "expected a list"
        : "expected a mapping";
    case "too_small":
      return "expected at least one item";
    default:
      return issue.message;
  }
}

function suggestionOf(
  issue: z.core.$ZodIssue,
): { readonly suggestion?: string } {
  if (issue.code !== "custom") return {};
  const suggestion: unknown = issue.params?.suggestion;
  return typeof suggestion === "string" ? { suggestion } : {};
}

/** The value at the path, undefined where there is none. */
function valueAt(tree: unknown, path: Path): unknown {
  let value = tree;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    if (!Object.hasOwn(value, part)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[part];
  }
  return value;
}

/** The keys that the mapping at the path may have. */
function knownKeys(path: Path): string[] {
  let schema = configJsonSchema();
  for (const part of path) {
    schema = typeof part === "number"
      ? valueAt(schema, ["items"])
      : valueAt(schema, ["properties", part]);
  }
  return Object.keys(valueAt(schema, ["properties"]) ?? {});
}
