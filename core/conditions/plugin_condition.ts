/**
 * Conditions as plugins get them for their options.
 *
 * @module
 */
import { compileNode, compileResponseCondition } from "./compile.ts";
import { primitivesUsed } from "./names.ts";
import { ConditionError } from "./condition_error.ts";
import { type ConditionNode, parseCondition } from "./parser.ts";
import type {
  Condition,
  PrimitiveTable,
  ResponseCondition,
} from "./primitive.ts";
import { bodyPrimitives } from "./primitives_body.ts";
import { TLS_PRIMITIVES } from "./primitives_tls.ts";

/** A compiled condition, and whether it asks for what not every listener's TLS tells. */
export interface PluginCondition<Test> {
  readonly test: Test;
  readonly readsTls: boolean;
}

/** One on requests. Throws a `ConditionError`. */
export function requestCondition(
  text: string,
  primitives: PrimitiveTable,
): PluginCondition<Condition> {
  const node = parseCondition(text);
  refuseBody(node);
  const { test } = compileNode(node, primitives);
  return { test, readsTls: readsTls(node) };
}

/** One on responses to requests. Throws a `ConditionError`. */
export function responseCondition(
  text: string,
  primitives: PrimitiveTable,
): PluginCondition<ResponseCondition> {
  const node = parseCondition(text);
  refuseBody(node);
  const { test } = compileResponseCondition(text, primitives);
  return { test, readsTls: readsTls(node) };
}

function readsTls(node: ConditionNode): boolean {
  return primitivesUsed(node).some((name) => TLS_PRIMITIVES.has(name));
}

/** Bodies are read for the product's rules: what plugins ask comes before that, or behind. */
function refuseBody(node: ConditionNode): void {
  const name = primitivesUsed(node).find((name) => BODY_PRIMITIVES.has(name));
  if (name === undefined) return;
  throw new ConditionError(
    `Cannot use ${name} in a plugin's options: a body is read for the rules of products only`,
    0,
  );
}

const BODY_PRIMITIVES: ReadonlySet<string> = new Set(
  bodyPrimitives().map(({ name }) => name),
);
