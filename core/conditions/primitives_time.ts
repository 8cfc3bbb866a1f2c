/**
 * Primitives on the time. It is the clock's: BFE lets a request's
 * X-Bfe-Debug-Time replace it, and so every client pass a rule by time.
 *
 * @module
 */
import type { Clock } from "../plugin.ts";
import { text } from "./parameter.ts";
import { definePrimitive, type Primitive } from "./primitive.ts";
import {
  matchDailyRange,
  matchTimeRange,
  parseMoment,
  parseTimeOfDay,
} from "./time_range.ts";

/** Those on the time of day and of the calendar. */
export function timePrimitives(
  clock: Pick<Clock, "wall">,
): readonly Primitive[] {
  return [
    definePrimitive({
      name: "bfe_time_range",
      parameters: [text("first", parseMoment), text("last", parseMoment)],
      description:
        "it is between these seconds, such as 20190204203000H (H: UTC+8, Z: UTC)",
      make: ([first, last]) => {
        const test = matchTimeRange(first, last);
        return () => test(clock.wall());
      },
    }),
    definePrimitive({
      name: "bfe_periodic_time_range",
      parameters: [
        text("first", parseTimeOfDay),
        text("last", parseTimeOfDay),
        text("period", parsePeriod),
      ],
      description:
        'every day it is between these seconds, such as 203000H; the period is "", a day',
      make: ([first, last]) => {
        const test = matchDailyRange(first, last);
        return () => test(clock.wall());
      },
    }),
  ];
}

function parsePeriod(text: string): void {
  if (text === "") return;
  throw new RangeError(
    `A period must be "", which stands for a day: current value is ${
      JSON.stringify(text)
    }`,
  );
}
