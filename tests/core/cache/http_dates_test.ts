import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  formatHttpDate,
  parseHttpDate,
} from "../../../core/cache/http_dates.ts";
import { NOW } from "./heads.ts";

const GOOD: readonly (readonly [string, number])[] = [
  ["Sun, 06 Nov 1994 08:49:37 GMT", Date.UTC(1994, 10, 6, 8, 49, 37)],
  ["Sunday, 06-Nov-94 08:49:37 GMT", Date.UTC(1994, 10, 6, 8, 49, 37)],
  ["Sun Nov  6 08:49:37 1994", Date.UTC(1994, 10, 6, 8, 49, 37)],
  ["Thursday, 18-Aug-50 02:01:18 GMT", Date.UTC(2050, 7, 18, 2, 1, 18)],
  ["Saturday, 01-Jan-77 00:00:00 GMT", Date.UTC(1977, 0, 1)],
  ["SUNDAY, 06-nov-94 08:49:37 gmt", Date.UTC(1994, 10, 6, 8, 49, 37)],
  ["sun nov  6 08:49:37 1994", Date.UTC(1994, 10, 6, 8, 49, 37)],
  ["THU, 18 AUG 2050 02:01:18 gMT", Date.UTC(2050, 7, 18, 2, 1, 18)],
  ["Tue, 29 Feb 2028 00:00:60 GMT", Date.UTC(2028, 1, 29, 0, 1, 0)],
];

Deno.test("parseHttpDate reads the three forms, whatever their case", () => {
  for (const [text, time] of GOOD) {
    assertEquals(parseHttpDate(text, NOW), time, text);
  }
});

Deno.test("parseHttpDate refuses everything else", () => {
  for (
    const text of [
      "",
      "0",
      "Thu, 18 Aug 2050 02:01:18 UTC",
      "Thu, 18 Aug 2050 02:01:18 AEST",
      "Thu, 18 Aug 50 02:01:18 GMT",
      "Thu 18 Aug 2050 02:01:18 GMT",
      "Thu, 18  Aug  2050 02:01:18 GMT",
      "Thu, 18-Aug-2050 02:01:18 GMT",
      "Thu, 18 Aug 2050 02.01.18 GMT",
      "Thu, 18 Aug 2050 2:01:18 GMT",
      "Thu, 31 Apr 2050 02:01:18 GMT",
      "Thu, 00 Apr 2050 02:01:18 GMT",
      "Mon, 29 Feb 2027 02:01:18 GMT",
      "Thu, 18 Aug 2050 24:01:18 GMT",
      "Thu, 18 Aug 2050 02:60:18 GMT",
      "Thu, 18 Aug 2050 02:01:61 GMT",
      " Thu, 18 Aug 2050 02:01:18 GMT",
      "Thu, 18 Aug 2050 02:01:18 GMT ",
    ]
  ) assertEquals(parseHttpDate(text, NOW), undefined, text);
});

Deno.test("parseHttpDate reads back what formatHttpDate writes", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) / 1000 }),
    (second) => {
      const time = second * 1000;
      assertEquals(parseHttpDate(formatHttpDate(time), NOW), time);
    },
  ));
});
