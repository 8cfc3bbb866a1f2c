/**
 * The conditions of the file: the rule language itself is the caller's.
 *
 * @module
 */
import type { Finding } from "./problem.ts";
import { isUnbalanced } from "./quoting.ts";
import { child, entries, root, textsOf } from "./tree.ts";
import type { TextEntry } from "./tree.ts";

/** What is wrong with a condition's text, or undefined; plugins may add primitives. */
export type CheckCondition = (
  text: string,
  facts: { readonly pluginsMayAdd: boolean },
) => string | undefined;

/** All conditions of the file. */
function conditionsOf(tree: unknown): TextEntry[] {
  const top = root(tree);
  const cache = child(top, "cache");
  const rules = [
    ...entries(top, "products").flatMap((product) => entries(product, "rules")),
    ...(cache === undefined ? [] : entries(cache, "rules")),
  ];
  return textsOf(rules, "when").filter(({ value }) => value.trim() !== "");
}

/** The conditions that don't parse. */
export function conditionFindings(
  tree: unknown,
  check: CheckCondition = () => undefined,
): Finding[] {
  const pluginsMayAdd = entries(root(tree), "plugins").length > 0;
  return conditionsOf(tree).flatMap((condition) => {
    const message = isUnbalanced(condition.value)
      ? "expected a condition whose quotes and parentheses are closed"
      : check(condition.value, { pluginsMayAdd });
    return message === undefined ? [] : [{ ...condition, message }];
  });
}
