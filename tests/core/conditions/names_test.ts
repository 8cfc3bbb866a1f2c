/**
 * Which primitives a condition uses.
 *
 * @module
 */
import { parseCondition } from "../../../core/conditions/parser.ts";
import { builtinPrimitives } from "../../../core/conditions/primitives.ts";
import { TLS_PRIMITIVES } from "../../../core/conditions/primitives_tls.ts";
import { primitivesUsed } from "../../../core/conditions/names.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

Deno.test("primitivesUsed names each primitive once, at any depth, plugins' too", () => {
  const text =
    '!(default_t() && ses_tls_sni_in("a")) || own() && !!default_t()';
  const names = ["default_t", "ses_tls_sni_in", "own"];
  assertEquals(primitivesUsed(text), names);
  assertEquals(primitivesUsed(parseCondition(text)), names);
});

Deno.test("TLS_PRIMITIVES are primitives that there are", () => {
  const primitives = builtinPrimitives(new FakeClock());
  for (const name of TLS_PRIMITIVES) assert(primitives.has(name), name);
});
