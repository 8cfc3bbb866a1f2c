import { assert, assertEquals, assertNotEquals } from "../../support/assert.ts";
import {
  type KeyMaker,
  keyMaker,
  urlKey,
} from "../../../core/cache/cache_key.ts";
import { isPurged } from "../../../core/cache/store.ts";
import { ListFields } from "../../../core/message/list_fields.ts";
import { splitHost } from "../../../core/net/host_name.ts";

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

Deno.test("a field that backends may take for the key's counts, too", () => {
  const key = (...lines: [string, string][]) => keyOf("header:x-a", "/", lines);
  const one = key(["X-A", "1"]);
  assertEquals(key(["X-A", "1"], ["X-Ab", "2"], ["X-", "3"]), one);
  const others = [
    key(["X-A", "1"], ["X_A", "2"]),
    key(["X-A", "1"], ["x.a", "2"]),
    key(["X_A", "1"]),
    key(["X_A", "2"]),
    key(),
    key(["X-A", '1",x_a="2']),
  ];
  assertEquals(new Set([one, ...others]).size, others.length + 1);
});

Deno.test("a Host that is spelt in its own way has a key of its own, which purges of the URL find", () => {
  const key = (maker: KeyMaker, sent: string | undefined) => {
    const { name, port } = splitHost(sent ?? "");
    const headers = new ListFields(sent === undefined ? [] : [["host", sent]]);
    return maker({ scheme: "http", host: name, port, target: "/a?b", headers });
  };
  const rows = [
    ["h.x", ["H.X", "h.x.", "h.x:", "h.x:80", "h.x:0080", "h.x.:80"]],
    ["h.x:8080", ["H.x:8080", "h.x.:8080", "h.x:08080"]],
    ["[::1]", ["[0::1]", "[::1]:80", "[::1]:"]],
  ] as const;
  for (const maker of [urlKey, keyMaker("query header:x")]) {
    for (const [plain, others] of rows) {
      const shown = maker === urlKey ? "" : "\tx=-";
      const url = `http://${plain}/a?b`;
      assertEquals(key(maker, plain), url + shown);
      for (const sent of others) {
        const own = key(maker, sent);
        assertNotEquals(own, key(maker, plain), sent);
        assert(isPurged({ kind: "url", url }, own, []), sent);
        const prefix = `http://${plain}/`;
        assert(isPurged({ kind: "prefix", prefix }, own, []), sent);
      }
      assertEquals(
        new Set(others.map((one) => key(maker, one))).size,
        others.length,
      );
    }
    assertEquals(key(maker, undefined).split("\t")[0], "http:///a?b");
    assertNotEquals(key(maker, undefined), key(maker, ""));
  }
});
