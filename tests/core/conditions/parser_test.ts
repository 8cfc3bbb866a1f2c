/**
 * The rule language's syntax: what binds how, and what an error says.
 *
 * @module
 */
import fc from "fast-check";
import { ConditionError } from "../../../core/conditions/condition_error.ts";
import {
  type ConditionNode,
  MAX_CONDITION_DEPTH,
  MAX_CONDITION_LENGTH,
  parseCondition,
} from "../../../core/conditions/parser.ts";
import { printCondition } from "../../../core/conditions/print.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

function refusal(text: string): ConditionError {
  return assertThrows(() => parseCondition(text), ConditionError);
}

/** The tree without places, which differ between two ways to write the same. */
function shape(node: ConditionNode): unknown {
  switch (node.kind) {
    case "call":
      return [node.name, ...node.arguments.map(({ value }) => value)];
    case "not":
      return { not: shape(node.operand) };
    default:
      return { [node.kind]: node.operands.map(shape) };
  }
}

const PRECEDENCE: readonly (readonly [string, unknown])[] = [
  ["a()", ["a"]],
  ["((a()))", ["a"]],
  ["a() && b() && c()", { and: [["a"], ["b"], ["c"]] }],
  ["a() || b() || c()", { or: [["a"], ["b"], ["c"]] }],
  ["a() || b() && c()", { or: [["a"], { and: [["b"], ["c"]] }] }],
  ["a() && b() || c()", { or: [{ and: [["a"], ["b"]] }, ["c"]] }],
  ["(a() || b()) && c()", { and: [{ or: [["a"], ["b"]] }, ["c"]] }],
  ["!a() || b()", { or: [{ not: ["a"] }, ["b"]] }],
  ["!a() && b()", { and: [{ not: ["a"] }, ["b"]] }],
  ["!(a() && b())", { not: { and: [["a"], ["b"]] } }],
  ["!!a()", { not: { not: ["a"] } }],
  ["a() && (b() && c())", { and: [["a"], { and: [["b"], ["c"]] }] }],
  ["a()&&b()||!c()", { or: [{ and: [["a"], ["b"]] }, { not: ["c"] }] }],
];

for (const [text, tree] of PRECEDENCE) {
  Deno.test(`parseCondition binds as usual: ${text}`, () => {
    assertEquals(shape(parseCondition(text)), tree);
  });
}

Deno.test("parseCondition reads strings, raw strings and booleans", () => {
  const text = 'a("x|y", `\\d+"`, true, false, "\\"\\\\\\n\\t", ``)';
  assertEquals(shape(parseCondition(text)), [
    "a",
    "x|y",
    '\\d+"',
    true,
    false,
    '"\\\n\t',
    "",
  ]);
});

Deno.test("parseCondition takes white space and line breaks between tokens", () => {
  const text = ' a ( "x" ,\n\ttrue )\r\n  &&\n!\tb( ) ';
  assertEquals(shape(parseCondition(text)), {
    and: [["a", "x", true], { not: ["b"] }],
  });
});

Deno.test("parseCondition tells where each node begins", () => {
  const node = parseCondition(' a("x") && !b()');
  assert(node.kind === "and");
  assertEquals(node.offset, 1);
  assertEquals(node.operands.map(({ offset }) => offset), [1, 11]);
  const [call] = node.operands;
  assert(call?.kind === "call");
  assertEquals(call.arguments[0]?.offset, 3);
});

