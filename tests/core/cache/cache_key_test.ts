import { assertEquals, assertNotEquals } from "../../support/assert.ts";
import { keyMaker } from "../../../core/cache/cache_key.ts";
import { ListFields } from "../../../core/message/list_fields.ts";

/** The key of a request by a rule's `key`. */
function keyOf(
  rule: string,
  target: string,
  lines: readonly [string, string][] = [],
): string {
  return keyMaker(rule)({
    scheme: "http",
    host: "a.test",
    port: undefined,
    target,
    cookie: () => undefined,
    headers: new ListFields(lines),
  });
}

Deno.test("a parameter counts however its name is written", () => {
  const key = (target: string) => keyOf("query:id", target);
  const bare = key("/");
  for (const target of ["/?i%64=x", "/?%69%64=x", "/?y=1&i%64"]) {
    assertNotEquals(key(target), bare, target);
    assertNotEquals(key(target), key("/?id"), target);
  }
  assertEquals(key("/?y=1&%zz=2&idx=3&x=id=4"), bare);
  assertEquals(key("/?id=1&y=2"), key("/?y=%31&id=1"));
});
