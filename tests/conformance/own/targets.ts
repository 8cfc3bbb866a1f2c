/**
 * The forms of a target, and Host (RFC 9112 §3.2).
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import { answered, each, refused } from "./make.ts";

const targets: Http1Case[] = [
  ...each(
    "B",
    101,
    {
      "http without an authority": "GET http:///x",
      "http with one slash": "GET http:/a/x",
      "http alone": "GET http:",
      "another scheme": "GET ftp://a/x",
      "a scheme that is longer": "GET httpx://a/x",
      "a query alone": "GET ?x",
      "an authority alone": "GET a:80",
      "a backslash": "GET \\x",
      "an asterisk and more": "OPTIONS *x",
      "an asterisk in GET": "GET *",
      "a host of a port alone": "GET http://:80/",
      "a port that is none": "GET http://a:x/",
      "a port too large": "GET http://a:65536/",
      "a user without password": "GET http://u@a/",
      "a fragment": "GET http://a/x#y",
      "a host with an escape cut short": "GET http://a%4/x",
      "an address without its bracket": "GET http://[::1/x",
    },
    (id, name, line) =>
      refused(id, name, "9112§3.2", `${line} HTTP/1.1\r\nHost: a\r\n\r\n`),
  ),
  refused(
    "B120",
    "an absolute form without Host",
    "9112§3.2",
    "GET http://a/x HTTP/1.1\r\n\r\n",
  ),
  refused(
    "B121",
    "an absolute form, Host of another port",
    "9112§3.2.2",
    "GET http://a:81/x HTTP/1.1\r\nHost: a\r\n\r\n",
  ),
  refused(
    "B122",
    "an absolute form, Host empty",
    "9112§3.2.2",
    "GET http://a/x HTTP/1.1\r\nHost:\r\n\r\n",
  ),
  answered(
    "B123",
    "an absolute form without Host in 1.0",
    "9112§3.2.2",
    "GET http://b:8080/x HTTP/1.0\r\n\r\n",
    "200",
    {
      expect: {
        upre: ["^GET /x HTTP/1\\.1\\r\\n", "(?i)\\r\\nhost: b:8080\\r\\n"],
      },
    },
  ),
  answered(
    "B124",
    "an absolute form names the default port",
    "9110§4.2.3",
    "GET http://a:80/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "200",
    {
      expect: { upre: ["^GET /x HTTP", "(?i)\\r\\nhost: a(:80)?\\r\\n"] },
    },
  ),
  answered(
    "B125",
    "an absolute form in other letters",
    "3986§6.2.2.1",
    "GET HTTP://A.b/x HTTP/1.1\r\nHost: a.B\r\n\r\n",
    "200",
    {
      expect: { upre: ["^GET /x HTTP", "(?i)\\r\\nhost: a\\.b\\r\\n"] },
    },
  ),
  answered(
    "B126",
    "an absolute form with a query alone",
    "9112§3.2.1",
    "GET http://a?q=/b HTTP/1.1\r\nHost: a\r\n\r\n",
    "200",
    {
      expect: { upre: ["^GET /\\?q=/b HTTP"] },
    },
  ),
  answered(
    "B127",
    "an absolute form without a path",
    "9112§3.2.1",
    "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
    "200",
    {
      expect: { upre: ["^GET / HTTP"] },
    },
  ),
  answered(
    "B128",
    "OPTIONS of an absolute form with a query",
    "9112§3.2.4",
    "OPTIONS http://a?q HTTP/1.1\r\nHost: a\r\n\r\n",
    "200",
    {
      expect: { upre: ["^OPTIONS /\\?q HTTP"] },
    },
  ),
  answered(
    "B129",
    "an IPv6 address",
    "3986§3.2.2",
    "GET http://[::1]:8080/x HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    "200",
    {
      expect: { upre: ["^GET /x HTTP", "\\r\\n[Hh]ost: \\[::1\\]:8080\\r\\n"] },
    },
  ),
  refused(
    "B130",
    "CONNECT without a port",
    "9112§3.2.3",
    "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
    "405",
  ),
  refused(
    "B131",
    "TRACE",
    "9110§9.3.8",
    `TRACE / HTTP/1.1\r\nHost: a\r\n\r\n`,
    "405",
  ),
];

const hosts: Http1Case[] = [
  refused("B140", "no Host", "9112§3.2", "GET / HTTP/1.1\r\n\r\n"),
  refused(
    "B141",
    "no Host but Hosts",
    "9112§3.2",
    "GET / HTTP/1.1\r\nHosts: a\r\n\r\n",
  ),
  refused(
    "B142",
    "two Host in other letters",
    "9112§3.2",
    "GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n",
  ),
  refused(
    "B143",
    "two Host, the first empty",
    "9112§3.2",
    "GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n",
  ),
  refused(
    "B144",
    "two Host and an absolute form",
    "9112§3.2",
    "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
  ),
  ...each(
    "B",
    150,
    {
      "a user": "u@a",
      "SP": "a b",
      "HTAB": "a\tb",
      "a list of one": "a,",
      "two colons": "a:80:80",
      "a port too large": "a:65536",
      "a port of many digits": `a:${"9".repeat(400)}`,
      "a negative port": "a:-1",
      "a port with SP": "a: 80",
      "a port alone": ":80",
      "an address without brackets": "::1",
      "an address without its bracket": "[::1",
      "an address with more behind": "[::1]x",
      "an address that is none": "[::g]",
      "an empty address": "[]",
      "an address with a zone": "[fe80::1%25eth0]",
      "a future address": "[v1.x]",
      "a fragment": "a#b",
      "a query": "a?b",
      "a backslash": "a\\b",
      "a URL": "http://a",
      "angle brackets": "<a>",
      "8 bits": "\xe4",
      "an escape that is none": "a%zz",
      "an escape cut short": "a%4",
      "quotes": '"a"',
    },
    (id, name, host) =>
      refused(
        id,
        `Host with ${name}`,
        "9110§7.2",
        `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      ),
  ),
  ...each(
    "B",
    180,
    {
      "capitals and a port": "A.Example:8080",
      "an underscore": "a_b",
      "an address": "127.0.0.1",
      "an IPv4 address in IPv6": "[::ffff:1.2.3.4]:80",
      "a dot at its end": "a.",
      "an escape": "a%41b",
      "no digit in its port": "a:",
      "zeros in its port": "a:0080",
    },
    (id, name, host) =>
      answered(
        id,
        `Host with ${name}`,
        "9110§7.2",
        `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
        "200",
        {
          expect: {
            upre: [`\\r\\nHost: ${host.replace(/[[\].]/g, "\\$&")}\\r\\n`],
          },
        },
      ),
  ),
  answered(
    "B190",
    "no Host in 1.0",
    "9112§3.2",
    "GET / HTTP/1.0\r\n\r\n",
    "200",
  ),
  answered(
    "B191",
    "an empty Host in 1.0",
    "9112§3.2",
    "GET / HTTP/1.0\r\nHost:\r\n\r\n",
    "200",
  ),
  refused(
    "B192",
    "a bad Host in 1.0",
    "9112§3.2",
    "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n",
  ),
  answered(
    "B193",
    "Host behind other fields",
    "9110§5.3",
    "GET / HTTP/1.1\r\nX: y\r\nhost:a\r\n\r\n",
    "200",
    {
      expect: { upre: ["\\r\\nhost:a\\r\\n"] },
    },
  ),
];

/** All of them. */
export const targetCases: readonly Http1Case[] = [...targets, ...hosts];
