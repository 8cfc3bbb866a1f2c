/**
 * Which primitives a condition uses.
 *
 * @module
 */
import { type ConditionNode, parseCondition } from "./parser.ts";

/**
 * The names of the primitives in a condition, each once, for whoever has to
 * bring the facts that they ask for: with one of `TLS_PRIMITIVES` among them a
 * listener has to run on `node:tls`. Throws a `ConditionError` for a text that
 * does not parse.
 */
export function primitivesUsed(condition: ConditionNode | string): string[] {
  const names = new Set<string>();
  const walk = (node: ConditionNode): void => {
    switch (node.kind) {
      case "call":
        names.add(node.name);
        return;
      case "not":
        walk(node.operand);
        return;
      case "and":
      case "or":
        node.operands.forEach(walk);
    }
  };
  walk(typeof condition === "string" ? parseCondition(condition) : condition);
  return [...names];
}
