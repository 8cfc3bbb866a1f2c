/**
 * Ranges of time in BFE's spelling: `20190204203000H`, daily `203000H`. The
 * letter at the end is a military time zone (ACP 121): H is UTC+8, Z is UTC.
 *
 * @module
 */

/** A moment in milliseconds since the epoch. */
export interface Moment {
  readonly text: string;
  readonly time: number;
}

/** A time of day. */
export interface TimeOfDay {
  readonly text: string;
  /** Since midnight. */
  readonly seconds: number;
  /** Of its zone from UTC, in seconds. */
  readonly offset: number;
}

const DAY = 86_400;
const EAST = "ABCDEFGHIKLM";
const WEST = "NOPQRSTUVWXY";

/** Parses `yyyymmddhhmmssZ`. Throws a `RangeError` for anything else. */
export function parseMoment(text: string): Moment {
  const [, year, month, day, clock = ""] =
    /^(\d{4})(\d\d)(\d\d)(\d{6}[A-Z])$/.exec(text) ?? [];
  const time = parseClock(clock);
  const date = `${year}-${month}-${day}`;
  const midnight = new Date(`${date}T00:00:00Z`);
  // The 30th of February would be taken for the 2nd of March.
  if (time !== undefined && midnight.toJSON()?.startsWith(date)) {
    const seconds = time.seconds - time.offset;
    return { text, time: midnight.getTime() + seconds * 1_000 };
  }
  throw new RangeError(
    `A time must be yyyymmddhhmmss and the letter of a time zone, such as 20190204203000Z for UTC: current value is ${
      JSON.stringify(text)
    }`,
  );
}

/** Parses `hhmmssZ`. Throws a `RangeError` for anything else. */
export function parseTimeOfDay(text: string): TimeOfDay {
  const clock = parseClock(text);
  if (clock !== undefined) return { text, ...clock };
  throw new RangeError(
    `A time of day must be hhmmss and the letter of a time zone, such as 203000Z for UTC: current value is ${
      JSON.stringify(text)
    }`,
  );
}

/**
 * Whether a time in milliseconds since the epoch lies between two moments,
 * the whole of the last second included. Throws a `RangeError` for an end
 * before the beginning.
 */
export function matchTimeRange(
  first: Moment,
  last: Moment,
): (time: number) => boolean {
  if (first.time > last.time) throw endsEarly(first, last);
  const end = last.time + 1_000;
  return (time) => time >= first.time && time < end;
}

/** The same for each day. Throws a `RangeError` for two zones too. */
export function matchDailyRange(
  first: TimeOfDay,
  last: TimeOfDay,
): (time: number) => boolean {
  if (first.offset !== last.offset) {
    throw new RangeError(
      `The ends of a range must be of one time zone: current values are ${first.text} and ${last.text}`,
    );
  }
  if (first.seconds > last.seconds) {
    throw endsEarly(
      first,
      last,
      ", over midnight it takes two ranges with || between them",
    );
  }
  return (time) => {
    const local = Math.floor(time / 1_000) + first.offset;
    const seconds = ((local % DAY) + DAY) % DAY;
    return seconds >= first.seconds && seconds <= last.seconds;
  };
}

function parseClock(
  text: string,
): Omit<TimeOfDay, "text"> | undefined {
  const [, hour, minute, second, zone] =
    /^([01]\d|2[0-3])([0-5]\d)([0-5]\d)([A-IK-Z])$/.exec(text) ?? [];
  if (zone === undefined) return undefined;
  return {
    seconds: Number(hour) * 3_600 + Number(minute) * 60 + Number(second),
    // `indexOf` of none is -1: Zulu, of neither list, is 0.
    offset: (EAST.indexOf(zone) - WEST.indexOf(zone)) * 3_600,
  };
}

function endsEarly(
  first: { readonly text: string },
  last: { readonly text: string },
  hint = "",
): RangeError {
  return new RangeError(
    `A range must not end before it begins${hint}: current values are ${first.text} and ${last.text}`,
  );
}
