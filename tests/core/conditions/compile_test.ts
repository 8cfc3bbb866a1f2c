/**
 * Compiling: what is checked at load, how operators combine, what plugins add.
 *
 * @module
 */
import fc from "fast-check";
import {
  compileCondition,
  compileNode,
} from "../../../core/conditions/compile.ts";
import { ConditionError } from "../../../core/conditions/condition_error.ts";
import { parseCondition } from "../../../core/conditions/parser.ts";
import {
  builtinPrimitives,
  extendPrimitives,
} from "../../../core/conditions/primitives.ts";
import type { ConditionFactory } from "../../../core/plugin.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeRequest } from "../../support/fake_request.ts";

const primitives = builtinPrimitives(new FakeClock());

function refusal(text: string, table = primitives): ConditionError {
  return assertThrows(() => compileCondition(text, table), ConditionError);
}

/** Text, message, offset. */
const REFUSALS: readonly (readonly [string, string, number])[] = [
  [
    'default_t() && req_hots_in("a")',
    "Expected the name of a primitive at offset 15: found `req_hots_in` (did you mean `req_host_in`?)",
    15,
  ],
  [
    "quite_different()",
    "Expected the name of a primitive at offset 0: found `quite_different`",
    0,
  ],
  [
    '!res_code_in("404")',
    "Cannot use res_code_in at offset 1: there is no response yet when this condition is asked",
    1,
  ],
  [
    'req_path_in("/a")',
    "Expected req_path_in(list, boolean) at offset 0: found 1 argument",
    0,
  ],
  [
    'default_t("x", true)',
    "Expected default_t() at offset 0: found 2 arguments",
    0,
  ],
  [
    '!req_path_in("/a", "x")',
    'Expected true or false as argument 2 of req_path_in at offset 19: found "x"',
    19,
  ],
  [
    "req_path_in(true, true)",
    "Expected a string as argument 1 of req_path_in at offset 12: found true",
    12,
  ],
  [
    "req_path_regmatch(`a(?=b)`)",
    "Cannot use pattern as look-around is not supported: found at its offset 1 (argument 1 of req_path_regmatch at offset 18)",
    18,
  ],
  [
    'req_query_value_regmatch("k", `(`)',
    "Cannot use pattern as its group is not closed: found at its offset 0 (argument 2 of req_query_value_regmatch at offset 30)",
    30,
  ],
];

for (const [text, message, offset] of REFUSALS) {
  Deno.test(`compileCondition refuses ${text}`, () => {
    const error = refusal(text);
    assertEquals(error.message, message);
    assertEquals(error.offset, offset);
    assertEquals(error.unbalanced, false);
  });
}

/** A table whose `t()` and `f()` note that they were asked. */
function loggingTable(log: string[]) {
  const make =
    (name: string, answer: boolean): ConditionFactory => () => () => {
      log.push(name);
      return answer;
    };
  return extendPrimitives(
    extendPrimitives(new Map(), "t", make("t", true)),
    "f",
    make("f", false),
  );
}

/** Condition, answer, what was asked. */
const EVALUATIONS: readonly (readonly [string, boolean, string])[] = [
  ["t() || f() && f()", true, "t"],
  ["f() && f() || t()", true, "ft"],
  ["(t() || f()) && f()", false, "tf"],
  ["t() && t() && f() && t()", false, "ttf"],
  ["f() || f() || t() || f()", true, "fft"],
  ["f() || f() || f()", false, "fff"],
  ["t() && t() && t()", true, "ttt"],
  ["!f() && !(t() && f())", true, "ftf"],
  ["!t() || !f()", true, "tf"],
];

for (const [text, answer, asked] of EVALUATIONS) {
  Deno.test(`compileCondition asks from left to right no more than it must: ${text}`, () => {
    const log: string[] = [];
    const condition = compileCondition(text, loggingTable(log)).test;
    assertEquals(condition(new FakeRequest()), answer);
    assertEquals(log.join(""), asked);
  });
}

