/**
 * One spelling for one host.
 *
 * @module
 */
import fc from "fast-check";
import {
  canonicalHost,
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
  // What only a handler can have set stays as it is.
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
