/**
 * Conditions as plugins get them for their options.
 *
 * @module
 */
import { compileNode, compileResponseCondition } from "./compile.ts";
import { primitivesUsed } from "./names.ts";
import { parseCondition } from "./parser.ts";
import type {
  Condition,
  PrimitiveTable,
  ResponseCondition,
} from "./primitive.ts";
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
  const { test } = compileNode(node, primitives);
  return { test, readsTls: readsTls(text) };
}

/** One on responses to requests. Throws a `ConditionError`. */
export function responseCondition(
  text: string,
  primitives: PrimitiveTable,
): PluginCondition<ResponseCondition> {
  const { test } = compileResponseCondition(text, primitives);
  return { test, readsTls: readsTls(text) };
}

function readsTls(text: string): boolean {
  return primitivesUsed(text).some((name) => TLS_PRIMITIVES.has(name));
}
