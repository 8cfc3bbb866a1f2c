/**
 * Patterns: RE2's syntax, the same answers as the runtime's own, and time that
 * no subject can stretch.
 *
 * @module
 */
import fc from "fast-check";
import { compileProgram } from "../../../core/conditions/pattern_program.ts";
import { PatternSimulation } from "../../../core/conditions/pattern_simulation.ts";
import { parsePattern } from "../../../core/conditions/pattern_syntax.ts";
import { compileSafe } from "../../../core/conditions/safe_regexp.ts";
import { PatternError } from "../../../core/conditions/pattern_reader.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

/** Pattern, subjects that match, subjects that do not. */
const ROWS:
  readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["", ["", "a"], []],
    ["abc", ["abc", "xabcx"], ["ab", "aBc", ""]],
    ["^abc$", ["abc"], ["abcd", "xabc", "abc\n"]],
    ["a|b|", ["", "x"], []],
    ["^(?:a|bc)$", ["a", "bc"], ["b", "abc"]],
    ["^a*$", ["", "aaa"], ["ab"]],
    ["^a+b?$", ["a", "aab"], ["", "b", "abb"]],
    ["^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]],
    ["^a{2,}$", ["aa", "aaaaa"], ["a"]],
    ["^a{2}$", ["aa"], ["a", "aaa"]],
    ["^a{0}b$", ["b"], ["ab"]],
    ["a{,2}|x{", ["a{,2}", "x{"], ["aa"]],
    ["^a+?b*?$", ["ab"], ["b"]],
    ["^.$", ["a", "é", "🦊", "\r"], ["\n", "", "ab"]],
    ["(?s)^.$", ["\n"], [""]],
    ["(?i)straSSe", ["STRASSE", "strasse"], ["strase"]],
    ["a(?i)b(?-i)c", ["abc", "aBc"], ["Abc", "abC"]],
    ["a(?i:b)c", ["aBc"], ["ABc", "aBC"]],
    ["(?i:a|(?-i)b)c", ["Ac", "bc"], ["Bc", "AC"]],
    ["(?U)^a+$", ["aa"], [""]],
    ["(?P<year>\\d{4})-(?<month>\\d\\d)", ["2024-05"], ["24-05"]],
    ["^[a-c\\d]+$", ["ab1"], ["d", ""]],
    ["^[^a-c]$", ["d", "\n", "🦊"], ["a", ""]],
    ["^[]a]$", ["]", "a"], ["b"]],
    ["^[^]a]$", ["b"], ["]", "a"]],
    ["^[a\\-z-]$", ["-", "a", "z"], ["b"]],
    ["^[-a]$", ["-", "a"], ["b"]],
    ["^[[:digit:][:upper:]]$", ["1", "A"], ["a"]],
    ["^[[:punct:]]+$", ["!/:@[`{~]^_-\\"], ["a", " "]],
    ["^[\\x41\\x{1F98A}\\]^]$", ["A", "🦊", "]", "^"], ["B"]],
    ["^\\x41\\u0042\\t\\n\\0$", ["AB\t\n\0"], ["AB"]],
    ["^\\/a\\-b\\.c\\_\\=$", ["/a-b.c_="], ["/a-bxc_="]],
    ["^\\Qa.b*\\E+$", ["a.b*", "a.b**"], ["a.b", "axb*"]],
    ["^\\Qa\\E\\Q\\E\\Q+", ["a+"], ["aa"]],
    ["\\Aab\\z", ["ab"], ["xab", "abx"]],
    ["\\bfoo\\b", ["foo", "a foo!", "é foo"], ["foox", "_foo"]],
    ["\\Bfoo", ["xfoo"], ["foo", " foo"]],
    ["^\\w\\W\\s\\S\\D$", ["a- bx"], ["a- b1"]],
    ["^\\pL\\p{Greek}\\P{Lu}\\p{^Lu}$", ["aαab"], ["aaab", "aαAb"]],
    ["(^a|b$)+", ["ax", "xb"], ["xax"]],
    ["(a*)*b|(|a)*c|(a*)+d", ["aab", "aac", "aad"], ["aaa"]],
    ["^*a", ["a", "xa"], ["b"]],
    ["a$b|^", [""], []],
    ["a$b", [], ["ab", "a", "a\nb"]],
  ];

