import fc from "fast-check";
import {
  didYouMean,
  editDistance,
  nearest,
} from "../../../core/text/suggest.ts";
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
    assert(distance >= Math.abs(a.length - b.length));
  }));
});

const PRIMITIVES = [
  "req_host_in",
  "req_path_in",
  "req_path_prefix_in",
  "default_t",
];
const POINTS = ["accept", "handshake", "readResponse", "readResponseHeader"];

const NEAREST: readonly (readonly [string, string[], string | undefined])[] = [
  // Config keys and values.
  ["header", ["headerBytes", "headers"], "headers"],
  ["keepalive", ["idle", "keepAlive"], "keepAlive"],
  ["warning", ["info", "warn"], "warn"],
  ["colour", ["name", "weight"], undefined],
  // Primitives of the rule language.
  ["req_hots_in", PRIMITIVES, "req_host_in"],
  ["req_path_prefx_in", PRIMITIVES, "req_path_prefix_in"],
  ["defaultt", PRIMITIVES, "default_t"],
  ["default", PRIMITIVES, "default_t"],
  ["req_host", PRIMITIVES, "req_host_in"],
  ["geo", PRIMITIVES, undefined],
  // Callback points.
  ["acept", POINTS, "accept"],
  ["READRESPONSE", POINTS, "readResponse"],
  ["readResponseHeadr", POINTS, "readResponseHeader"],
  ["valves", POINTS, undefined],
  // Too short to begin anything.
  ["x", POINTS, undefined],
  ["ac", POINTS, undefined],
  ["", POINTS, undefined],
  ["anything", [], undefined],
];

for (const [word, candidates, expected] of NEAREST) {
  Deno.test(`nearest of ${JSON.stringify(word)} is ${expected}`, () => {
    assertEquals(nearest(word, candidates), expected);
  });
}

Deno.test("nearest takes the first of equally near ones, and counts a beginning as the most edits", () => {
  assertEquals(nearest("bat", ["cat", "hat"]), "cat");
  assertEquals(nearest("headers", ["headersBytes", "header"]), "header");
});

Deno.test("nearest never answers the word itself", () => {
  assertEquals(nearest("accept", POINTS), undefined);
  assertEquals(nearest("accept", ["accept", "acept"]), "acept");
});

Deno.test("nearest is one of the candidates within a third of the letters, or a beginning", () => {
  const word = fc.string({
    unit: fc.constantFrom("a", "b", "C"),
    maxLength: 9,
  });
  fc.assert(
    fc.property(word, fc.array(word, { maxLength: 5 }), (wrong, words) => {
      const found = nearest(wrong, words);
      const [a, edits] = [
        wrong.toLowerCase(),
        (b: string) => editDistance(a, b.toLowerCase()),
      ];
      const most = Math.max(1, Math.floor(a.length / 3));
      const others = words.filter((other) => other !== wrong);
      if (found === undefined) {
        assert(others.every((other) => edits(other) > most));
      } else {
        const b = found.toLowerCase();
        assert(others.includes(found));
        assert(edits(found) <= most || a.startsWith(b) || b.startsWith(a));
        assert(
          others.every((other) => edits(other) >= Math.min(edits(found), most)),
        );
      }
    }),
  );
});

Deno.test("didYouMean is the end of a message, empty where nothing is near", () => {
  assertEquals(didYouMean("acept", POINTS), '; did you mean "accept"?');
  assertEquals(didYouMean("valves", POINTS), "");
});
