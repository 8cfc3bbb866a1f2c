/**
 * The conditions of the file: the rule language itself is the caller's.
 *
 * @module
 */
import { parsedOr } from "./check_names.ts";
import { parseHostPattern } from "./host_pattern.ts";
import type { Finding } from "./problem.ts";
import { isUnbalanced } from "./quoting.ts";
import { child, entries, root, texts, textsOf } from "./tree.ts";
import type { Entry, TextEntry } from "./tree.ts";

/** What is known of the place where a condition stands. */
export interface ConditionFacts {
  /** Plugins may add primitives. */
  readonly pluginsMayAdd: boolean;
  /** The hosts of the product whose rule it is, as far as they are right; left out elsewhere. */
  readonly hosts?: readonly string[];
}

/** What is wrong with a condition's text, or undefined. */
export type CheckCondition = (
  text: string,
  facts: ConditionFacts,
) => string | undefined;

/** A condition and the hosts of its product. */
interface PlacedCondition extends TextEntry {
  readonly hosts?: readonly string[];
}

/** All conditions of the file. */
function conditionsOf(tree: unknown): PlacedCondition[] {
  const top = root(tree);
  const cache = child(top, "cache");
  return [
    ...entries(top, "products").flatMap((product) => {
      const hosts = hostsOf(product);
      return whens(entries(product, "rules"))
        .map((when) => ({ ...when, hosts }));
    }),
    ...(cache === undefined ? [] : whens(entries(cache, "rules"))),
  ];
}

function whens(rules: readonly Entry[]): TextEntry[] {
  return textsOf(rules, "when").filter(({ value }) => value.trim() !== "");
}

/** Those that are right: the others have findings of their own. */
function hostsOf(product: Entry): readonly string[] {
  return texts(product, "hosts").flatMap(({ value }) =>
    parsedOr(() => parseHostPattern(value)) ?? []
  );
}

/** The conditions that don't parse. */
export function conditionFindings(
  tree: unknown,
  check: CheckCondition = () => undefined,
): Finding[] {
  const pluginsMayAdd = entries(root(tree), "plugins").length > 0;
  return conditionsOf(tree).flatMap(({ hosts, ...condition }) => {
    const facts = { pluginsMayAdd, ...(hosts !== undefined && { hosts }) };
    const message = isUnbalanced(condition.value)
      ? "expected a condition whose quotes and parentheses are closed"
      : check(condition.value, facts);
    return message === undefined ? [] : [{ ...condition, message }];
  });
}
