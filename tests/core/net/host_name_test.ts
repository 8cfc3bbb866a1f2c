/**
 * One spelling for one host.
 *
 * @module
 */
import fc from "fast-check";
import { isAuthority } from "../../../core/http1/host.ts";
import {
  canonicalHost,
  isHostField,
  KnownHosts,
  splitHost,
} from "../../../core/net/host_name.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const ROWS: readonly (readonly [string, string])[] = [
  ["Example.COM", "example.com"],
  ["example.com.", "example.com"],
  ["", ""],
  [".", ""],
  ["10.0.0.1", "10.0.0.1"],
  ["::1", "::1"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["2001:DB8::0:1", "2001:db8::1"],
  ["::ffff:10.0.0.1", "::ffff:a00:1"],
  // What only a peer can have said of a client stays as it is.
  ["fe80::1%eth0", "fe80::1%eth0"],
  ["a:b", "a:b"],
];

for (const [host, canonical] of ROWS) {
  Deno.test(`canonicalHost spells ${JSON.stringify(host)}`, () => {
    assertEquals(canonicalHost(host), canonical);
  });
}

Deno.test("canonicalHost spells domains and IPv6 addresses as URL does", () => {
  fc.assert(
    fc.property(fc.domain(), (host) => {
      assertEquals(canonicalHost(host), new URL(`http://${host}`).hostname);
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), (host) => {
      const { hostname } = new URL(`http://[${host}]`);
      assertEquals(canonicalHost(host), hostname.slice(1, -1));
    }),
  );
});

Deno.test("KnownHosts splits as splitHost does, each of those that are known once", () => {
  const known = new KnownHosts();
  const long = `${"h".repeat(262)}:1`;
  for (const field of ["", "A.example:81", "[::1]:2", "b.", long]) {
    const parts = known.split(field);
    assertEquals(parts, splitHost(field));
    assertEquals(known.split(field) === parts, field !== long);
  }
});

Deno.test("KnownHosts holds no more than a thousand", () => {
  const known = new KnownHosts();
  const first = known.split("h0");
  for (let i = 1; i < 1_000; i++) known.split(`h${i}`);
  assert(known.split("h0") === first);
  known.split("one more");
  assert(known.split("h0") !== first);
});

Deno.test("isHostField() takes what the codec takes of clients", () => {
  const rows: readonly (readonly [string, boolean])[] = [
    ["", true],
    ["a", true],
    ["A.b_c.:", true],
    ["a:000080", true],
    ["a:65536", false],
    ["a%2F:1", true],
    ["a%2", false],
    [":80", false],
    ["a b", false],
    ["a/b", false],
    ["u@a", false],
    ["a,b", false],
    ["é", false],
    ["[::1]:80", true],
    ["[::1%25x]", false],
    ["[::1", false],
    ["[127.0.0.1]", false],
    ["::1", false],
  ];
  for (const [text, expected] of rows) {
    assertEquals(isHostField(text), expected, text);
  }
  const sign = fc.constantFrom(...":[]%@/,.-_~! afAF0129", "::1", "[::1]");
  fc.assert(fc.property(fc.array(sign), (signs) => {
    const text = signs.join("");
    const bytes = new TextEncoder().encode(text);
    assertEquals(isHostField(text), isAuthority(bytes, 0, bytes.length), text);
  }));
});
