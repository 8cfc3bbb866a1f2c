/**
 * From a request to its rule.
 *
 * @module
 */
import { compileCondition } from "../../../core/conditions/compile.ts";
import {
  builtinPrimitives,
  extendPrimitives,
} from "../../../core/conditions/primitives.ts";
import type { RuleConfig } from "../../../core/config/config.ts";
import { Product, type Rule } from "../../../core/route/product.ts";
import { assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeRequest } from "../../support/fake_request.ts";

const failure = new RangeError("own() failed");
let asked = 0;
const primitives = extendPrimitives(
  builtinPrimitives(new FakeClock()),
  "own",
  (fails) => () => {
    asked++;
    if (fails === true) throw failure;
    return true;
  },
);

/** A rule to a cluster of this name; null takes every request. */
function rule(cluster: string, when: string | null): Rule {
  const config: RuleConfig = {
    cluster,
    when: when ?? undefined,
    timeouts: { response: undefined },
  };
  return {
    config,
    when: when === null ? null : compileCondition(when, primitives),
  };
}

// With eight more rules before them they are found by an index.
for (const before of [0, 8]) {
  const product = (...rules: Rule[]) =>
    new Product("shop", [
      ...Array.from(
        { length: before },
        (_, i) => rule("no", `req_path_in("/no/${i}", false)`),
      ),
      ...rules,
    ]);
  const match = (product: Product, target: string) =>
    product.match(new FakeRequest({ target }))?.config.cluster;
  const suffix = `after ${before} others`;

  Deno.test(`Product.match takes the first rule that matches and asks no further, ${suffix}`, () => {
    asked = 0;
    const three = product(
      rule("a", 'req_method_in("POST")'),
      rule("b", 'req_path_in("/b", false)'),
      rule("c", "own(false)"),
    );

    assertEquals(match(three, "/b"), "b");
    assertEquals(asked, 0);
    assertEquals(match(three, "/"), "c");
    assertEquals(asked, 1);
  });

  Deno.test(`Product.match takes a rule without a condition for every request, ${suffix}`, () => {
    assertEquals(match(product(rule("a", null), rule("b", null)), "/"), "a");
  });

  Deno.test(`Product.match finds nothing where no rule matches, ${suffix}`, () => {
    assertEquals(match(product(rule("a", "!default_t()")), "/"), undefined);
  });

  Deno.test(`Product.trace tells each rule's result up to the one that matches, ${suffix}`, () => {
    const traces = product(
      rule("a", 'req_path_in("/a", false) && own(true)'),
      rule("b", '!req_method_in("GET") || req_query_exist() || own(false)'),
      rule("c", null),
      rule("d", null),
    ).trace(new FakeRequest({ target: "/b" })).slice(before);

    assertEquals(
      traces.map(({ rule, place, matched, excluded, condition }) => [
        rule.config.cluster,
        place - before,
        matched,
        excluded,
        condition?.parts.map(({ text, result }) => [text, result]),
      ]),
      [
        ["a", 0, false, before > 0, [
          ['req_path_in("/a", false)', false],
          ["own(true)", undefined],
        ]],
        ["b", 1, true, false, [
          ['!req_method_in("GET")', false],
          ["req_query_exist()", false],
          ["own(false)", true],
        ]],
      ],
    );
  });

  Deno.test(`Product.trace ends where a plugin's primitive fails, as match does, ${suffix}`, () => {
    const failing = product(rule("a", "own(true)"), rule("b", null));
    const traces = failing.trace(new FakeRequest()).slice(before);

    assertEquals(
      traces.map(({ matched, error }) => [matched, error]),
      [[false, failure]],
    );
  });

  Deno.test(`Product.trace tells of a rule without a condition, ${suffix}`, () => {
    const [trace] = product(rule("a", null)).trace(new FakeRequest())
      .slice(before);

    assertEquals([trace?.matched, trace?.condition], [true, undefined]);
  });
}
