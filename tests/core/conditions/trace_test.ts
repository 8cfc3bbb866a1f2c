/**
 * Why a condition is true or false.
 *
 * @module
 */
import fc from "fast-check";
import { compileCondition } from "../../../core/conditions/compile.ts";
import { printCondition } from "../../../core/conditions/print.ts";
import {
  builtinPrimitives,
  extendPrimitives,
} from "../../../core/conditions/primitives.ts";
import {
  type ConditionTrace,
  traceCondition,
} from "../../../core/conditions/trace.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeRequest } from "../../support/fake_request.ts";

let asked = "";
const primitives = [["t", true], ["f", false]].reduce(
  (table, [name, answer]) =>
    extendPrimitives(table, String(name), () => () => {
      asked += name;
      return Boolean(answer);
    }),
  builtinPrimitives(new FakeClock()),
);

/** `text=result` of each part, those within in brackets. */
function shown({ text, result, parts }: ConditionTrace): string {
  const within = parts.map(shown).join(" ");
  const answer = result === undefined ? "-" : result ? "1" : "0";
  return `${text}=${answer}${within === "" ? "" : ` [${within}]`}`;
}

const ROWS: readonly (readonly [string, string])[] = [
  ["t()", "t()=1"],
  ["!t()", "!t()=0 [t()=1]"],
  ["f() && t()", "f() && t()=0 [f()=0 t()=-]"],
  ["t() && f() && t()", "t() && f() && t()=0 [t()=1 f()=0 t()=-]"],
  ["f() || t() || f()", "f() || t() || f()=1 [f()=0 t()=1 f()=-]"],
  ["f() || f()", "f() || f()=0 [f()=0 f()=0]"],
  [
    "t() || !(f() && t())",
    "t() || !(f() && t())=1 [t()=1 !(f() && t())=- [f() && t()=- [f()=- t()=-]]]",
  ],
];

for (const [text, trace] of ROWS) {
  Deno.test(`traceCondition ${text}`, () => {
    const condition = compileCondition(text, primitives);
    assertEquals(shown(traceCondition(condition, new FakeRequest())), trace);
  });
}

Deno.test("traceCondition answers as the test does and asks as much", () => {
  const { node } = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constantFrom("t()", "f()"),
      tie("node").map((node) => `!(${node})`),
      fc.tuple(tie("node"), fc.constantFrom("&&", "||"), tie("node"))
        .map(([a, operator, b]) => `(${a}) ${operator} (${b})`),
    ),
  }));
  fc.assert(fc.property(node, (text) => {
    const condition = compileCondition(text, primitives);
    asked = "";
    const result = condition.test(new FakeRequest());
    const before = asked;
    asked = "";
    const trace = traceCondition(condition, new FakeRequest());
    assertEquals([trace.result, asked], [result, before]);
    assertEquals(trace.text, printCondition(condition.node));
  }));
});

Deno.test("traceCondition throws what a plugin's primitive throws", () => {
  const failure = new RangeError("own");
  const table = extendPrimitives(primitives, "own", () => () => {
    throw failure;
  });
  const condition = compileCondition("t() && own()", table);
  const error = assertThrows(() =>
    traceCondition(condition, new FakeRequest())
  );
  assertEquals(error, failure);
});
