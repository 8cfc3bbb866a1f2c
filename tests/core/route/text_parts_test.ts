/**
 * Keys that a text contains.
 *
 * @module
 */
import fc from "fast-check";
import { TextParts } from "../../../core/route/text_parts.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

/** The keys found, in the order of their places. */
function find(keys: readonly string[], subject: string): string[] {
  const parts = new TextParts<string>();
  for (const key of keys) parts.at(key, () => key);
  const found: string[] = [];
  parts.each(subject, found, (key, found) => found.push(key));
  return found;
}

Deno.test("TextParts finds all keys that a text contains, at each of their places", () => {
  const keys = ["/admin/", "min", "/ad", "js?", "admin/x"];
  assertEquals(find(keys, "/admin/min.js"), ["/admin/", "/ad", "min", "min"]);
  assertEquals(find(keys, "mi"), []);
  assertEquals(find(keys, ""), []);
});

Deno.test("TextParts.at makes one value for a key", () => {
  const parts = new TextParts<number[]>();
  for (const [key, n] of [["abc", 1], ["abcd", 2], ["abc", 3]] as const) {
    parts.at(key, () => []).push(n);
  }
  const found: number[][] = [];
  parts.each("xabcd", found, (value, found) => found.push(value));
  assertEquals(found, [[1, 3], [2]]);
});

Deno.test("TextParts.at refuses keys that it could not find", () => {
  assertThrows(() => new TextParts().at("ab", () => 1), RangeError, '"ab"');
});

Deno.test("TextParts agrees with includes", () => {
  const text = (minLength: number) =>
    fc.string({
      unit: fc.constantFrom("a", "b", "🦊", "\u{ffff}"),
      minLength,
      maxLength: 8,
    });
  fc.assert(
    fc.property(
      fc.uniqueArray(text(3), { maxLength: 20 }),
      text(0),
      (keys, subject) => {
        assertEquals(
          new Set(find(keys, subject)),
          new Set(keys.filter((key) => subject.includes(key))),
        );
      },
    ),
    { numRuns: 1_000 },
  );
});