/** Text, message, offset, unbalanced. */
const REFUSALS: readonly (readonly [string, string, number, boolean])[] = [
  [
    "",
    "Expected a primitive, `!` or `(` at offset 0: found end of condition",
    0,
    false,
  ],
  [
    "a() && ",
    "Expected a primitive, `!` or `(` at offset 7: found end of condition",
    7,
    false,
  ],
  [
    "!x(a()",
    'Expected "text", `text`, true or false at offset 3: found `a`',
    3,
    false,
  ],
  [
    "   (a() || b()",
    "Expected `)` to close the parenthesis at offset 3: found end of condition",
    3,
    true,
  ],
  [
    '(a("x"',
    "Expected `)` to close the arguments at offset 2: found end of condition",
    2,
    true,
  ],
  [
    'a("x", ',
    'Expected "text", `text`, true or false at offset 7: found end of condition',
    7,
    true,
  ],
  [
    "(a() && ",
    "Expected a primitive, `!` or `(` at offset 8: found end of condition",
    8,
    true,
  ],
  [
    'a("x',
    "Expected a double quote to close the string at offset 2: found end of condition",
    2,
    true,
  ],
  [
    'a("x\\',
    "Expected a double quote to close the string at offset 2: found end of condition",
    2,
    true,
  ],
  [
    'a("x\n")',
    "Expected a double quote to close the string at offset 2: found end of line",
    2,
    true,
  ],
  [
    "a(`x",
    "Expected a back quote to close the string at offset 2: found end of condition",
    2,
    true,
  ],
  [
    'a("\\d")',
    'Expected one of \\" \\\\ \\n \\t at offset 3: found \\d (a pattern reads best in back quotes, which know no escapes)',
    3,
    false,
  ],
  [
    "a() b()",
    "Expected `&&`, `||` or end of condition at offset 4: found `b`",
    4,
    false,
  ],
  [
    "a())",
    "Expected `&&`, `||` or end of condition at offset 3: found `)`",
    3,
    false,
  ],
  ["(a() b())", "Expected `&&`, `||` or `)` at offset 5: found `b`", 5, false],
  ["a() & b()", "end of condition at offset 4: found `&`", 4, false],
  ["a() | b()", "end of condition at offset 4: found `|`", 4, false],
  ["a && b()", "Expected `(` after a at offset 2: found `&&`", 2, false],
  [
    "true && a()",
    "Expected a primitive, `!` or `(` at offset 0: found `true`",
    0,
    false,
  ],
  ["a(80)", "true or false at offset 2: found `80`", 2, false],
  ['a("x" "y")', "Expected `,` or `)` at offset 6: found a string", 6, false],
  ['a("x",)', "true or false at offset 6: found `)`", 6, false],
  ["a() // b", "end of condition at offset 4: found `//`", 4, false],
  [
    "🦊()",
    "Expected a primitive, `!` or `(` at offset 0: found `🦊`",
    0,
    false,
  ],
];

for (const [text, message, offset, unbalanced] of REFUSALS) {
  Deno.test(`parseCondition refuses ${JSON.stringify(text)}`, () => {
    const error = refusal(text);
    assertStringIncludes(error.message, message);
    assertEquals(error.offset, offset);
    assertEquals(error.unbalanced, unbalanced);
    assert(error instanceof SyntaxError);
  });
}

Deno.test("parseCondition takes 64 levels and refuses 65", () => {
  const nested = (levels: number) =>
    "(".repeat(levels) + "a()" + ")".repeat(levels);
  parseCondition(nested(MAX_CONDITION_DEPTH));
  parseCondition("!".repeat(MAX_CONDITION_DEPTH) + "a()");
  parseCondition(Array(100).fill("(a())").join(" && "));
  assertEquals(refusal(nested(MAX_CONDITION_DEPTH + 1)).offset, 64);
  assertEquals(refusal("!".repeat(MAX_CONDITION_DEPTH + 1) + "a()").offset, 64);
});

Deno.test("parseCondition refuses more than 16 KiB of text", () => {
  const text = "a()".padEnd(MAX_CONDITION_LENGTH);
  parseCondition(text);
  assertStringIncludes(
    refusal(text + " ").message,
    "must be <= 16384: current value is 16385",
  );
});

/** Trees as the parser makes them; places left out as 0. */
function trees(): fc.Arbitrary<ConditionNode> {
  const value = fc.oneof(
    fc.boolean(),
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.string({ unit: fc.constantFrom('"', "\\", "\n", "\t", "\r", "`", "|") }),
  );
  const call = fc.record({
    kind: fc.constant("call" as const),
    name: fc.constantFrom("default_t", "req_path_in", "_x9"),
    arguments: fc.array(
      fc.record({ value, offset: fc.constant(0) }),
      { maxLength: 3 },
    ),
    offset: fc.constant(0),
  });
  return fc.letrec<{ node: ConditionNode }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      call,
      fc.record({
        kind: fc.constant("not" as const),
        operand: tie("node"),
        offset: fc.constant(0),
      }),
      fc.record({
        kind: fc.constantFrom("and" as const, "or" as const),
        operands: fc.array(tie("node"), { minLength: 2, maxLength: 4 }),
        offset: fc.constant(0),
      }),
    ),
  })).node;
}

