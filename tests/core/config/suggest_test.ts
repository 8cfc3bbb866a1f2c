import fc from "fast-check";
import { editDistance, nearest } from "../../../core/config/suggest.ts";
import { assert, assertEquals } from "../../support/assert.ts";

Deno.test("editDistance counts insertions, deletions, replacements and swaps", () => {
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(editDistance("adress", "address"), 1);
  assertEquals(editDistance("weight", "wieght"), 1);
  assertEquals(editDistance("kitten", "sitting"), 3);
});

Deno.test("editDistance is the same both ways and zero only for equals", () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(fc.property(word, word, (a, b) => {
    const distance = editDistance(a, b);
    assertEquals(distance, editDistance(b, a));
    assertEquals(distance === 0, a === b);
    assert(distance <= Math.max(a.length, b.length));
  }));
});

Deno.test("nearest finds a slip of the pen, another case, a beginning", () => {
  assertEquals(nearest("header", ["headerBytes", "headers"]), "headers");
  assertEquals(nearest("keepalive", ["idle", "keepAlive"]), "keepAlive");
  assertEquals(nearest("warning", ["info", "warn"]), "warn");
});

Deno.test("nearest finds nothing where nothing is near", () => {
  assertEquals(nearest("colour", ["name", "weight"]), undefined);
  assertEquals(nearest("x", []), undefined);
});
