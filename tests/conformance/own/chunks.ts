/**
 * Chunks, their extensions, trailers (RFC 9112 §7.1).
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import { answered, CHUNKED, each, POST, refused, SMUGGLED } from "./make.ts";

const HEAD = `${POST}${CHUNKED}\r\n`;

/** What surrounds the data, the chunks, and the data alone. */
const GOOD: readonly (readonly [string, string, string])[] = [
  [
    "capitals in sizes",
    "5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "hello0123456789",
  ],
  ["zeros before a size", "0000000000005\r\nhello\r\n0\r\n\r\n", "hello"],
  ["a last chunk of several zeros", "5\r\nhello\r\n0000\r\n\r\n", "hello"],
  ["CRLF within data", "9\r\na\r\n0\r\n\r\nb\r\n0\r\n\r\n", "a\r\n0\r\n\r\nb"],
  [
    "whitespace around an extension",
    "5 \t; \ta \t= \tb;c\r\nhello\r\n0 ;d\r\n\r\n",
    "hello",
  ],
  ["a quoted extension", '5;a="\\"\\\\;\t\xe4"\r\nhello\r\n0\r\n\r\n', "hello"],
  ["trailers", "5\r\nhello\r\n0\r\nX: y\r\nZ:\r\n\r\n", "hello"],
  [
    "trailers that would frame",
    "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\nHost: b\r\nConnection: close\r\n\r\n",
    "hello",
  ],
  ["a byte each", "1\r\nx\r\n".repeat(100) + "0\r\n\r\n", "x".repeat(100)],
  ["nothing in them", "0\r\n\r\n", ""],
];

