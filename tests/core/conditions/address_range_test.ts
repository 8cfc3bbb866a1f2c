/**
 * Addresses and their ranges.
 *
 * @module
 */
import fc from "fast-check";
import { parseAddress } from "../../../core/conditions/address_range.ts";
import { assertEquals } from "../../support/assert.ts";

const ADDRESSES: readonly (readonly [string, number | bigint | undefined])[] = [
  ["0.0.0.0", 0],
  ["192.0.2.1", 0xc0000201],
  ["255.255.255.255", 0xffffffff],
  ["1.2.3", undefined],
  ["1.2.3.4.5", undefined],
  ["1.2.3.256", undefined],
  ["1.2.3.", undefined],
  ["01.2.3.4", undefined],
  [" 1.2.3.4", undefined],
  ["", undefined],
  ["::", 0n],
  ["::1", 1n],
  ["2001:db8::1", 0x20010db8000000000000000000000001n],
  ["1:2:3:4:5:6:7:8", 0x00010002000300040005000600070008n],
  ["fe80::1%eth0", 0xfe800000000000000000000000000001n],
  ["::ffff:192.0.2.1", 0xc0000201],
  ["::ffff:c000:201", 0xc0000201],
  ["64:ff9b::192.0.2.1", 0x0064ff9b0000000000000000c0000201n],
  ["1.2.3.4::", undefined],
  ["1:2:3:4:5:6:7", undefined],
  ["1:2:3:4:5:6:7:8:9", undefined],
  ["1:2:3:4::5:6:7:8", undefined],
  ["1::2::3", undefined],
  [":1", undefined],
  ["12345::", undefined],
  ["g::", undefined],
];

for (const [text, address] of ADDRESSES) {
  Deno.test(`parseAddress of ${JSON.stringify(text)}`, () => {
    assertEquals(parseAddress(text), address);
  });
}

Deno.test("parseAddress takes every address and keeps its order", () => {
  const octet = fc.nat({ max: 255 });
  fc.assert(
    fc.property(fc.tuple(octet, octet, octet, octet), (octets) => {
      const number = octets.reduce((sum, octet) => sum * 256 + octet, 0);
      assertEquals(parseAddress(octets.join(".")), number);
    }),
  );
  fc.assert(fc.property(fc.ipV6(), (text) => {
    assertEquals(typeof parseAddress(text) === "undefined", false, text);
  }));
});
