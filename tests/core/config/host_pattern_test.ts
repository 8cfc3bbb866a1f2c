import { parseHostPattern } from "../../../core/config/host_pattern.ts";
import { ValueError } from "../../../core/config/value_error.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

for (
  const [text, normal] of [
    ["shop.example.com", "shop.example.com"],
    ["Shop.Example.COM.", "shop.example.com"],
    ["*.Example.com", "*.example.com"],
    ["Bücher.example", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["localhost", "localhost"],
    ["a_b.example", "a_b.example"],
    ["10.0.0.1", "10.0.0.1"],
    ["[0:0::1]", "[::1]"],
  ] as const
) {
  Deno.test(`parseHostPattern reads ${text}`, () => {
    assertEquals(parseHostPattern(text), normal);
  });
}

for (
  const [text, meant] of [
    ["", undefined],
    ["*", undefined],
    ["www.*.com", undefined],
    ["*example.com", undefined],
    ["a..b", undefined],
    ["-a.b", undefined],
    ["1.2.3", undefined],
    ["*.1.2.3.4", undefined],
    [`${"a".repeat(64)}.example`, undefined],
    ["::1", undefined],
    ["shop.example.com:8080", "shop.example.com"],
    ["https://shop.example.com/x", "shop.example.com"],
    [".example.com", "*.example.com"],
  ] as const
) {
  Deno.test(`parseHostPattern refuses ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => parseHostPattern(text), ValueError);
    assertEquals(error.suggestion, meant);
  });
}