for (const [pattern, matching, others] of ROWS) {
  Deno.test(`compileSafe matches as RE2: ${pattern}`, () => {
    const { test } = compileSafe(pattern);
    // Twice: the second round runs on the states that the first has made.
    for (let round = 0; round < 2; round++) {
      for (const text of matching) assert(test(text), JSON.stringify(text));
      for (const text of others) assert(!test(text), JSON.stringify(text));
    }
  });
}

Deno.test("compileSafe ignores case where told so", () => {
  assert(compileSafe("^ÄB[c-e]$", { ignoreCase: true }).test("äbD"));
  assert(!compileSafe("^ab$").test("AB"));
});

/** Pattern, reason, offset. */
const REFUSALS: readonly (readonly [string, string, number])[] = [
  ["(a)\\1", "back references are not supported", 3],
  ["(?<n>a)\\k<n>", "back references are not supported", 7],
  ["(?P<n>a)(?P=n)", "back references are not supported", 8],
  ["a(?=b)", "look-around is not supported", 1],
  ["a(?!b)", "look-around is not supported", 1],
  ["(?<=a)b", "look-around is not supported", 0],
  ["(?<!a)b", "look-around is not supported", 0],
  ["(?>a)", "this kind of group is not supported", 0],
  ["(?#a)", "this kind of group is not supported", 0],
  ["(?m)^a", "the flag m is not supported", 0],
  ["a++", "possessive and doubled quantifiers are not supported", 2],
  ["a**", "possessive and doubled quantifiers are not supported", 2],
  ["a{2}{3}", "possessive and doubled quantifiers are not supported", 4],
  ["*a", "there is nothing to repeat", 0],
  ["(+)", "there is nothing to repeat", 1],
  ["a|{2}", "there is nothing to repeat", 2],
  ["a{3,2}", "its repetition ends before it begins", 1],
  ["a{1001}", "a repetition must be <= 1000", 1],
  ["(a", "its group is not closed", 0],
  ["a)", "it closes a group that was not opened", 1],
  ["a[b", "its class is not closed", 1],
  ["[]", "its class is not closed", 0],
  ["[b-a]", "a range in a class runs backwards or from a set", 1],
  ["[\\d-z]", "a range in a class runs backwards or from a set", 1],
  ["[\\b]", "a class can't hold \\b", 1],
  ["[[:nope:]]", "no class is called [:nope:]", 1],
  ["[:digit:]", "needs brackets of its own: [[:digit:]]", 0],
  ["\\p{Nope}", "no Unicode property is called Nope", 0],
  ["a\\", "it ends in a backslash", 1],
  ["\\Z", "the escape \\Z is not supported", 0],
  ["\\x{110000}", "no character has this number", 0],
];

for (const [pattern, reason, offset] of REFUSALS) {
  Deno.test(`compileSafe refuses ${pattern}`, () => {
    const error = assertThrows(() => compileSafe(pattern), PatternError);
    assertStringIncludes(error.message, `Cannot use pattern as`);
    assertStringIncludes(error.message, reason);
    assertEquals(error.offset, offset);
  });
}

for (
  const pattern of [
    "(a{100}){100}",
    "((((a{9}){9}){9}){9}){9}",
    "((((){1000}){1000}){1000}){1000}",
    "a".repeat(1_001),
  ]
) {
  Deno.test(`compileSafe refuses what is too large: ${pattern.slice(0, 40)}`, () => {
    const error = assertThrows(() => compileSafe(pattern), RangeError);
    assertStringIncludes(error.message, "must be <= 1000 steps");
  });
}

