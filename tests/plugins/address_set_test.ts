import fc from "fast-check";
import { AddressSet, parseAddressLines } from "../../plugins/address_set.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { runsOf } from "../support/property.ts";

const ROWS: readonly (readonly [
  readonly string[],
  readonly string[],
  readonly string[],
])[] = [
  [["10.0.0.1"], ["10.0.0.1", "::ffff:10.0.0.1"], ["10.0.0.2", "::10.0.0.1"]],
  [["10.0.0.0/8"], ["10.0.0.0", "10.255.255.255"], [
    "9.255.255.255",
    "11.0.0.0",
  ]],
  [["10.1.2.3/8"], ["10.9.9.9"], []],
  [["0.0.0.0/0"], ["1.2.3.4", "255.255.255.255"], ["::1"]],
  [["::/0"], ["::1", "2001:db8::1"], ["1.2.3.4"]],
  [["2001:db8::/32"], ["2001:DB8:ffff::1", "2001:db8::%eth0"], ["2001:db9::"]],
  [["::1"], ["::1", "0:0:0:0:0:0:0:1"], ["::2", "::"]],
  [["::ffff:10.0.0.0/104"], ["10.1.2.3"], ["11.0.0.0"]],
  [["1.0.0.0/24", "1.0.0.128/25", "1.0.1.0/24"], ["1.0.1.7"], ["1.0.2.0"]],
  [[], [], ["1.2.3.4", "::"]],
  [["10.0.0.8"], [], ["10.0.0.010", "010.0.0.8", "10.0.8", "/run/a.sock", ""]],
];

for (const [texts, inside, outside] of ROWS) {
  Deno.test(`AddressSet of ${texts.join(" ")}`, () => {
    const set = new AddressSet(texts);
    for (const address of inside) assert(set.has(address), address);
    for (const address of outside) assert(!set.has(address), address);
  });
}

const NONE = [
  "",
  "a",
  "1.2.3",
  "1.2.3.4.5",
  "256.1.1.1",
  "01.2.3.4",
  "1.2.3.4/33",
  "1.2.3.4/",
  "::/129",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7::8:9",
  "12345::",
  "::1.2.3",
  "::ffff:1.2.3.4/95",
];
for (const text of NONE) {
  Deno.test(`AddressSet refuses ${JSON.stringify(text)}`, () => {
    assertThrows(() => new AddressSet([text]), SyntaxError);
  });
}

Deno.test("AddressSet finds what a walk over all ranges finds", () => {
  const range = fc.tuple(
    fc.nat(255),
    fc.nat(255),
    fc.integer({ min: 8, max: 32 }),
  );
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 20 }),
      fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { maxLength: 20 }),
      (ranges, addresses) => {
        const set = new AddressSet(
          ranges.map(([a, b, bits]) => `10.${a}.${b}.0/${bits}`),
        );
        for (const [a, b] of addresses) {
          const number = (a << 16) + (b << 8);
          const expected = ranges.some(([c, d, bits]) => {
            const size = 2 ** (32 - bits);
            const low = (c << 16) + (d << 8);
            return Math.floor(number / size) === Math.floor(low / size);
          });
          assertEquals(set.has(`10.${a}.${b}.0`), expected);
        }
      },
    ),
    runsOf("sets of addresses", 500),
  );
});

Deno.test("parseAddressLines passes comments and tells the line of what is wrong", () => {
  assertEquals(
    parseAddressLines("# list\n10.0.0.1 ; bad\r\n\n  ::/8 # worse\n"),
    ["10.0.0.1", "::/8"],
  );
  assertThrows(
    () => parseAddressLines("10.0.0.1\nnobody\n"),
    SyntaxError,
    "line 2: Expected an IP address",
  );
});
