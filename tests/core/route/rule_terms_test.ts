/**
 * What can be told of a rule without asking it.
 *
 * @module
 */
import { compileCondition } from "../../../core/conditions/compile.ts";
import {
  builtinPrimitives,
  extendPrimitives,
} from "../../../core/conditions/primitives.ts";
import { termsOf } from "../../../core/route/rule_terms.ts";
import { assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

const primitives = extendPrimitives(
  builtinPrimitives(new FakeClock()),
  "own",
  () => () => true,
);

/** Terms as text: alternatives with `or`, choices in brackets, `any` for no term that asks for something. */
function shown(text: string): string {
  return termsOf(compileCondition(text, primitives)).map((term) =>
    term.map((choice) =>
      `[${
        choice.map(({ dimension, fit, text }) =>
          `${dimension.name} ${fit} ${text}`
        ).join("|")
      }]`
    ).join(" and ") || "any"
  ).join(" or ");
}

const ROWS: readonly (readonly [string, string])[] = [
  ["default_t()", "any"],
  ['req_host_in("A.com|b.com")', "[host whole a.com|host whole b.com]"],
  ['req_path_in("/A", true)', "[path in lower case whole /a]"],
  ['req_path_prefix_in("/a/|/b", false)', "[path prefix /a/|path prefix /b]"],
  ['req_path_element_prefix_in("/a/", false)', "[path segments /a]"],
  ['req_path_suffix_in(".js", false)', "[path suffix .js]"],
  ["req_path_regmatch(`^/v[0-9]`)", "[path prefix /v]"],
  ["req_path_regmatch(`/v`)", "any"],
  ["req_path_regmatch(`/v[0-9]/x$`)", "[path suffix /x]"],
  ["req_path_regmatch(`^/v[0-9]/items/`)", "[path part /items/]"],
  ["req_path_regmatch(`^/v[0-9]/x$`)", "[path prefix /v]"],
  ["req_path_regmatch(`[a-z]/v`)", "any"],
  ['req_path_contain("/v", false)', "any"],
  [
    'req_path_contain("/Adm|/etc", true)',
    "[path in lower case part /adm|path in lower case part /etc]",
  ],
  ['req_path_contain("/adm|/v", true)', "any"],
  [
    'req_cookie_value_contain("c", "one", false)',
    "[cookie c part one]",
  ],
  ['req_method_in("get")', "[method whole GET]"],
  [
    'req_header_value_prefix_in("X-A", "1", false)',
    "[header field x-a prefix 1]",
  ],
  [
    'req_cookie_key_in("a|b")',
    "[cookie a prefix ] or [cookie b prefix ]",
  ],
  [
    'req_path_in("/a", false) && req_method_in("GET")',
    "[path whole /a] and [method whole GET]",
  ],
  [
    'req_path_in("/a", false) || req_path_prefix_in("/b/", false)',
    "[path whole /a|path prefix /b/]",
  ],
  [
    'req_path_in("/a", false) || req_host_in("b.com")',
    "[path whole /a] or [host whole b.com]",
  ],
  ['req_path_in("/a", false) || default_t()', "any"],
  ['req_path_in("/a", false) && default_t()', "[path whole /a]"],
  ['!req_path_in("/a", false)', "any"],
  ['!req_path_in("/a", false) && req_method_in("GET")', "[method whole GET]"],
  [
    '(req_path_in("/a", false) || req_path_in("/b", false)) && (req_host_in("h.com") || req_method_in("GET"))',
    "[path whole /a|path whole /b] and [host whole h.com] or [path whole /a|path whole /b] and [method whole GET]",
  ],
  [
    'req_path_in("/a", false) && req_method_in("GET") || req_path_in("/b", false)',
    "[path whole /b] or [path whole /a] and [method whole GET]",
  ],
  // A plugin's code may throw: what a walk would run must run.
  ["own()", "any"],
  ['own() && req_path_in("/a", false)', "any"],
  ['req_path_in("/a", false) && own()', "[path whole /a]"],
  [
    'req_path_in("/a", false) && own() && req_method_in("GET")',
    "[path whole /a]",
  ],
  ['req_path_in("/a", false) || own()', "any"],
  [
    '(req_path_in("/a", false) && own() || req_path_in("/b", false)) && req_method_in("GET")',
    "[path whole /a|path whole /b]",
  ],
  ['req_path_in("/a", false) || own() && req_path_in("/b", false)', "any"],
  [
    'req_path_in("/a", false) || req_path_in("/b", false) && own()',
    "[path whole /a|path whole /b]",
  ],
];

for (const [text, terms] of ROWS) {
  Deno.test(`termsOf ${text}`, () => assertEquals(shown(text), terms));
}

Deno.test("termsOf keeps to sixteen ways to match", () => {
  const both = (n: number) =>
    Array.from(
      { length: n },
      (_, i) => `req_cookie_key_in("a${i}|b${i}")`,
    ).join(" && ");
  assertEquals(shown(both(4)).split(" or ").length, 16);
  // The fifth is left out: what is known of the others still narrows.
  assertEquals(shown(both(5)), shown(both(4)));
  const either = Array.from({ length: 17 }, (_, i) => `c${i}`).join("|");
  assertEquals(
    shown(`req_cookie_key_in("${either}") || req_path_in("/a", false)`),
    "any",
  );
});

Deno.test("termsOf no condition is any request", () => {
  assertEquals(termsOf(null), [[]]);
});