Deno.test("parseCondition gives back the tree that printCondition wrote", () => {
  fc.assert(
    fc.property(trees(), (tree) => {
      const text = printCondition(tree);
      fc.pre(text.length <= MAX_CONDITION_LENGTH);
      assertEquals(shape(parseCondition(text)), shape(tree));
    }),
    { numRuns: 500 },
  );
});

Deno.test("printCondition is the same after a second round", () => {
  fc.assert(fc.property(trees(), (tree) => {
    const text = printCondition(tree);
    fc.pre(text.length <= MAX_CONDITION_LENGTH);
    assertEquals(printCondition(parseCondition(text)), text);
  }));
});

/** A tree as people may write it: any white space, needless parentheses, raw strings. */
function scrawl(node: ConditionNode, pick: (n: number) => number): string {
  const space = () => ["", " ", "\n\t", "  "][pick(4)]!;
  const text = (): string => {
    switch (node.kind) {
      case "call": {
        const args = node.arguments.map(({ value }) =>
          typeof value === "string" && !value.includes("`") && pick(2) === 0
            ? `\`${value}\``
            : printValue(value)
        ).map((arg) => space() + arg + space());
        return `${node.name}${space()}(${args.join(",") || space()})`;
      }
      case "not":
        return `!${space()}${
          enclosed(node.operand, node.operand.kind !== "call")
        }`;
      default: {
        const operator = node.kind === "and" ? "&&" : "||";
        return node.operands.map((operand) =>
          enclosed(operand, operand.kind === "and" || operand.kind === "or")
        ).join(space() + operator + space());
      }
    }
  };
  const enclosed = (child: ConditionNode, needed: boolean): string =>
    needed ? `(${scrawl(child, pick)})` : scrawl(child, pick);
  const written = space() + text() + space();
  return pick(4) === 0 ? `${space()}(${written})` : written;
}

function printValue(value: string | boolean): string {
  return typeof value === "boolean" ? String(value) : printCondition({
    kind: "call",
    name: "a",
    arguments: [{ value, offset: 0 }],
    offset: 0,
  }).slice(2, -1);
}

Deno.test("parseCondition takes a condition in any writing, and printCondition gives its plainest", () => {
  fc.assert(
    fc.property(trees(), fc.nat(), (tree, seed) => {
      const pick = (n: number) => {
        seed = (seed * 48_271 + 11) % 2_147_483_647;
        return seed % n;
      };
      const text = scrawl(tree, pick);
      fc.pre(text.length <= MAX_CONDITION_LENGTH);
      const parsed = parseCondition(text);
      assertEquals(shape(parsed), shape(tree), text);
      assertEquals(printCondition(parsed), printCondition(tree));
    }),
    { numRuns: 500 },
  );
});

Deno.test("printCondition writes parentheses only where they count", () => {
  const text = '((a("x")) && (!(b()))) || (!(c() || d()) && ((e() || f())))';
  assertEquals(
    printCondition(parseCondition(text)),
    'a("x") && !b() || !(c() || d()) && (e() || f())',
  );
});

Deno.test("parseCondition throws nothing but ConditionError for garbage", () => {
  const piece = fc.oneof(
    fc.constantFrom(...'()!&|,"`\\ \n', "&&", "||", "true", "a", "a(", '"x"'),
    fc.string({ unit: "binary", maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join("");
      try {
        parseCondition(text);
      } catch (error) {
        assert(error instanceof ConditionError, String(error));
        assert(error.offset >= 0 && error.offset <= text.length);
      }
    }),
    { numRuns: 2_000 },
  );
});
