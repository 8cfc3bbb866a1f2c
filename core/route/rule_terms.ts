/**
 * What a request must have for a rule to match, as far as keys of an index
 * can tell.
 *
 * @module
 */
import type { Compiled } from "../conditions/compile.ts";
import type { IndexKey } from "../conditions/index_key.ts";

/** Keys of one dimension, of which a request must have one. */
export type KeyChoice = readonly IndexKey[];

/** One way to match: of every choice the request must have a key. No choice: nothing is asked. */
export type Term = readonly KeyChoice[];

/** More ways to match are not told apart. */
const MAX_TERMS = 16;

/** Nothing is known of a rule: every request may match. */
const ANY: readonly Term[] = [[]];

/**
 * The ways in which a condition may be true: a request that fits none of them
 * makes it false, and no plugin's code would have run for that. That counts,
 * as such code may throw: the index must not skip what a walk would meet.
 */
export function termsOf(condition: Compiled | null): readonly Term[] {
  return condition === null ? ANY : analyse(condition);
}

function analyse(condition: Compiled): readonly Term[] {
  switch (condition.node.kind) {
    case "call":
      return condition.keys === undefined
        ? ANY
        : byDimension(condition.keys).map((choice) => [choice]);
    case "not":
      return ANY;
    case "and":
      return analyseAnd(condition.parts);
    case "or":
      return analyseOr(condition.parts);
  }
}

function analyseAnd(parts: readonly Compiled[]): readonly Term[] {
  let terms = ANY;
  for (const part of parts) {
    const more = analyse(part);
    if (terms.length * more.length <= MAX_TERMS) {
      terms = terms.flatMap((term) => more.map((one) => [...term, ...one]));
    }
    // What stands behind a plugin's code can't keep it from running.
    if (part.foreign) break;
  }
  return terms;
}

function analyseOr(parts: readonly Compiled[]): readonly Term[] {
  const terms = parts.flatMap(analyse);
  if (terms.some((term) => term.length === 0)) return ANY;
  // Ways that ask for one key each are one way with a choice of keys.
  const [simple, others] = [
    terms.filter((term) => term.length === 1).flat(2),
    terms.filter((term) => term.length > 1),
  ];
  const merged = [
    ...byDimension(simple).map((choice): Term => [choice]),
    ...others,
  ];
  return merged.length <= MAX_TERMS ? merged : ANY;
}

function byDimension(keys: readonly IndexKey[]): readonly KeyChoice[] {
  return [...Map.groupBy(keys, ({ dimension }) => dimension.name).values()];
}
