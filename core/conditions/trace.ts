/**
 * Why a condition is true or false: what each of its parts answered.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import type { Compiled } from "./compile.ts";
import { printCondition } from "./print.ts";

/** What one part of a condition answered. */
export interface ConditionTrace {
  /** The part as text. */
  readonly text: string;
  /** Undefined where the parts before it had decided already. */
  readonly result: boolean | undefined;
  /** The operands of `!`, `&&` and `||` in their order. */
  readonly parts: readonly ConditionTrace[];
}

/**
 * Asks a condition about a request as its `test` would, each part once and no
 * more of them than needed. Throws what a plugin's primitive throws.
 */
export function traceCondition(
  condition: Compiled,
  request: HttpRequest,
): ConditionTrace {
  const { node, test, parts } = condition;
  if (node.kind === "call") return traced(condition, test(request), []);
  const traces: ConditionTrace[] = [];
  // `&&` is decided by the first part that is false, `||` by one that is true.
  const deciding = node.kind === "or";
  let decided = false;
  for (const part of parts) {
    if (decided) {
      traces.push(unasked(part));
      continue;
    }
    const trace = traceCondition(part, request);
    decided = node.kind !== "not" && trace.result === deciding;
    traces.push(trace);
  }
  return node.kind === "not"
    ? traced(condition, traces[0]?.result === false, traces)
    : traced(condition, decided === deciding, traces);
}

function unasked(condition: Compiled): ConditionTrace {
  return traced(condition, undefined, condition.parts.map(unasked));
}

function traced(
  { node }: Compiled,
  result: boolean | undefined,
  parts: readonly ConditionTrace[],
): ConditionTrace {
  return { text: printCondition(node), result, parts };
}
