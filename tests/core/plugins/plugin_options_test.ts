import { stableJson } from "../../../core/plugins/plugin_options.ts";
import fc from "fast-check";
import { assertEquals } from "../../support/assert.ts";

/** The same value with the keys of its objects in the other order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).reverse().map(([key, v]) => [key, reversed(v)]),
  );
}

Deno.test("stableJson gives the same text whatever the order of keys", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    assertEquals(stableJson(reversed(value)), stableJson(value));
  }));
});

Deno.test("stableJson loses nothing", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    assertEquals(
      JSON.parse(stableJson(value)),
      JSON.parse(JSON.stringify(value)),
    );
  }));
});

Deno.test("stableJson tells no options from null", () => {
  assertEquals(stableJson(undefined) === stableJson(null), false);
});
