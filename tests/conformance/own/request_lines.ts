/**
 * Request lines: what ends them, what they may hold (RFC 9112 §2, §3).
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import { answered, each, GET, refused } from "./make.ts";

const LINE = "9112§3";

/** All of them. */
export const requestLineCases: readonly Http1Case[] = [
  ...each("A", 101, {
    "two SP before the target": "GET  / HTTP/1.1",
    "two SP before the version": "GET /  HTTP/1.1",
    "SP before the method": " GET / HTTP/1.1",
    "HTAB before the method": "\tGET / HTTP/1.1",
    "HTAB before the version": "GET /\tHTTP/1.1",
    "VT as SP": "GET\x0b/ HTTP/1.1",
    "FF as SP": "GET\x0c/ HTTP/1.1",
    "CR as SP": "GET\r/ HTTP/1.1",
    "NUL as SP": "GET\0/ HTTP/1.1",
    "8-bit SP": "GET\xa0/ HTTP/1.1",
    "SP in the target": "GET /a b HTTP/1.1",
    "HTAB in the target": "GET /a\tb HTTP/1.1",
    "NUL in the target": "GET /a\0b HTTP/1.1",
    "LF in the target": "GET /a\nb HTTP/1.1",
    "CR in the target": "GET /a\rb HTTP/1.1",
    "8-bit in the method": "GE\xc4 / HTTP/1.1",
    "NUL in the method": "G\0T / HTTP/1.1",
    "a colon in the method": "GET: / HTTP/1.1",
    "no method": " / HTTP/1.1",
    "no target": "GET  HTTP/1.1",
    "no version behind SP": "GET / ",
    "the method alone": "GET",
    "HTTP/1.10": "GET / HTTP/1.10",
    "HTTP/1.": "GET / HTTP/1.",
    "HTTP/1": "GET / HTTP/1",
    "HTTP/11": "GET / HTTP/11",
    "HTTP/1,1": "GET / HTTP/1,1",
    "HTTP/1.x": "GET / HTTP/1.x",
    "HTTP/x.1": "GET / HTTP/x.1",
    "HTTP/-1.1": "GET / HTTP/-1.1",
    "HTTP/0.9": "GET / HTTP/0.9",
    "HTTP/1 .1": "GET / HTTP/1 .1",
    "HTTP /1.1": "GET / HTTP /1.1",
    "Http/1.1": "GET / Http/1.1",
    "HTTPS/1.1": "GET / HTTPS/1.1",
    "ICY/1.1": "GET / ICY/1.1",
    "HTTP/1.1 and a word": "GET / HTTP/1.1 x",
    "HTTP/1.1 and HTAB": "GET / HTTP/1.1\t",
  }, (id, name, line) => refused(id, name, LINE, `${line}\r\nHost: a\r\n\r\n`)),
  ...each("A", 141, {
    "HTTP/2.0": "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/3.0": "GET / HTTP/3.0\r\nHost: a\r\n\r\n",
    "the HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  }, (id, name, text) => refused(id, name, "9110§15.6.6", text, "505")),
  ...each("A", 145, {
    "a bare CR ends the line": "GET / HTTP/1.1\rHost: a\r\n\r\n",
    "a bare LF ends the line": "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "LF CR ends the line": "GET / HTTP/1.1\n\rHost: a\r\n\r\n",
    "a bare LF ends a field": "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "a bare CR ends a field": "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "a bare LF ends the head": "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "CR CR LF ends the head": "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n",
    "an empty line of LF before": "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "an empty line of CR before": "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "an empty line with SP before": " \r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL before": "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a byte order mark before": "\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n",
  }, (id, name, text) => refused(id, name, "9112§2.2", text)),
  answered(
    "A160",
    "two empty lines before",
    "9112§2.2",
    `\r\n\r\n${GET}\r\n`,
    "200",
    {
      expect: { upre: ["^GET "] },
    },
  ),
  answered(
    "A161",
    "empty lines for ever",
    "9112§2.2; haproxy.md §3.1(2)",
    "\r\n".repeat(500),
    "400|",
    {
      expect: { close: true, up: 0 },
    },
  ),
  answered(
    "A162",
    "an empty line between two requests",
    "9112§2.2",
    `${GET}\r\n\r\n${GET}\r\n`,
    ["200", "200"],
  ),
  answered(
    "A163",
    "a method of other tokens",
    "9110§5.6.2",
    "!#$%&'*+-.^_`|~09az / HTTP/1.1\r\nHost: a\r\n\r\n",
    "200",
    {
      expect: { upre: ["^!#\\$%&'\\*\\+-\\.\\^_`\\|~09az / HTTP/1\\.1\\r\\n"] },
    },
  ),
  answered(
    "A164",
    "a method of 32 bytes",
    "9112§3",
    `${"M".repeat(32)} / HTTP/1.1\r\nHost: a\r\n\r\n`,
    "200",
  ),
  refused(
    "A165",
    "a method of 33 bytes",
    "9112§3",
    `${"M".repeat(33)} / HTTP/1.1\r\nHost: a\r\n\r\n`,
    "501",
  ),
  refused("A166", "a method without end", "9112§3", "M".repeat(20_000), "501"),
  answered(
    "A167",
    "targets are passed on unread",
    "9110§7.7",
    'GET /"<>\\^`{|}%zz%00//../?a?b&c=%23;d HTTP/1.1\r\nHost: a\r\n\r\n',
    "200",
    {
      expect: {
        upre: [
          '^GET /"<>\\\\\\^`\\{\\|\\}%zz%00//\\.\\./\\?a\\?b&c=%23;d HTTP',
        ],
      },
    },
  ),
  answered(
    "A168",
    "a path of two slashes",
    "9112§3.2.1",
    "GET //b/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "200",
    {
      expect: { upre: ["^GET //b/x HTTP/1\\.1\\r\\n", "(?i)host: a\\r\\n"] },
    },
  ),
  answered(
    "A169",
    "HTTP/1.0",
    "9112§2.3",
    "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    "200",
    {
      expect: {
        close: true,
        upre: ["^GET / HTTP/1\\.1\\r\\n"],
        outre: ["^HTTP/1\\.1 200"],
      },
    },
  ),
  answered(
    "A170",
    "HTTP/1.9",
    "9110§2.5",
    "GET / HTTP/1.9\r\nHost: a\r\n\r\n",
    "200",
    {
      expect: { upre: ["^GET / HTTP/1\\.1\\r\\n"] },
    },
  ),
];