Deno.test("compileSafe refuses deep nesting and takes nested loops", () => {
  const nested = (levels: number) =>
    "(".repeat(levels) + "a" + ")+".repeat(levels);
  assert(compileSafe(nested(100)).test("a"));
  assertThrows(() => compileSafe(nested(101)), PatternError);
});

Deno.test("a pattern looks at the whole of a subject, however long", () => {
  const { test } = compileSafe("attack$");
  const padding = "a".repeat(1 << 20);
  assert(test(`${padding}attack`));
  assert(!test(`attack${padding}`));
});

// Backtracking, each of these would run for minutes to for ever.
for (
  const pattern of [
    "(a+)+$",
    "^(a|a)*$",
    "(a*)*c",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    ".*.*.*.*=",
    "(.*a){20}=",
    "(x+x+)+y|(a?){30}a{30}=",
    "[ab]*a[ab]{12}=",
    "[ab]*a[ab]{900}=",
  ]
) {
  Deno.test(`no subject stretches the time of ${pattern}`, () => {
    const { test } = compileSafe(pattern);
    const subject = `${disorder(8_191)}!`;
    const started = performance.now();
    assert(!test(subject));
    const spent = performance.now() - started;
    assert(spent < 2_000, `${spent} ms`);
  });
}

/** Text of a and b without an order. */
function disorder(length: number): string {
  let seed = 1;
  return Array.from({ length }, () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % 2 === 0 ? "a" : "b";
  }).join("");
}

Deno.test("a pattern with more states than are kept answers as before", () => {
  const { test } = compileSafe("^[ab]*a[ab]{10}$");
  const texts = disorder(12_000).match(/.{60}/g) ?? [];
  for (const text of texts) assertEquals(test(text), text.at(-11) === "a");
});

Deno.test("a pattern with too many states answers right over the time when they are made anew", () => {
  const { test } = compileSafe("^[ab]*a[ab]{20}$");
  const long = disorder(3_000);
  // Some 800,000 characters: states are forgotten every 262,144.
  for (let i = 0; i < 300; i++) {
    const text = long.slice(i);
    assertEquals(test(text), text.at(-21) === "a");
    assertEquals(test(`${text}c`), false);
  }
});

Deno.test("a pattern with more classes of characters than are kept goes on answering right", () => {
  const atoms = Array.from(
    { length: 300 },
    (_, i) =>
      `[\\x{${(1_000 + 7 * i).toString(16)}}-\\x{${
        (3_000 + 9 * i).toString(16)
      }}]`,
  );
  const { test } = compileSafe(`^(?:${atoms.join("|")})+$`);
  for (let code = 900; code < 6_000; code++) {
    const inside = code >= 1_000 && code <= 3_000 + 9 * 299;
    assertEquals(test(String.fromCharCode(code)), inside, `${code}`);
  }
});

/** Patterns that the runtime reads as RE2 does. */
const COMMON_PATTERN = fc.letrec<{ pattern: string }>((tie) => {
  const sub = tie("pattern");
  return {
    pattern: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom(
        ..."abAB",
        "[ab]",
        "[^a]",
        "\\w",
        "\\W",
        "\\d",
        "🦊",
        "é",
        "[à-ü]",
        "^",
        "$",
        "\\b",
        "\\B",
        "",
      ),
      fc.tuple(sub, sub).map(([a, b]) => a + b),
      fc.tuple(sub, sub).map(([a, b]) => `(?:${a}|${b})`),
      fc.tuple(sub, fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "{0,}"))
        .map(([a, count]) => `(?:${a})${count}`),
    ),
  };
}).pattern;

const SUBJECT = fc.string({
  unit: fc.constantFrom(..."abAB1_ -é", "🦊", "\ud83e"),
  maxLength: 8,
});

