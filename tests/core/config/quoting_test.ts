import { isUnbalanced } from "../../../core/config/quoting.ts";
import { assertEquals } from "../../support/assert.ts";

for (
  const text of [
    "default_t()",
    '(req_path_in("/a)", false) || !b())',
    'req_path_regmatch("\\"(")',
    "req_path_regmatch(`\\`)",
  ]
) {
  Deno.test(`isUnbalanced passes ${text}`, () => {
    assertEquals(isUnbalanced(text), false);
  });
}

for (
  const text of [
    "(a()",
    "a())",
    'a("b)',
    'req_path_in("/a"',
    "a(`b)",
    ")(",
  ]
) {
  Deno.test(`isUnbalanced stops ${text}`, () => {
    assertEquals(isUnbalanced(text), true);
  });
}
