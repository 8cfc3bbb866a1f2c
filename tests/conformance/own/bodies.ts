/**
 * What frames a request's body: Content-Length, Transfer-Encoding (RFC 9112 §6).
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import {
  answered,
  CHUNKED,
  each,
  GET,
  POST,
  refused,
  SMUGGLED,
} from "./make.ts";

const lengths: Http1Case[] = [
  ...each(
    "E",
    101,
    {
      "a sign": "+5",
      "a negative zero": "-0",
      "a fraction": "5.0",
      "an exponent": "5e0",
      "a parameter": "5;a",
      "quotes": '"5"',
      "a hexadecimal digit": "5h",
      "a comma before": ",5",
      "a list of equals": "5, 5",
      "a list without SP": "5,5",
      "digits that are none": "\xb2",
      "VT before": "\x0b5",
      "VT behind": "5\x0b",
      "8-bit SP behind": "5\xa0",
      "2^53": "9007199254740992",
      "2^64": "18446744073709551616",
      "2^64 and 5": "18446744073709551621",
      "400 digits": "9".repeat(400),
      "an apostrophe": "1'000",
      "a word": "five",
    },
    (id, name, value) =>
      refused(
        id,
        `a length of ${name}`,
        "9110§8.6",
        `${POST}Content-Length: ${value}\r\n\r\nhello`,
      ),
  ),
  ...each(
    "E",
    125,
    {
      "equal in other digits": "Content-Length: 5\r\nContent-Length: 05\r\n",
      "in other letters": "content-length: 5\r\nCONTENT-LENGTH: 6\r\n",
      "with fields between":
        "Content-Length: 5\r\nX: y\r\nContent-Length: 0\r\n",
      "the second empty": "Content-Length: 5\r\nContent-Length:\r\n",
      "three": "Content-Length: 5\r\n".repeat(3),
    },
    (id, name, lines) =>
      refused(id, `lengths ${name}`, "9112§6.3(5)", `${POST}${lines}\r\nhello`),
  ),
  ...each(
    "E",
    135,
    {
      "SP behind the name": "Content-Length : 5\r\n",
      "a folded value": "Content-Length:\r\n 5\r\n",
      "SP before the name": "X: y\r\n Content-Length: 5\r\n",
      "NUL in the name": "Content-Length\0: 5\r\n",
      "CR before": "X: y\rContent-Length: 5\r\n",
      "LF before": "X: y\nContent-Length: 5\r\n",
    },
    (id, name, lines) =>
      refused(
        id,
        `a length with ${name}`,
        "9112§5",
        `${POST}${lines}\r\nhello`,
      ),
  ),
  answered(
    "E150",
    "zeros before a length",
    "9110§8.6",
    `${POST}Content-Length: 0000000005\r\n\r\nhello${SMUGGLED}`,
    ["200", "200"],
    {
      expect: { upre: ["hello"], upno: ["(?i)content-length: 00"] },
    },
  ),
  answered(
    "E151",
    "whitespace around a length",
    "9110§5.5",
    `${POST}Content-Length: \t5 \t\r\n\r\nhello`,
    "200",
    {
      expect: { upre: ["\\r\\n\\r\\nhello"] },
    },
  ),
  answered(
    "E152",
    "a length of 0",
    "9112§6.2",
    `${POST}Content-Length: 0\r\n\r\n${SMUGGLED}`,
    ["200", "200"],
  ),
  answered("E153", "no length", "9112§6.3(7)", `${POST}\r\n${SMUGGLED}`, [
    "200",
    "200",
  ]),
  answered(
    "E154",
    "a body and the next request",
    "9112§9.3.2",
    `${POST}Content-Length: 5\r\n\r\nhello${SMUGGLED}`,
    ["200", "200"],
    {
      expect: { upre: ["hello"] },
    },
  ),
  answered(
    "E155",
    "a body that is longer than said",
    "9112§6.3",
    `${POST}Content-Length: 1\r\n\r\nhello\r\n\r\n`,
    ["200", "400"],
    {
      expect: { close: true, upno: ["ello"] },
    },
  ),
  answered(
    "E156",
    "a name that starts like Content-Length",
    "9110§5.1",
    `${POST}Content-Length-X: 5\r\n\r\n${SMUGGLED}`,
    ["200", "200"],
  ),
  answered(
    "E157",
    "Connection names Content-Length",
    "9110§7.6.1",
    `${POST}Connection: content-length\r\nContent-Length: 5\r\n\r\nhello${SMUGGLED}`,
    ["200", "200"],
    {
      expect: { upre: ["hello"] },
    },
  ),
  answered(
    "E158",
    "a body in HTTP/1.0",
    "9112§6.3",
    `POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${SMUGGLED}`,
    "200",
    {
      expect: { close: true, upre: ["hello"], upno: ["/smug"] },
    },
  ),
  answered(
    "E159",
    "a body of DELETE",
    "9110§9.3.5",
    "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "200",
    {
      expect: { upre: ["hello"] },
    },
  ),
  answered(
    "E160",
    "a body of HEAD",
    "9110§9.3.2",
    `HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`,
    "200|400",
    {
      backend: ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"],
      expect: { upre: ["hello|^$"] },
    },
  ),
];

const codings: Http1Case[] = [
  ...each(
    "F",
    101,
    {
      "a parameter": "chunked;q=1",
      "a comma behind": "chunked,",
      "two commas": "chunked,,",
      "VT behind": "chunked\x0b",
      "FF before": "\x0cchunked",
      "8 bits behind": "chunked\x85",
      "8 bits before": "\xa0chunked",
      "a word twice": "chunked chunked",
      "SP within": "chun ked",
      "apostrophes": "'chunked'",
      "a parenthesis": "chunked (x)",
      "nothing but a comma": ",",
      "a part": "chunke",
    },
    (id, name, value) =>
      answered(
        id,
        `a coding with ${name}`,
        "9112§6.1, §7",
        `${POST}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n${SMUGGLED}`,
        "400|501",
        {
          expect: { close: true, up: 0 },
        },
      ),
  ),
  ...each(
    "F",
    121,
    {
      "identity": "identity",
      "identity, chunked": "identity, chunked",
      "chunked, identity": "chunked, identity",
      "gzip": "gzip",
      "gzip and deflate": "gzip, deflate",
      "chunked, gzip": "chunked, gzip",
      "pigeons": "pigeons",
      "a word of chunked twice": "chunkedchunked",
      "chunked of other letters": "chunKed, x",
    },
    (id, name, value) =>
      refused(
        id,
        `the coding ${name}`,
        "9112§6.1",
        `${POST}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n${SMUGGLED}`,
        "501",
      ),
  ),
  ...each(
    "F",
    135,
    {
      "SP behind the name": "Transfer-Encoding : chunked\r\n",
      "HTAB behind the name": "Transfer-Encoding\t: chunked\r\n",
      "NUL behind the name": "Transfer-Encoding\0: chunked\r\n",
      "SP before the name": "X: y\r\n Transfer-Encoding: chunked\r\n",
      "HTAB before the name": "X: y\r\n\tTransfer-Encoding: chunked\r\n",
      "CR before the name": "X: y\rTransfer-Encoding: chunked\r\n",
      "LF before the name": "X: y\nTransfer-Encoding: chunked\r\n",
      "NUL in the value": "Transfer-Encoding: chunked\0\r\n",
      "CR in the value": "Transfer-Encoding: chunked\r \r\n",
      "a bare LF behind": "Transfer-Encoding: chunked\n",
      "no colon": "Transfer-Encoding chunked\r\n",
      "an empty name before": ": x\r\nTransfer-Encoding: chunked\r\n",
    },
    (id, name, lines) =>
      refused(
        id,
        `a coding with ${name}`,
        "9112§5; request smuggling",
        `${POST}Content-Length: 5\r\n${lines}\r\n0\r\n\r\n`,
      ),
  ),
  ...each(
    "F",
    150,
    {
      "the length first": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
      "the length behind":
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
      "a length of 0": "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
      "other letters": "content-length: 5\r\ntRANSFER-eNCODING: cHUNKED\r\n",
      "an empty coding": "Content-Length: 5\r\nTransfer-Encoding: \t\r\n",
      "Connection naming the length":
        "Connection: content-length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
      "Connection naming the coding":
        "Connection: transfer-encoding\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    },
    (id, name, lines) =>
      refused(
        id,
        `length and coding, ${name}`,
        "9112§6.1",
        `${POST}${lines}\r\n0\r\n\r\n`,
      ),
  ),
  ...each(
    "F",
    160,
    {
      "an unknown one first":
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
      "an unknown one behind":
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
      "an empty one": "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
    },
    (id, name, lines) =>
      refused(
        id,
        `two codings, ${name}`,
        "9112§6.1",
        `${POST}${lines}\r\n0\r\n\r\n`,
      ),
  ),
  refused(
    "F165",
    "a coding and a length in 1.0",
    "9112§6.1",
    `POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n${CHUNKED}\r\n0\r\n\r\n`,
  ),
  answered(
    "F166",
    "whitespace around chunked",
    "9110§5.5",
    `${POST}Transfer-Encoding: \t chunked \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
    ["200", "200"],
    {
      expect: { upre: ["hello"] },
    },
  ),
  answered(
    "F167",
    "no whitespace before chunked",
    "9112§5",
    `${POST}transfer-encoding:chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    "200",
    {
      expect: { upre: ["hello"] },
    },
  ),
  answered(
    "F168",
    "Connection names Transfer-Encoding",
    "9110§7.6.1",
    `${POST}Connection: transfer-encoding\r\n${CHUNKED}\r\n5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
    ["200", "200"],
    {
      expect: { upre: ["hello"] },
    },
  ),
  answered(
    "F169",
    "a chunked GET and the next request",
    "9112§6",
    `${GET}${CHUNKED}\r\n0\r\n\r\n${SMUGGLED}`,
    ["200", "200"],
  ),
];

/** All of them. */
export const bodyCases: readonly Http1Case[] = [...lengths, ...codings];
