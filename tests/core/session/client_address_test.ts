/**
 * Who the client is, through trusted proxies.
 *
 * @module
 */
import fc from "fast-check";
import { ListFields } from "../../../core/message/list_fields.ts";
import { CidrSet } from "../../../core/net/cidr.ts";
import {
  believedOrigin,
  clientAddress,
  dropForged,
  isTrusted,
  type Origin,
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

Deno.test("dropForged leaves X-Forwarded-For and nothing else of the way", () => {
  const fields = new ListFields([
    ["Forwarded", "for=6.6.6.6"],
    ["X-Forwarded-For", "6.6.6.6"],
    ["X-Forwarded-Proto", "https"],
    ["X-Forwarded-Host", "evil"],
    ["X-Forwarded-Port", "1"],
    ["forwarded", "for=6.6.6.7"],
    ["X-Other", "1"],
  ]);
  dropForged(fields);

  assertEquals([...fields].map(([name]) => name), [
    "X-Forwarded-For",
    "X-Other",
  ]);
});

/** What is believed of a trusted peer's fields, and what is left of its Forwarded. */
function originOf(
  hops: number,
  entries: readonly (readonly [string, string])[],
): Origin & { readonly left: string | null } {
  const fields = new ListFields(entries);
  const origin = believedOrigin({ trusted: undefined, hops }, PEER, fields);
  return { ...origin, left: fields.get("forwarded") };
}

const CLIENT = "192.0.2.1";

Deno.test("believedOrigin: a peer that says nothing is the client", () => {
  assertEquals(originOf(1, []), {
    address: PEER,
    scheme: undefined,
    host: undefined,
    chain: undefined,
    tellsForwarded: true,
    left: null,
  });
});

Deno.test("believedOrigin: X-Forwarded-* alone, and no Forwarded begins here", () => {
  const origin = originOf(1, [
    ["X-Forwarded-For", CLIENT],
    ["X-Forwarded-Proto", "https"],
  ]);

  assertEquals(origin, {
    address: CLIENT,
    scheme: "https",
    host: undefined,
    chain: undefined,
    tellsForwarded: false,
    left: null,
  });
});

Deno.test("believedOrigin: Forwarded alone tells client, scheme, host and the way", () => {
  const field = 'for=6.6.6.6, for="[2001:db8::1]:1";proto=https;host="a:1", ' +
    "for=_hidden";
  const believed = originOf(2, [["Forwarded", field]]);

  assertEquals(believed, {
    address: "2001:db8::1",
    scheme: "https",
    host: "a:1",
    chain: "6.6.6.6, 2001:db8::1, unknown",
    tellsForwarded: true,
    left: field,
  });
  // No address to believe: the peer is the nearest that is known.
  assertEquals(originOf(1, [["Forwarded", field]]).address, PEER);
});

Deno.test("believedOrigin: several lines of Forwarded are one list", () => {
  const lines = [["Forwarded", "for=6.6.6.6"], ["Forwarded", `for=${CLIENT}`]];

  assertEquals(
    originOf(1, lines as [string, string][]).address,
    CLIENT,
  );
});

Deno.test("believedOrigin: X-Forwarded-Proto stands before Forwarded's", () => {
  const forwarded = ["Forwarded", `for=${CLIENT};proto=https`] as const;
  const scheme = (proto: string, ...more: (readonly [string, string])[]) =>
    originOf(1, [forwarded, ["X-Forwarded-Proto", proto], ...more]).scheme;

  assertEquals(scheme("http"), "http");
  assertEquals(scheme("http", ["X-Forwarded-For", CLIENT]), "http");
  assertEquals(scheme("gopher"), undefined);
  assertEquals(originOf(1, [forwarded]).scheme, "https");
  assertEquals(
    originOf(1, [forwarded, ["X-Forwarded-For", CLIENT]]).scheme,
    "https",
  );
});

Deno.test("believedOrigin: both stand where both name the same client", () => {
  const both: Readonly<Record<string, string>> = {
    [CLIENT]: `for=${CLIENT}`,
    "6.6.6.6, 192.0.2.1": `for=6.6.6.6, for="${CLIENT}:80"`,
    "2001:DB8:0::1": 'for="[2001:db8::1]"',
  };
  for (const [xff, forwarded] of Object.entries(both)) {
    const { tellsForwarded, left, chain } = originOf(1, [
      ["X-Forwarded-For", xff],
      ["Forwarded", forwarded],
    ]);
    assertEquals([tellsForwarded, left, chain], [true, forwarded, undefined]);
  }
});

Deno.test("believedOrigin: a Forwarded that was passed on as a client wrote it is dropped", () => {
  const forged = [
    "for=6.6.6.6;proto=https;host=evil",
    "for=unknown;proto=https",
    "for=_x",
    "proto=https",
    `for=${CLIENT}, for=6.6.6.6`,
    "garbage",
    "",
  ];
  for (const forwarded of forged) {
    assertEquals(
      originOf(1, [["X-Forwarded-For", CLIENT], ["Forwarded", forwarded]]),
      {
        address: CLIENT,
        scheme: undefined,
        host: undefined,
        chain: undefined,
        tellsForwarded: false,
        left: null,
      },
      forwarded,
    );
  }
});

Deno.test("believedOrigin: a Forwarded that can't be read is dropped, and one begins here", () => {
  for (const forwarded of ["garbage", "for=192.0.2.1:80", ""]) {
    const { address, tellsForwarded, left } = originOf(1, [
      ["Forwarded", forwarded],
    ]);
    assertEquals([address, tellsForwarded, left], [PEER, true, null]);
  }
});
