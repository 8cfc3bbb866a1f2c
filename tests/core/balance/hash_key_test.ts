/**
 * What is hashed of a request.
 *
 * @module
 */
import { hashKey } from "../../../core/balance/hash_key.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { pickFor } from "../../support/fake_member.ts";

const REQUEST = pickFor("203.0.113.9", {
  target: "/a%20b/c?id=7%20x&empty=",
  headers: [
    ["x-user", "ann"],
    ["x-empty", ""],
    ["x-many", "1"],
    ["x-many", "2"],
    ["cookie", "session=s1; theme=dark; none="],
  ],
});

const CASES: readonly (readonly [string, string | undefined])[] = [
  ["clientAddress", "203.0.113.9"],
  ["uri", "/a%20b/c?id=7%20x&empty="],
  ["path", "/a%20b/c"],
  ["header:x-user", "ann"],
  ["header:X-User", "ann"],
  ["header:x-many", "1, 2"],
  ["header:x-empty", undefined],
  ["header:x-absent", undefined],
  ["cookie:session", "s1"],
  ["cookie:theme", "dark"],
  ["cookie:none", undefined],
  ["cookie:absent", undefined],
  ["query:id", "7 x"],
  ["query:empty", undefined],
  ["query:absent", undefined],
];

for (const [key, expected] of CASES) {
  Deno.test(`hashKey ${key} reads ${JSON.stringify(expected)}`, () => {
    assertEquals(hashKey(key)(REQUEST), expected);
  });
}

Deno.test("hashKey reads nothing but the client's address of a tcp session", () => {
  const session = pickFor("203.0.113.9");
  for (const [key] of CASES) {
    assertEquals(
      hashKey(key)(session),
      key === "clientAddress" ? "203.0.113.9" : undefined,
    );
  }
});

for (
  const key of ["", "URI", "header:", "header", "cookie: ", "tag:x", "path:x"]
) {
  Deno.test(`hashKey refuses ${JSON.stringify(key)}`, () => {
    assertThrows(() => hashKey(key), RangeError, JSON.stringify(key));
  });
}
