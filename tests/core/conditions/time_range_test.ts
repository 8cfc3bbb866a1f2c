/**
 * Times as BFE writes them.
 *
 * @module
 */
import fc from "fast-check";
import {
  matchDailyRange,
  parseMoment,
  parseTimeOfDay,
} from "../../../core/conditions/time_range.ts";
import { assertEquals } from "../../support/assert.ts";

/** Letter and hours from UTC. */
const ZONES: readonly (readonly [string, number])[] = [
  ...Array.from("ABCDEFGHIKLM", (letter, i) => [letter, i + 1] as const),
  ...Array.from("NOPQRSTUVWXY", (letter, i) => [letter, -i - 1] as const),
  ["Z", 0],
];

for (const [letter, hours] of ZONES) {
  Deno.test(`zone ${letter} is ${hours} hours from UTC`, () => {
    assertEquals(
      parseMoment(`20240101120000${letter}`).time,
      Date.UTC(2024, 0, 1, 12) - hours * 3_600_000,
    );
    assertEquals(parseTimeOfDay(`120000${letter}`).offset, hours * 3_600);
  });
}

Deno.test("parseMoment takes every second of the calendar", () => {
  const date = fc.date({
    min: new Date("0001-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59Z"),
    noInvalidDate: true,
  });
  fc.assert(fc.property(date, (date) => {
    const digits = date.toISOString().replace(/\D/g, "").slice(0, 14);
    const seconds = Math.floor(date.getTime() / 1_000);
    assertEquals(parseMoment(`${digits}Z`).time, seconds * 1_000, digits);
  }));
});

Deno.test("matchDailyRange goes by the time of day in its zone", () => {
  const time = fc.integer({ min: -1e12, max: 4e12 });
  const second = fc.nat({ max: 86_399 });
  fc.assert(
    fc.property(
      time,
      second,
      second,
      fc.constantFrom(...ZONES),
      (time, a, b, [letter, hours]) => {
        const [first, last] = [Math.min(a, b), Math.max(a, b)]
          .map((seconds) => new Date(seconds * 1_000).toISOString());
        const clock = (iso = "") => iso.slice(11, 19).replaceAll(":", "");
        const test = matchDailyRange(
          parseTimeOfDay(clock(first) + letter),
          parseTimeOfDay(clock(last) + letter),
        );
        const now = clock(new Date(time + hours * 3_600_000).toISOString());
        assertEquals(test(time), now >= clock(first) && now <= clock(last));
      },
    ),
  );
});
