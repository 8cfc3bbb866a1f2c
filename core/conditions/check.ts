/**
 * Checks a condition's text before plugins are there, for messages with a place
 * in the config file.
 *
 * @module
 */
import { systemClock } from "../net/clock.ts";
import { compileNode } from "./compile.ts";
import { ConditionError } from "./condition_error.ts";
import { type ConditionNode, parseCondition } from "./parser.ts";
import type { ConditionPlace, PrimitiveTable } from "./primitive.ts";
import { builtinPrimitives } from "./primitives.ts";

/** What is known of the config that the condition stands in. */
export interface CheckOptions extends ConditionPlace {
  /** It names plugins, which may bring primitives: unknown ones are not judged yet. */
  readonly pluginsMayAdd: boolean;
}

/** Nothing is asked at a check: the clock is never read. */
const PRIMITIVES: PrimitiveTable = builtinPrimitives(systemClock);

/** What is wrong with a condition, undefined for nothing. */
export function checkCondition(
  text: string,
  options: CheckOptions,
): string | undefined {
  try {
    check(parseCondition(text), options);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof ConditionError) return thrown.message;
    throw thrown;
  }
}

function check(node: ConditionNode, options: CheckOptions): void {
  switch (node.kind) {
    case "call": {
      if (PRIMITIVES.has(node.name) || !options.pluginsMayAdd) {
        compileNode(node, PRIMITIVES, options);
      }
      return;
    }
    case "not":
      check(node.operand, options);
      return;
    case "and":
    case "or":
      for (const operand of node.operands) check(operand, options);
  }
}
