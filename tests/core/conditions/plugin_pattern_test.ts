/**
 * Patterns as plugins get them: groups and replacements as the runtime's own,
 * in time that no text can stretch.
 *
 * @module
 */
import fc from "fast-check";
import { compilePattern } from "../../../core/conditions/plugin_pattern.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { runsOf } from "../../support/property.ts";

const ROWS: readonly (readonly [string, string])[] = [
  ["^/old/(.*)$", "/old/a/b"],
  ["(a+)(a*)", "xaaa"],
  ["(a+?)(a*)", "xaaa"],
  ["(a)|(b)", "cb"],
  ["(a|ab)(c|bcd)(d*)", "abcd"],
  ["(?:a|(b))*", "abab"],
  ["(a??)(a)", "aa"],
  ["x*", "aax"],
  ["\\b(\\w)\\w*\\b", "  hello you"],
  ["(é)(🦊)?", "aé🦊"],
  ["(a)?b", "b"],
  ["((a){2}){2}", "aaaaa"],
  ["nothing", "here"],
];

for (const [source, text] of ROWS) {
  Deno.test(`a pattern's groups are the runtime's own: ${source}`, () => {
    const expected = new RegExp(source, "u").exec(text);
    assertEquals(
      compilePattern(source).match(text),
      expected === null ? undefined : [...expected],
    );
  });
}

Deno.test("(?U) swaps greedy and lazy, inside of its group", () => {
  assertEquals(compilePattern("(?U)(a+)").match("aaa"), ["a", "a"]);
  assertEquals(compilePattern("(?U)(a+?)").match("aaa"), ["aaa", "aaa"]);
  assertEquals(compilePattern("(?U:a+)(a+)").match("aaa"), ["aaa", "aa"]);
});

Deno.test("a replacer replaces all matches, empty ones too", () => {
  const rows: readonly (readonly [string, string, string, string])[] = [
    ["^/v1/(.*)$", "/api/$1", "/v1/x", "/api/x"],
    ["o", "[$0]", "foo", "f[o][o]"],
    ["", "-", "a🦊", "-a-🦊-"],
    ["(a)|b", "<$1>", "ab", "<a><>"],
    ["a", "$$1", "a", "$1"],
    ["\\bb", "x", "bb b", "xb x"],
  ];
  for (const [source, replacement, text, expected] of rows) {
    assertEquals(compilePattern(source).replacer(replacement)(text), expected);
  }
});

Deno.test("a replacer for groups that are not there is refused", () => {
  assertThrows(
    () => compilePattern("(a)").replacer("$2"),
    SyntaxError,
    "Cannot use $2 as its pattern has 1 groups",
  );
  assertThrows(() => compilePattern("a").replacer("a$"), SyntaxError);
});

Deno.test("a pattern takes its time by the text's length alone", () => {
  const { match } = compilePattern("((a+)+)+$");
  const text = `${"a".repeat(2_000)}b`;
  const started = performance.now();
  assertEquals(match(text), undefined);
  const replace = compilePattern("(a|a)*?(a*)*b").replacer("");
  assertEquals(replace(text), "");
  assert(performance.now() - started < 2_000);
});

Deno.test("many replacements take no longer, though the text's end decides on each", () => {
  const started = performance.now();
  for (const source of ["a.*b|a", "(a+)[^x]*x|a", "(?:a|aa)+b|a"]) {
    const text = "a".repeat(8_000);
    assertEquals(compilePattern(source).replacer("-")(text), "-".repeat(8_000));
  }
  // 20 s where each match looked through all that is left.
  assert(performance.now() - started < 2_000);
});

/** Patterns over a small alphabet, with groups. */
const patterns = fc.letrec<{ node: string; leaf: string }>((tie) => ({
  leaf: fc.constantFrom("a", "b", "[ab]", ".", "(a)", "\\b", "^", "$"),
  node: fc.oneof(
    { depthSize: "small" },
    tie("leaf"),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => a + b),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => `(${a}|${b})`),
    // V8 forgets a group's text at each repetition, RE2 does not: no groups inside.
    fc.tuple(
      fc.constantFrom("a", "b", "[ab]", "(?:ab|a)", "."),
      fc.constantFrom("*", "+", "?", "*?", "+?", "??", "{1,2}"),
    ).map(([a, count]) => `(${a}${count})`),
  ),
})).node;

Deno.test("matches and replacements agree with the runtime's on random patterns", () => {
  fc.assert(
    fc.property(
      patterns,
      fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 12 }),
      (source, text) => {
        const own = new RegExp(source, "u").exec(text);
        const pattern = compilePattern(source);
        assertEquals(pattern.match(text), own === null ? undefined : [...own]);
        assertEquals(
          pattern.replacer("<$0>")(text),
          text.replaceAll(new RegExp(source, "gu"), "<$&>"),
        );
      },
    ),
    runsOf("patterns with groups", 2_000),
  );
});