/** All of them. */
export const chunkCases: readonly Http1Case[] = [
  ...each(
    "G",
    101,
    {
      "none": "\r\nhello\r\n0\r\n\r\n",
      "SP alone": " \r\n\r\n0\r\n\r\n",
      "SP and CRLF behind": "5 \r\nhello\r\n0\r\n\r\n",
      "HTAB and CRLF behind": "5\t\r\nhello\r\n0\r\n\r\n",
      "HTAB before": "\t5\r\nhello\r\n0\r\n\r\n",
      "CRLF before": "\r\n5\r\nhello\r\n0\r\n\r\n",
      "SP within": "0 5\r\nhello\r\n0\r\n\r\n",
      "a prefix": "0x5\r\nhello\r\n0\r\n\r\n",
      "an underscore": "0_5\r\nhello\r\n0\r\n\r\n",
      "an h": "5h\r\nhello\r\n0\r\n\r\n",
      "quotes": '"5"\r\nhello\r\n0\r\n\r\n',
      "NUL behind": "5\0\r\nhello\r\n0\r\n\r\n",
      "8 bits": "\xb5\r\nhello\r\n0\r\n\r\n",
      "a comma": "5,5\r\nhello\r\n0\r\n\r\n",
      "a fraction": "5.0\r\nhello\r\n0\r\n\r\n",
      "14 digits": "00000000000005\r\nhello\r\n0\r\n\r\n",
      "2^53": "20000000000000\r\nhello\r\n0\r\n\r\n",
      "zeros without end": `${"0".repeat(2000)}\r\n\r\n`,
      "a bare LF": "5\nhello\r\n0\r\n\r\n",
      "CR CR LF": "5\r\r\nhello\r\n0\r\n\r\n",
      "LF CR": "5\n\rhello\r\n0\r\n\r\n",
      "a negative zero": "-0\r\n\r\n",
    },
    (id, name, body) =>
      refused(id, `a chunk's size: ${name}`, "9112§7.1", HEAD + body),
  ),
  ...each(
    "G",
    131,
    {
      "none, another semicolon": "5;;a\r\nhello\r\n0\r\n\r\n",
      "an empty one": "5;\r\nhello\r\n0\r\n\r\n",
      "no name": "5;=a\r\nhello\r\n0\r\n\r\n",
      "no value": "5;a=\r\nhello\r\n0\r\n\r\n",
      "SP behind it": "5;a \r\nhello\r\n0\r\n\r\n",
      "LF": "5;a\nhello\r\n0\r\n\r\n",
      "LF within": "5;a\nb\r\nhello\r\n0\r\n\r\n",
      "an open quote": '5;a="b\r\nhello\r\n0\r\n\r\n',
      "a quote within a token": '5;a=b"c"\r\nhello\r\n0\r\n\r\n',
      "CR in quotes": '5;a="\r"\r\nhello\r\n0\r\n\r\n',
      "LF in quotes": '5;a="\n"\r\nhello\r\n0\r\n\r\n',
      "an escaped LF": '5;a="\\\n"\r\nhello\r\n0\r\n\r\n',
      "NUL": "5;a=\0\r\nhello\r\n0\r\n\r\n",
      "8 bits": "5;\xe4\r\nhello\r\n0\r\n\r\n",
      "a word without semicolon": "5 a\r\nhello\r\n0\r\n\r\n",
      "2,000 bytes": `5;${"a".repeat(2000)}\r\nhello\r\n0\r\n\r\n`,
      "CR and SP before": "5\r ;a\r\nhello\r\n0\r\n\r\n",
      "in the last chunk, LF": "5\r\nhello\r\n0;a\n\r\n",
    },
    (id, name, body) =>
      refused(id, `a chunk's extension: ${name}`, "9112§7.1.1", HEAD + body),
  ),
  ...each(
    "G",
    151,
    {
      "one byte more": "5\r\nhello!\r\n0\r\n\r\n",
      "one byte less": "6\r\nhello\r\n0\r\n\r\n",
      "CR alone behind": "5\r\nhello\r0\r\n\r\n",
      "CR CR LF behind": "5\r\nhello\r\r\n0\r\n\r\n",
      "LF CR behind": "5\r\nhello\n\r0\r\n\r\n",
      "two empty lines behind": "5\r\nhello\r\n\r\n0\r\n\r\n",
    },
    (id, name, body) =>
      refused(id, `a chunk's data: ${name}`, "9112§7.1", HEAD + body),
  ),
  ...each(
    "G",
    161,
    {
      "LF ends the last size": "0\n\r\n",
      "LF ends the body": "0\r\n\n",
      "CR ends the body": "0\r\n\rX",
      "the next request in their place": `0\r\n${SMUGGLED}`,
      "a folded one": "0\r\nX: y\r\n z\r\n\r\n",
      "one that starts with SP": "0\r\n X: y\r\n\r\n",
      "SP before the colon": "0\r\nX : y\r\n\r\n",
      "one without a name": "0\r\n: y\r\n\r\n",
      "one without a colon": "0\r\nX\r\n\r\n",
      "NUL in one": "0\r\nX: y\0\r\n\r\n",
      "CR in one": "0\r\nX: y\rz\r\n\r\n",
      "LF behind one": "0\r\nX: y\n\r\n",
    },
    (id, name, body) =>
      refused(id, `trailers: ${name}`, "9112§7.1.2", HEAD + body),
  ),
  refused(
    "G175",
    "101 trailers",
    "9110§5.4",
    `${HEAD}0\r\n${"X: y\r\n".repeat(101)}\r\n`,
    "431",
  ),
  // The first of them fill a buffer: what precedes them has left.
  answered(
    "G176",
    "17 KiB of extensions, none of them long",
    "haproxy.md §3.1(6)",
    HEAD + `1;${"a".repeat(1000)}\r\nx\r\n`.repeat(18) + "0\r\n\r\n",
    "400",
    { expect: { close: true, nopool: true, upno: ["0\\r\\n\\r\\n"] } },
  ),
  refused(
    "G177",
    "two bytes that are no chunk behind one",
    "9112§7.1",
    `${HEAD}5\r\nhello\r\nzz\r\n0\r\n\r\n`,
  ),
  ...GOOD.map(([name, body, data], i) =>
    answered(
      `G${180 + i}`,
      `chunks with ${name}`,
      "9112§7.1",
      `${HEAD}${body}${SMUGGLED}`,
      ["200", "200"],
      {
        expect: {
          upre: [`\\r\\n\\r\\n${escaped(data)}GET /smug`],
          // Neither extensions nor trailers leave.
          // No extension of a chunk; Forwarded has semicolons of its own.
          upno: [
            "\\r\\n[0-9a-f]+;",
            "(?i)\\r\\n(x|z|connection|content-length): ?",
          ],
        },
      },
    )
  ),
  answered(
    "G195",
    "the client ends within chunks",
    "9112§8",
    [`${HEAD}5\r\nhello\r\n`, "SHUT"],
    "400|408|",
    {
      expect: { close: true, nopool: true, upno: ["0\\r\\n\\r\\n"] },
    },
  ),
  answered(
    "G196",
    "the client ends within trailers",
    "9112§8",
    [`${HEAD}5\r\nhello\r\n0\r\nX: y\r\n`, "SHUT"],
    "400|408|",
    {
      expect: { close: true, nopool: true, upno: ["0\\r\\n\\r\\n"] },
    },
  ),
  answered(
    "G197",
    "the client stalls within a chunk",
    "haproxy.md §3.4",
    [`${HEAD}5\r\nhel`, 0.1],
    "408",
    {
      expect: { close: true, nopool: true, upno: ["0\\r\\n\\r\\n"] },
    },
  ),
];

function escaped(text: string): string {
  return text.replaceAll("\r", "\\r").replaceAll("\n", "\\n");
}
