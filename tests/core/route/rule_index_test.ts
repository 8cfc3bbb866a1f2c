/**
 * Rules found by an index are the rules that a walk finds.
 *
 * @module
 */
import fc from "fast-check";
import { compileCondition } from "../../../core/conditions/compile.ts";
import type { PrimitiveTable } from "../../../core/conditions/primitive.ts";
import {
  builtinPrimitives,
  extendPrimitives,
} from "../../../core/conditions/primitives.ts";
import type { RuleConfig } from "../../../core/config/config.ts";
import { Product, type Rule } from "../../../core/route/product.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import {
  FakeRequest,
  type FakeRequestInit,
} from "../../support/fake_request.ts";

/** What plugins' primitives were asked, in order. */
const asked: string[] = [];

const primitives = ownPrimitives();

/** Primitives of a plugin: each notes that it was asked; one fails, others change the request. */
function ownPrimitives(): PrimitiveTable {
  let table = builtinPrimitives(new FakeClock());
  const add = (name: string, act: (request: FakeRequest) => boolean) => {
    table = extendPrimitives(table, name, (id) => (request) => {
      asked.push(`${name} ${id}`);
      return act(request as FakeRequest);
    });
  };
  add("own_yes", () => true);
  add("own_no", () => false);
  add("own_fails", () => {
    throw new RangeError("own_fails");
  });
  add("own_moves", (request) => {
    request.path = "/b/c";
    request.headers.set("x-a", "2");
    return false;
  });
  return table;
}

const choice = (...texts: string[]) => fc.constantFrom(...texts);
const list = (...texts: string[]) =>
  fc.uniqueArray(choice(...texts), { minLength: 1, maxLength: 3 })
    .map((elements) => elements.join("|"));

const PATHS = ["/a", "/a/", "/a/b", "/A/b", "/b", "/b/c", "/b/c.js", "/ab"];
const VALUES = ["1", "2", "12", "A1", "a1", "A12", "1212"];

/** One primitive's use. */
const call: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(
    choice("in", "prefix_in", "suffix_in", "contain", "element_prefix_in"),
    list(...PATHS, "/", ".js", "/B/C", "b/c.", "a/b"),
    fc.boolean(),
  ).map(([how, list, fold]) => `req_path_${how}("${list}", ${fold})`),
  choice(
    "^/a",
    "^/b/[a-z]+$",
    "js$",
    "^",
    "(?i)^/A",
    "^/(a|b)/",
    "^(/b)c?",
    "c\\.js$",
    "[a-z]/b",
    "/b/c",
    "^/.(/b/?)$",
  )
    .map((pattern) => `req_path_regmatch(\`${pattern}\`)`),
  choice("^/a.*x=1", "^/b").map((pattern) =>
    `req_url_regmatch(\`${pattern}\`)`
  ),
  list("GET", "post", "PUT").map((list) => `req_method_in("${list}")`),
  list("a.com", "B.com", "x.a.com").map((list) => `req_host_in("${list}")`),
  list(".com", "a.com", "om").map((list) => `req_host_suffix_in("${list}")`),
  fc.tuple(
    choice("header", "cookie", "query"),
    choice("in", "prefix_in", "suffix_in", "contain"),
    choice("x-a", "x-b"),
    list(...VALUES),
    fc.boolean(),
  ).map(([source, how, name, list, fold]) =>
    `req_${source}_value_${how}("${name}", "${list}", ${fold})`
  ),
  fc.tuple(choice("header", "cookie", "query"), list("x-a", "x-b"))
    .map(([source, names]) => `req_${source}_key_in("${names}")`),
  choice("header", "query")
    .map((source) => `req_${source}_value_regmatch("x-a", \`^1\`)`),
  choice("default_t()", "req_query_exist()", 'req_port_in("81")'),
);

const own = fc.tuple(
  choice("own_yes", "own_no", "own_no", "own_fails", "own_moves"),
  fc.nat({ max: 99 }),
).map(([name, id]) => `${name}("${id}")`);

const condition = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { arbitrary: call, weight: 6 },
    { arbitrary: own, weight: 1 },
    { arbitrary: tie("node").map((node) => `!(${node})`), weight: 1 },
    {
      arbitrary: fc.tuple(
        choice(" && ", " && ", " || "),
        fc.array(tie("node"), { minLength: 2, maxLength: 3 }),
      ).map(([operator, nodes]) =>
        nodes.map((node) => `(${node})`).join(operator)
      ),
      weight: 4,
    },
  ),
})).node;