Deno.test("compileCondition decides as JavaScript does", () => {
  const table = loggingTable([]);
  const piece = fc.constantFrom("t()", "f()", "!t()", "!f()", "(t()||f())");
  const operator = fc.constantFrom("&&", "||", "&&!");
  fc.assert(
    fc.property(piece, fc.array(fc.tuple(operator, piece)), (first, rest) => {
      const text = first + rest.flat().join("");
      const expected = new Function("t", "f", `return ${text}`)(
        () => true,
        () => false,
      );
      assertEquals(
        compileCondition(text, table).test(new FakeRequest()),
        expected,
      );
    }),
  );
});

Deno.test("compileNode keeps the tree beside the test", () => {
  const node = parseCondition('req_method_in("GET")');
  const compiled = compileNode(node, primitives);
  assertEquals(compiled.node, node);
  assert(compiled.test(new FakeRequest()));
});

Deno.test("compileCondition throws nothing but ConditionError for well-formed nonsense", () => {
  const name = fc.constantFrom(...primitives.keys(), "nope");
  const argument = fc.oneof(
    fc.constantFrom("true", "false", '"|"', '""', "`[`", "`(a+)+$`", '"0-9"'),
    fc.string({ unit: "grapheme", maxLength: 8 })
      .map((text) => "`" + text.replaceAll("`", "") + "`"),
  );
  const call = fc.tuple(name, fc.array(argument, { maxLength: 3 }));
  fc.assert(
    fc.property(call, ([name, args]) => {
      const text = `${name}(${args.join(", ")})`;
      try {
        compileCondition(text, primitives).test(new FakeRequest());
      } catch (error) {
        assert(error instanceof ConditionError, `${text}: ${error}`);
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("extendPrimitives adds a plugin's primitive to a new table", () => {
  const given: unknown[] = [];
  const table = extendPrimitives(primitives, "geo_in", (...args) => {
    given.push(...args);
    return (request) => request.clientAddress === args[0];
  });
  const text = 'geo_in("192.0.2.1", true, "a|b") && default_t()';
  assert(compileCondition(text, table).test(new FakeRequest()));
  assertEquals(given, ["192.0.2.1", true, "a|b"]);
  assert(!primitives.has("geo_in"));
  assertStringIncludes(refusal("geo_in()").message, "`geo_in`");
});

Deno.test("extendPrimitives refuses a name that is taken, reserved or none", () => {
  for (
    const name of [
      "req_host_in",
      "req_body_json_in",
      "a-b",
      "",
      "1a",
      "true",
      "é",
    ]
  ) {
    const error = assertThrows(
      () => extendPrimitives(primitives, name, () => () => true),
      RangeError,
    );
    assertStringIncludes(error.message, `current value is`);
  }
});

Deno.test("compileCondition says why a plugin refused the arguments", () => {
  const reason = new RangeError("Expected a country: current value is XX");
  const table = extendPrimitives(primitives, "geo_in", () => {
    throw reason;
  });
  const error = refusal('default_t() || geo_in("XX")', table);
  assertEquals(
    error.message,
    "Cannot use geo_in at offset 15: Expected a country: current value is XX",
  );
  assertEquals(error.cause, reason);
});

Deno.test("compileCondition refuses a plugin's primitive that makes no test", () => {
  const factory = (() => true) as unknown as ConditionFactory;
  const table = extendPrimitives(primitives, "odd", factory);
  assertStringIncludes(
    refusal("odd()", table).message,
    "must make a function: current value is boolean",
  );
});

Deno.test("a plugin's test that answers a promise throws, as it would count as true", () => {
  const factory =
    (() => () => Promise.resolve(false)) as unknown as ConditionFactory;
  const table = extendPrimitives(primitives, "late", factory);
  const condition = compileCondition("late()", table).test;
  const error = assertThrows(() => condition(new FakeRequest()), TypeError);
  assertStringIncludes(error.message, "must answer true or false");
});

Deno.test("a plugin's test that fails throws what extendPrimitives was told to", () => {
  const reason = new TypeError("no database");
  const failing: ConditionFactory = () => () => {
    throw reason;
  };
  const table = extendPrimitives(
    primitives,
    "geo_in",
    failing,
    (thrown) => new RangeError("geo_in failed", { cause: thrown }),
  );
  const condition = compileCondition("!geo_in()", table).test;
  const error = assertThrows(() => condition(new FakeRequest()), RangeError);
  assertEquals(error.cause, reason);
});
