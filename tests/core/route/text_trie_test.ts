/**
 * Keys that a text begins or ends with.
 *
 * @module
 */
import fc from "fast-check";
import { TextTrie } from "../../../core/route/text_trie.ts";
import { assertEquals } from "../../support/assert.ts";

/** The keys found, each with what is left behind (before) it. */
function find(keys: readonly string[], subject: string, backwards: boolean) {
  const trie = new TextTrie<{ key: string }>({ backwards });
  for (const key of keys) trie.at(key, () => ({ key }));
  const found: [string, number][] = [];
  trie.each(subject, found, ({ key }, left, found) => found.push([key, left]));
  return found;
}

Deno.test("TextTrie finds all keys that a text begins with, shortest first", () => {
  const keys = ["/api/v1", "/api/", "/", "", "/apis", "/api/v1/items", "x"];
  assertEquals(find(keys, "/api/v1/", false), [
    ["", 8],
    ["/", 7],
    ["/api/", 3],
    ["/api/v1", 1],
  ]);
  assertEquals(find(keys, "", false), [["", 0]]);
  assertEquals(find(keys, "/apis", false), [["", 5], ["/", 4], ["/apis", 0]]);
});

Deno.test("TextTrie finds all keys that a text ends with", () => {
  const keys = [".js", ".min.js", "s", "a.js"];
  assertEquals(find(keys, "a.min.js", true), [["s", 7], [".js", 5], [
    ".min.js",
    1,
  ]]);
  assertEquals(find(keys, "js", true), [["s", 1]]);
});

Deno.test("TextTrie.at makes one value for a key", () => {
  const trie = new TextTrie<number[]>({ backwards: false });
  for (const [key, n] of [["ab", 1], ["abc", 2], ["ab", 3]] as const) {
    trie.at(key, () => []).push(n);
  }
  const found: number[][] = [];
  trie.each("abc", found, (value, _left, found) => found.push(value));
  assertEquals(found, [[1, 3], [2]]);
});

Deno.test("TextTrie agrees with startsWith and endsWith", () => {
  const text = fc.string({
    unit: fc.constantFrom("a", "b", "🦊"),
    maxLength: 6,
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(text, { maxLength: 20 }),
      text,
      fc.boolean(),
      (keys, subject, backwards) => {
        const expected = keys.filter((key) =>
          backwards ? subject.endsWith(key) : subject.startsWith(key)
        ).sort((a, b) => a.length - b.length)
          .map((key) => [key, subject.length - key.length]);
        assertEquals(find(keys, subject, backwards), expected);
      },
    ),
    { numRuns: 1_000 },
  );
});