const pairs = fc.array(
  fc.tuple(choice("x-a", "x-b", "x-c"), choice("", ...VALUES)),
  { maxLength: 3 },
);

const request: fc.Arbitrary<FakeRequestInit> = fc.record({
  method: choice("GET", "POST", "PUT", "get"),
  host: choice("a.com", "x.a.com", "b.com:81", "c.org", ""),
  target: fc.tuple(choice("/", "/%61/b", ...PATHS), pairs).map(
    ([path, query]) =>
      `${path}?${query.map(([key, value]) => `${key}=${value}`).join("&")}`,
  ),
  headers: fc.tuple(pairs, pairs).map(([fields, cookies]): [
    string,
    string,
  ][] => [
    ...fields,
    ["cookie", cookies.map(([key, value]) => `${key}=${value}`).join("; ")],
  ]),
});

function ruleOf(when: string | null, number: number): Rule {
  const config: RuleConfig = {
    cluster: `c${number}`,
    when: when ?? undefined,
    timeouts: { response: undefined },
  };
  return {
    config,
    when: when === null ? null : compileCondition(when, primitives),
  };
}

/** What came of a search: the rule or the failure, and what plugins were asked for it. */
function outcome(search: () => Rule | undefined): readonly unknown[] {
  asked.length = 0;
  try {
    return [search()?.config.cluster, ...asked];
  } catch (error) {
    return [String(error), ...asked];
  }
}

/** The first rule that matches, one after another. */
function walk(rules: readonly Rule[], request: FakeRequest): Rule | undefined {
  return rules.find(({ when }) => when === null || when.test(request));
}

const rules = fc.array(
  fc.oneof(
    { arbitrary: condition, weight: 30 },
    { arbitrary: fc.constant(null), weight: 1 },
  ),
  // Products of so few rules have no index.
  { minLength: 9, maxLength: 60 },
).map((conditions) => conditions.map(ruleOf));

const requests = fc.array(request, { minLength: 5, maxLength: 20 });

Deno.test("Product.match finds what a walk finds, asks plugins what a walk asks, and fails where it fails", () => {
  fc.assert(
    fc.property(rules, requests, (rules, requests) => {
      const product = new Product("p", rules);
      for (const init of requests) {
        assertEquals(
          outcome(() => product.match(new FakeRequest(init))),
          outcome(() => walk(rules, new FakeRequest(init))),
          JSON.stringify(init),
        );
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("Product.trace tries what a walk tries and ends as it does", () => {
  fc.assert(
    fc.property(rules, requests, (rules, requests) => {
      const product = new Product("p", rules);
      for (const init of requests) {
        const traced = outcome(() => {
          const traces = product.trace(new FakeRequest(init));
          const last = traces.at(-1)!;
          for (const [place, trace] of traces.entries()) {
            assertEquals(trace.place, place);
            assertEquals(trace.rule, rules[place]);
            assert(!(trace.excluded && trace.matched), "excluded but matched");
            const decided = trace.matched || trace.error !== undefined;
            assert(trace === last || !decided, "tried on after the end");
          }
          if (last.error !== undefined) throw last.error;
          return last.matched ? last.rule : undefined;
        });
        const walked = outcome(() => walk(rules, new FakeRequest(init)));
        assertEquals(traced, walked, JSON.stringify(init));
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("an index of 10,000 rules takes the one that matches", () => {
  const product = new Product(
    "p",
    Array.from(
      { length: 10_000 },
      (_, i) => ruleOf(`req_path_element_prefix_in("/service-${i}", false)`, i),
    ),
  );
  for (const i of [0, 31, 32, 33, 5_000, 9_999]) {
    const request = new FakeRequest({ target: `/service-${i}/x` });
    assertEquals(product.match(request)?.config.cluster, `c${i}`);
  }
  assertEquals(
    product.match(new FakeRequest({ target: "/service" })),
    undefined,
  );
});

Deno.test("rules that a request can't match are not asked", () => {
  asked.length = 0;
  const product = new Product(
    "p",
    Array.from(
      { length: 40 },
      (_, i) => ruleOf(`req_path_in("/${i}", false) && own_no("${i}")`, i),
    ),
  );
  assertEquals(product.match(new FakeRequest({ target: "/33" })), undefined);
  assertEquals(asked, ["own_no 33"]);
});
