/**
 * From a host to its product.
 *
 * @module
 */
import fc from "fast-check";
import type { ProductConfig } from "../../../core/config/config.ts";
import { parseHostPattern } from "../../../core/config/host_pattern.ts";
import { Product } from "../../../core/route/product.ts";
import { ProductIndex } from "../../../core/route/product_index.ts";
import { assertEquals } from "../../support/assert.ts";

/** An index of products by the hosts that the config file says. */
function indexOf(
  products: Readonly<Record<string, readonly string[]>>,
  byDefault?: string,
): (host: string) => string | undefined {
  const index = new ProductIndex(
    Object.entries(products).map(([name, hosts]) => ({
      config: {
        name,
        hosts: hosts.map(parseHostPattern),
        default: name === byDefault,
        rules: [],
      } satisfies ProductConfig,
      product: new Product(name, []),
    })),
  );
  return (host) => index.find(host)?.name;
}

Deno.test("ProductIndex finds an exact host", () => {
  const find = indexOf({ a: ["a.example"], b: ["b.example", "B2.example."] });

  assertEquals(find("b.example"), "b");
  assertEquals(find("b2.example"), "b");
  assertEquals(find("c.example"), undefined);
});

Deno.test("ProductIndex finds a wildcard's hosts at every depth, not its own domain", () => {
  const find = indexOf({ a: ["*.example.com"] });

  assertEquals(find("x.example.com"), "a");
  assertEquals(find("y.x.example.com"), "a");
  assertEquals(find("example.com"), undefined);
  assertEquals(find(".example.com"), undefined);
  assertEquals(find("xexample.com"), undefined);
});

Deno.test("ProductIndex prefers an exact host, then the longest wildcard", () => {
  const find = indexOf({
    wide: ["*.example.com"],
    narrow: ["*.shop.example.com"],
    exact: ["www.shop.example.com"],
  });

  assertEquals(find("www.shop.example.com"), "exact");
  assertEquals(find("api.shop.example.com"), "narrow");
  assertEquals(find("shop.example.com"), "wide");
});

Deno.test("ProductIndex falls back to the default product", () => {
  const find = indexOf({ a: ["a.example"], rest: [] }, "rest");

  assertEquals(find("a.example"), "a");
  assertEquals(find("b.example"), "rest");
  assertEquals(find(""), "rest");
});

Deno.test("ProductIndex finds addresses, IPv6 ones without their brackets", () => {
  const find = indexOf({ a: ["10.0.0.1"], b: ["[2001:DB8:0::1]", "[::1]"] });

  assertEquals(find("10.0.0.1"), "a");
  assertEquals(find("2001:db8::1"), "b");
  assertEquals(find("::1"), "b");
  assertEquals(find("::2"), undefined);
});

Deno.test("ProductIndex agrees with a walk over all patterns", () => {
  const label = fc.constantFrom("a", "b", "c");
  const host = fc.array(label, { minLength: 1, maxLength: 4 })
    .map((labels) => labels.join("."));
  const pattern = fc.tuple(host, fc.boolean())
    .map(([host, wild]) => wild ? `*.${host}` : host);
  fc.assert(
    fc.property(
      fc.uniqueArray(pattern, { maxLength: 12 }),
      host,
      (all, host) => {
        const products = Object.fromEntries(all.map((one) => [one, [one]]));
        const matching = all
          .filter((one) =>
            one.startsWith("*") ? host.endsWith(one.slice(1)) : host === one
          )
          .sort((a, b) =>
            Number(a.startsWith("*")) - Number(b.startsWith("*")) ||
            b.length - a.length
          );
        assertEquals(indexOf(products)(host), matching[0]);
      },
    ),
    { numRuns: 500 },
  );
});
