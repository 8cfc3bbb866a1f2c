import fc from "fast-check";
import {
  DURATION_PATTERN,
  MAX_DURATION,
  parseDuration,
  parsePercentage,
  parseSize,
  parseStatusRange,
  SIZE_PATTERN,
} from "../../../core/config/units.ts";
import { ValueError } from "../../../core/config/value_error.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

const MILLISECONDS = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 } as const;
const BYTES = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

Deno.test("parseDuration multiplies the amount by its unit", () => {
  const unit = fc.constantFrom("ms", "s", "m", "h", "d");
  fc.assert(fc.property(fc.nat(24), unit, (amount, unit) => {
    assertEquals(
      parseDuration(`${amount}${unit}`),
      amount * MILLISECONDS[unit as keyof typeof MILLISECONDS],
    );
  }));
});

Deno.test("parseDuration reads decimals exactly", () => {
  fc.assert(fc.property(fc.nat(999_999), (milliseconds) => {
    const text = `${Math.floor(milliseconds / 1000)}.${
      String(milliseconds % 1000).padStart(3, "0")
    }s`;
    assertEquals(parseDuration(text), milliseconds);
  }));
});

Deno.test("parseDuration never answers anything but whole milliseconds that a timer can keep", () => {
  fc.assert(fc.property(
    fc.oneof(fc.string(), fc.stringMatching(new RegExp(DURATION_PATTERN))),
    (text) => {
      try {
        const value = parseDuration(text);
        assert(
          Number.isInteger(value) && value >= 0 && value <= MAX_DURATION,
          `${text} → ${value}`,
        );
      } catch (error) {
        assert(error instanceof ValueError, String(error));
      }
    },
  ));
});

Deno.test("parseDuration refuses what it can't keep", () => {
  for (
    const text of ["", "5", "s", "-5s", "1e3s", "0.5ms", "25d", "1m30s", "5x"]
  ) {
    assertThrows(() => parseDuration(text), ValueError, "Expected");
  }
});

Deno.test("parseDuration suggests the unit that was meant", () => {
  for (
    const [text, meant] of [
      ["5S", "5s"],
      ["5 s", "5s"],
      ["5sec", "5s"],
      ["5 minutes", "5m"],
      ["2hours", "2h"],
      ["10msec", "10ms"],
      ["5constructor", undefined],
      ["1month", undefined],
    ]
  ) {
    const error = assertThrows(() => parseDuration(text ?? ""), ValueError);
    assertEquals(error.suggestion, meant, text);
  }
});

Deno.test("parseSize multiplies the amount by its unit", () => {
  const unit = fc.constantFrom("B", "KiB", "MiB", "GiB", "TiB");
  fc.assert(fc.property(fc.nat(8000), unit, (amount, unit) => {
    assertEquals(
      parseSize(`${amount}${unit}`),
      amount * BYTES[unit as keyof typeof BYTES],
    );
  }));
});

Deno.test("parseSize reads a number without unit as bytes and decimals exactly", () => {
  assertEquals(parseSize("16384"), 16_384);
  assertEquals(parseSize("1.5KiB"), 1536);
});

Deno.test("parseSize never answers anything but whole bytes", () => {
  fc.assert(fc.property(
    fc.oneof(fc.string(), fc.stringMatching(new RegExp(SIZE_PATTERN))),
    (text) => {
      try {
        const value = parseSize(text);
        assert(Number.isSafeInteger(value) && value >= 0, `${text} → ${value}`);
      } catch (error) {
        assert(error instanceof ValueError, String(error));
      }
    },
  ));
});

Deno.test("parseSize suggests the unit that was meant", () => {
  for (
    const [text, meant] of [
      ["16K", "16KiB"],
      ["16kb", "16KiB"],
      ["1 MiB", "1MiB"],
      ["10Gib", "10GiB"],
      ["5b", "5B"],
      ["5x", undefined],
      ["-5KiB", undefined],
      ["0.3B", undefined],
    ]
  ) {
    const error = assertThrows(() => parseSize(text ?? ""), ValueError);
    assertEquals(error.suggestion, meant, text);
  }
});

Deno.test("parsePercentage answers a share", () => {
  assertEquals(parsePercentage("20%"), 0.2);
  assertEquals(parsePercentage("0%"), 0);
  assertEquals(parsePercentage("100%"), 1);
  for (const text of ["20", "101%", "-1%", "%", "a%"]) {
    assertThrows(() => parsePercentage(text), ValueError);
  }
});

Deno.test("parseStatusRange answers both ends", () => {
  assertEquals(parseStatusRange("502"), [502, 502]);
  assertEquals(parseStatusRange("200-399"), [200, 399]);
  for (const text of ["", "99", "600", "399-200", "200-", "2xx"]) {
    assertThrows(() => parseStatusRange(text), ValueError);
  }
});
