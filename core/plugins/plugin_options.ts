/**
 * A plugin's options: checking them, and telling whether they are the same.
 *
 * @module
 */
import type { StandardIssue, StandardResult } from "../plugin.ts";
import type { Plugin } from "../plugin.ts";
import { messageOf, PluginLoadError } from "./plugin_load_error.ts";

/**
 * The options as the plugin's Standard Schema leaves them; as they came where it
 * has none. Throws a {@linkcode PluginLoadError} that lists all problems.
 */
export async function checkOptions(
  plugin: Plugin,
  options: unknown,
  use: string,
): Promise<unknown> {
  if (plugin.options === undefined) return options;
  let result: StandardResult<unknown>;
  try {
    result = await plugin.options["~standard"].validate(options);
  } catch (error) {
    throw new PluginLoadError(
      use,
      "bad_options",
      `the schema of its options threw: ${messageOf(error)}`,
      { cause: error },
    );
  }
  if (result.issues === undefined) return result.value;
  const problems = result.issues.map((issue) =>
    `${pathOf(issue)}: ${issue.message}`
  );
  throw new PluginLoadError(use, "bad_options", problems.join("; "));
}

/** `options.addresses[0]`, as one would write it in code. */
function pathOf(issue: StandardIssue): string {
  let path = "options";
  for (const step of issue.path ?? []) {
    const key = typeof step === "object" ? step.key : step;
    if (typeof key === "string" && /^[A-Za-z_$][\w$]*$/.test(key)) {
      path += `.${key}`;
    } else {
      path += typeof key === "string"
        ? `[${JSON.stringify(key)}]`
        : `[${String(key)}]`;
    }
  }
  return path;
}

/** JSON with the keys in one order: the same text for the same options. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, member) => {
    if (
      typeof member !== "object" || member === null || Array.isArray(member)
    ) {
      return member;
    }
    return Object.fromEntries(
      Object.entries(member).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0),
    );
  }) ?? "undefined";
}
