/**
 * From a request to its rule.
 *
 * @module
 */
import type { RuleConfig } from "../../../core/config/config.ts";
import { Product, type Rule } from "../../../core/route/product.ts";
import { assertEquals } from "../../support/assert.ts";
import { fakeRequest } from "../../support/fake_views.ts";

/** A rule to a cluster of this name. */
function rule(cluster: string, when: Rule["when"]): Rule {
  const config: RuleConfig = {
    cluster,
    when: undefined,
    timeouts: { response: undefined },
  };
  return { config, when };
}

Deno.test("Product.match takes the first rule that matches and asks no further", () => {
  let asked = 0;
  const product = new Product("shop", [
    rule("a", ({ method }) => method === "POST"),
    rule("b", ({ path }) => path === "/b"),
    rule("c", () => ++asked > 0),
  ]);
  const match = (target: string) =>
    product.match(fakeRequest({ target }))?.config.cluster;

  assertEquals(match("/b"), "b");
  assertEquals(asked, 0);
  assertEquals(match("/"), "c");
});

Deno.test("Product.match takes a rule without a condition for every request", () => {
  const product = new Product("shop", [rule("a", null), rule("b", null)]);

  assertEquals(product.match(fakeRequest())?.config.cluster, "a");
});

Deno.test("Product.match finds nothing where no rule matches", () => {
  const product = new Product("shop", [rule("a", () => false)]);

  assertEquals(product.match(fakeRequest()), undefined);
});
