/**
 * HTTP dates, read strictly: what is no HTTP-date is none, so that a response
 * with a broken date is stale and not fresh by mistake.
 *
 * @module
 */

const DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun";
const LONG_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday";
const MONTHS = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
];
const MONTH = MONTHS.join("|");
const TIME = "(\\d{2}):(\\d{2}):(\\d{2})";

// RFC 9110 §5.6.7; caches match them without case (RFC 9111 §4.2).
const IMF_FIXDATE = new RegExp(
  `^(?:${DAYS}), (\\d{2}) (${MONTH}) (\\d{4}) ${TIME} GMT$`,
  "i",
);
const RFC_850 = new RegExp(
  `^(?:${LONG_DAYS}), (\\d{2})-(${MONTH})-(\\d{2}) ${TIME} GMT$`,
  "i",
);
const ASCTIME = new RegExp(
  `^(?:${DAYS}) (${MONTH}) (\\d{2}| \\d) ${TIME} (\\d{4})$`,
  "i",
);

/**
 * Milliseconds since the epoch of an HTTP-date in one of its three forms,
 * undefined for anything else. `now` tells the century of a two-digit year.
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  let match = IMF_FIXDATE.exec(text);
  if (match !== null) {
    const [, day, month, year, ...time] = match;
    return moment(Number(year), month!, Number(day), time);
  }
  match = RFC_850.exec(text);
  if (match !== null) {
    const [, day, month, year, ...time] = match;
    return moment(fullYear(Number(year), now), month!, Number(day), time);
  }
  match = ASCTIME.exec(text);
  if (match === null) return undefined;
  const [, month, day, hour, minute, second, year] = match;
  const time = [hour!, minute!, second!];
  return moment(Number(year), month!, Number(day), time);
}

/** An HTTP-date as it is sent (IMF-fixdate). */
export function formatHttpDate(time: number): string {
  return new Date(time).toUTCString();
}

/** RFC 9110 §5.6.7: what seems more than 50 years ahead is the past century's. */
function fullYear(twoDigits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - thisYear % 100 + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}

function moment(
  year: number,
  monthName: string,
  day: number,
  [hour, minute, second]: readonly string[],
): number | undefined {
  const month = MONTHS.indexOf(
    monthName[0]!.toUpperCase() + monthName.slice(1).toLowerCase(),
  );
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  // 31 April would roll over into May.
  if (day < 1 || date.getUTCMonth() !== month) return undefined;
  // 60 is a leap second.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) {
    return undefined;
  }
  return date.getTime() +
    ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000;
}
