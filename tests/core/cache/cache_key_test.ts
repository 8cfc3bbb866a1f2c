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

Deno.test("of several cookies with a name all count", () => {
  const key = (...cookies: string[]) =>
    keyOf("cookie:c", "/", cookies.map((one) => ["cookie", one]));
  const one = key("c=1");
  assertEquals(key("b=2; c=1"), one);
  assertEquals(key("b=2;c=1 ; d=3"), one);
  for (
    const cookies of [["c=1; c=2"], ["c=1", "c=2"], ["c=1; c =2"], ["b=1"]]
  ) {
    assertNotEquals(key(...cookies), one, cookies.join());
  }
  assertNotEquals(key("c="), key("b=1"));
});
