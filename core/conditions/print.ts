/**
 * Writes a condition's tree as text that parses to the same tree.
 *
 * @module
 */
import type { ConditionNode } from "./parser.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\t": "\\t",
};

/** The condition in its plainest form: one space around operators, parentheses only where needed, quoted strings. */
export function printCondition(node: ConditionNode): string {
  switch (node.kind) {
    case "call": {
      const args = node.arguments.map(({ value }) =>
        typeof value === "string" ? quote(value) : String(value)
      );
      return `${node.name}(${args.join(", ")})`;
    }
    case "not":
      return `!${enclose(node.operand, node.operand.kind !== "call")}`;
    case "and":
      return node.operands.map((operand) =>
        enclose(operand, operand.kind === "and" || operand.kind === "or")
      ).join(" && ");
    case "or":
      return node.operands.map((operand) =>
        enclose(operand, operand.kind === "or")
      ).join(" || ");
  }
}

function enclose(node: ConditionNode, needed: boolean): string {
  const text = printCondition(node);
  // `!!a` needs none: `!` takes whatever binds as tight as itself.
  return needed && node.kind !== "not" ? `(${text})` : text;
}

function quote(value: string): string {
  return `"${value.replace(/["\\\n\t]/g, (char) => ESCAPES[char] ?? char)}"`;
}