Deno.test("compileSafe agrees with the runtime's own on random patterns", () => {
  fc.assert(
    fc.property(
      COMMON_PATTERN,
      fc.array(SUBJECT, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      (pattern, subjects, ignoreCase) => {
        const native = new RegExp(pattern, ignoreCase ? "iu" : "u");
        const { test, literals } = compileSafe(pattern, { ignoreCase });
        const { prefix, suffix, part } = literals;
        const simulated = simulation(pattern, ignoreCase);
        for (const subject of subjects) {
          // V8 finds \B between the halves of a surrogate pair, against
          // ECMA-262's AdvanceStringIndex.
          if (pattern.includes("\\B") && subject.includes("🦊")) continue;
          assertEquals(
            test(subject),
            native.test(subject),
            `${pattern} on ${JSON.stringify(subject)}`,
          );
          assertEquals(
            simulated(subject),
            native.test(subject),
            `${pattern} on ${JSON.stringify(subject)}, simulated`,
          );
          assert(
            subject.startsWith(prefix) && subject.endsWith(suffix) &&
                subject.includes(part) || !native.test(subject),
            `${pattern} has ${JSON.stringify(literals)}`,
          );
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

/** A pattern as it is tested where its states are too many. */
function simulation(pattern: string, ignoreCase: boolean) {
  const program = compileProgram(parsePattern(pattern, { ignoreCase }));
  const run = new PatternSimulation(program);
  const start = {
    steps: [0],
    atStart: true,
    afterWord: false,
    anchored: false,
  };
  return (subject: string) =>
    run.test(subject, 0, start, (code) => {
      const char = String.fromCodePoint(code);
      return {
        accepted: Uint8Array.from(program.atoms, (atom) =>
          Number(atom.test(char))),
        word: /^[0-9A-Za-z_]$/.test(char),
      };
    });
}

/** Pattern, what all that it matches begins with, ends with and contains. */
const LITERALS: readonly (readonly [string, string, string, string])[] = [
  ["^/api/v[0-9]+/", "/api/v", "", "/api/v"],
  ["^/a", "/a", "", "/a"],
  ["\\A/a\\.b\\Q.*\\E$", "/a.b.*", "/a.b.*", "/a.b.*"],
  ["^(/a)(?:/b)(?P<n>c)", "/a/bc", "", "/a/bc"],
  ["(^/a)b", "/ab", "", "/ab"],
  ["^🦊é", "🦊é", "", "🦊é"],
  ["/a", "", "", "/a"],
  ["^/a|^/b", "", "", ""],
  ["(^/a|/b)", "", "", ""],
  ["(^/a)?b", "", "", "b"],
  ["(?i)^/a", "", "", ""],
  ["^a(?i)b", "a", "", "a"],
  ["^ab*", "a", "", "a"],
  ["^ab{0}", "a", "", "a"],
  ["^a(b|c)", "a", "", "a"],
  ["^a$", "a", "a", "a"],
  ["/[a-z]+\\.js$", "", ".js", ".js"],
  ["/[a-z]+(\\.js)\\z", "", ".js", ".js"],
  ["a\\bb$c", "", "", "abc"],
  [".js$|.css$", "", "", ""],
  ["[a-z]/admin/[0-9]+/x$", "", "/x", "/admin/"],
  ["one[0-9]two", "", "", "two"],
  ["a+bc?d", "", "", "d"],
  ["^", "", "", ""],
  ["", "", "", ""],
];

for (const [pattern, prefix, suffix, part] of LITERALS) {
  Deno.test(`compileSafe tells what matches of ${pattern} have`, () => {
    assertEquals(compileSafe(pattern).literals, { prefix, suffix, part });
  });
}

Deno.test("compileSafe throws nothing but PatternError and RangeError for garbage", () => {
  const piece = fc.oneof(
    fc.constantFrom(..."()[]{}?*+|^$\\.-,:<>=!PpQE19ab", "(?", "[[:", "\\x{"),
    fc.string({ unit: "binary", maxLength: 2 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const pattern = pieces.join("");
      try {
        compileSafe(pattern).test(pattern);
      } catch (error) {
        const known = error instanceof PatternError ||
          error instanceof RangeError;
        assert(known, `${pattern}: ${error}`);
      }
    }),
    { numRuns: 3_000 },
  );
});
