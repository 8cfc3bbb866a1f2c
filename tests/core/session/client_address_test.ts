/**
 * Who the client is, through trusted proxies.
 *
 * @module
 */
import fc from "fast-check";
import { ListFields } from "../../../core/message/list_fields.ts";
import { CidrSet } from "../../../core/net/cidr.ts";
import {
  clientAddress,
  isTrusted,
} from "../../../core/session/client_address.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const PEER = "10.0.0.1";

/** The client that a request with these X-Forwarded-For lines comes from, behind so many proxies. */
function clientOf(hops: number, ...lines: readonly string[]): string {
  const fields = new ListFields(lines.map((line) => ["X-Forwarded-For", line]));
  return clientAddress({ trusted: undefined, hops }, PEER, fields);
}

Deno.test("isTrusted believes nobody where no network is trusted", () => {
  assert(!isTrusted({ trusted: undefined, hops: 1 }, PEER));
});

Deno.test("isTrusted believes peers of the networks, and no unix socket", () => {
  const policy = { trusted: new CidrSet(["10.0.0.0/8"]), hops: 1 };

  assert(isTrusted(policy, PEER));
  assert(isTrusted(policy, `::ffff:${PEER}`));
  assert(!isTrusted(policy, "192.0.2.1"));
  assert(!isTrusted(policy, ""));
});

/** Hops, lines, the client. */
const ROWS: readonly (readonly [number, readonly string[], string])[] = [
  [1, [], PEER],
  [1, [""], PEER],
  [1, ["192.0.2.1"], "192.0.2.1"],
  // What the client wrote itself stands further left.
  [1, ["6.6.6.6, 192.0.2.1"], "192.0.2.1"],
  [1, ["6.6.6.6", "192.0.2.1"], "192.0.2.1"],
  [2, ["6.6.6.6, 192.0.2.1, 10.0.0.2"], "192.0.2.1"],
  [2, ["6.6.6.6, 192.0.2.1", "10.0.0.2"], "192.0.2.1"],
  [3, ["6.6.6.6,192.0.2.1 ,\t10.0.0.3,10.0.0.2"], "192.0.2.1"],
  // Fewer entries than proxies: one of them was asked directly.
  [3, ["192.0.2.1, 10.0.0.2"], "192.0.2.1"],
  [1, ["2001:db8::1"], "2001:db8::1"],
  [1, ["[2001:db8::1]"], "2001:db8::1"],
  [1, ["[2001:db8::1]:4711"], "2001:db8::1"],
  [1, ["192.0.2.1:4711"], "192.0.2.1"],
  // No address: the peer is the nearest that is known.
  [1, ["unknown"], PEER],
  [1, ["192.0.2.1, unknown"], PEER],
  [1, ["192.0.2.1,"], PEER],
  [1, ["192.0.2.1:"], PEER],
  [1, ["[192.0.2.1]x"], PEER],
  [1, ["192.0.2.300"], PEER],
];

for (const [hops, lines, client] of ROWS) {
  Deno.test(`clientAddress behind ${hops} of ${JSON.stringify(lines)}`, () => {
    assertEquals(clientOf(hops, ...lines), client);
  });
}

Deno.test("clientAddress is what the outermost trusted proxy saw, whatever the client wrote", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const junk = fc.string({ unit: fc.constantFrom(..."0123456789.:, []abcx") });
  fc.assert(
    fc.property(
      fc.array(address, { minLength: 1, maxLength: 4 }),
      fc.option(junk, { nil: undefined }),
      (seen, forged) => {
        const entries = forged === undefined ? seen : [forged, ...seen];
        assertEquals(clientOf(seen.length, entries.join(", ")), seen[0]);
      },
    ),
  );
});
