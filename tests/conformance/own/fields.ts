/**
 * Field lines and the limits of a head (RFC 9112 §5, RFC 9110 §5).
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import { answered, each, GET, refused, SMUGGLED } from "./make.ts";

/** What no field name may hold besides what ends it. */
const NOT_TOKENS = {
  "a quote": '"',
  "a bracket": "(",
  "a comma": ",",
  "a slash": "/",
  "a semicolon": ";",
  "a less-than": "<",
  "an equals": "=",
  "an at": "@",
  "a backslash": "\\",
  "a brace": "{",
  "DEL": "\x7f",
  "NUL": "\0",
  "VT": "\x0b",
  "CR": "\r",
  "LF": "\n",
  "HTAB": "\t",
  "8 bits": "\xa0",
};

/** What no field value may hold. */
const NOT_VALUES = {
  "NUL": "\0",
  "BEL": "\x07",
  "VT": "\x0b",
  "FF": "\x0c",
  "ESC": "\x1b",
  "DEL": "\x7f",
  "CR": "\r",
  "LF": "\n",
  "LF and a field": "\nZ: y",
  "CR and a field": "\rZ: y",
};

const fields: Http1Case[] = [
  ...each(
    "C",
    101,
    NOT_TOKENS,
    (id, name, byte) =>
      refused(
        id,
        `${name} in a field name`,
        "9110§5.1",
        `${GET}X${byte}Y: z\r\n\r\n`,
      ),
  ),
  ...each(
    "C",
    121,
    NOT_TOKENS,
    (id, name, byte) =>
      refused(
        id,
        `${name} behind a field name`,
        "9112§5.1",
        `${GET}X${byte}: z\r\n\r\n`,
      ),
  ),
  ...each(
    "C",
    141,
    NOT_VALUES,
    (id, name, byte) =>
      refused(
        id,
        `${name} in a field value`,
        "9110§5.5",
        `${GET}X: y${byte}z\r\n\r\n`,
      ),
  ),
  ...each(
    "C",
    155,
    NOT_VALUES,
    (id, name, byte) =>
      refused(
        id,
        `${name} in a long field value`,
        "9110§5.5",
        `${GET}X: ${"y".repeat(61)}${byte}${"z".repeat(61)}\r\n\r\n`,
      ),
  ),
  refused("C170", "folding with HTAB", "9112§5.2", `${GET}X: y\r\n\tz\r\n\r\n`),
  refused(
    "C171",
    "folding of an empty value",
    "9112§5.2",
    `${GET}X:\r\n y\r\n\r\n`,
  ),
  refused("C172", "folding to nothing", "9112§5.2", `${GET}X: y\r\n \r\n\r\n`),
  refused(
    "C173",
    "SP before the first field",
    "9112§2.2",
    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
  ),
  refused(
    "C174",
    "SP before the first field, another Host behind",
    "9112§2.2",
    "GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n",
  ),
  refused("C175", "a line of SP", "9112§5", `${GET} \r\n\r\n`),
  refused("C176", "a colon alone", "9110§5.1", `${GET}:\r\n\r\n`),
  refused("C177", "a name alone", "9112§5", `${GET}X\r\n\r\n`),
  refused(
    "C178",
    "a folded Host",
    "9112§5.2",
    "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n",
  ),
  refused("C179", "CR before the colon", "9112§5.1", `${GET}X\r: y\r\n\r\n`),
  answered(
    "C180",
    "8-bit bytes in a value",
    "9110§5.5",
    `${GET}X: \x80\xe4\xff\r\n\r\n`,
    "200",
    {
      expect: { upre: ["\\r\\nX: \\x80\\xe4\\xff\\r\\n"] },
    },
  ),
  answered(
    "C181",
    "HTAB within a value",
    "9110§5.5",
    `${GET}X: a\t b\r\n\r\n`,
    "200",
    {
      expect: { upre: ["\\r\\nX: a\\t b\\r\\n"] },
    },
  ),
  answered(
    "C182",
    "whitespace around a value",
    "9110§5.5",
    `${GET}X: \t y \t\r\nY:z\r\n\r\n`,
    "200",
    {
      expect: { upre: ["\\r\\nX: y\\r\\n", "\\r\\nY: ?z\\r\\n"] },
    },
  ),
  answered(
    "C183",
    "a value of whitespace",
    "9110§5.5",
    `${GET}X: \t \r\nY: z\r\n\r\n`,
    "200",
    {
      expect: { upre: ["\\r\\nX: ?\\r\\nY: z\\r\\n"] },
    },
  ),
  answered(
    "C184",
    "colons in a value",
    "9112§5",
    `${GET}X: :a: b::\r\n\r\n`,
    "200",
    {
      expect: { upre: ["\\r\\nX: :a: b::\\r\\n"] },
    },
  ),
  answered(
    "C185",
    "a name of all that it may have",
    "9110§5.6.2",
    `${GET}!#$%&'*+-.^_\`|~09az: y\r\n\r\n`,
    "200",
    {
      expect: { upre: ["\\r\\n!#\\$%&'\\*\\+-\\.\\^_`\\|~09az: y\\r\\n"] },
    },
  ),
  answered(
    "C186",
    "order and letters of fields",
    "9110§5.3",
    `${GET}x-A: 1\r\nb: 2\r\nX-a: 3\r\nX-A: \r\n\r\n`,
    "200",
    {
      expect: {
        upre: ["\\r\\nx-A: 1\\r\\nb: 2\\r\\nX-a: 3\\r\\nX-A: ?\\r\\n"],
      },
    },
  ),
  answered(
    "C187",
    "a head that looks like a body",
    "9112§2.2",
    `${GET}X: y\r\n\r\n${SMUGGLED}`,
    ["200", "200"],
  ),
];

const limits: Http1Case[] = [
  answered(
    "D101",
    "a head of 16 KiB",
    "haproxy.md §3.4",
    padded(16_384),
    "200",
  ),
  refused(
    "D102",
    "a head of 16 KiB and a byte",
    "9110§5.4",
    padded(16_385),
    "431",
  ),
  refused(
    "D103",
    "a field without end",
    "9110§5.4",
    `${GET}X: ${"y".repeat(20_000)}`,
    "431",
  ),
  refused(
    "D104",
    "a name without end",
    "9110§5.4",
    GET + "X".repeat(20_000),
    "431",
  ),
  answered(
    "D105",
    "100 fields",
    "haproxy.md §3.4",
    `${GET}${"X: y\r\n".repeat(99)}\r\n`,
    "200",
  ),
  refused(
    "D106",
    "101 fields",
    "haproxy.md §3.4",
    `${GET}${"X: y\r\n".repeat(100)}\r\n`,
    "431",
  ),
  answered(
    "D107",
    "a target of 8 KiB",
    "9112§3",
    `GET /${"a".repeat(8191)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    "200",
  ),
  refused(
    "D108",
    "a target of 8 KiB and a byte",
    "9110§15.5.15",
    `GET /${"a".repeat(8192)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    "414",
  ),
  refused(
    "D109",
    "a target without end",
    "9110§15.5.15",
    `GET /${"a".repeat(20_000)}`,
    "414",
  ),
  refused(
    "D110",
    "whitespace without end",
    "9110§5.4",
    `${GET}X:${" ".repeat(20_000)}`,
    "431",
  ),
];

/** A request whose head has this many bytes. */
function padded(bytes: number): string {
  const rest = bytes - GET.length - "X: \r\n\r\n".length;
  return `${GET}X: ${"y".repeat(rest)}\r\n\r\n`;
}

/** All of them. */
export const fieldCases: readonly Http1Case[] = [...fields, ...limits];
