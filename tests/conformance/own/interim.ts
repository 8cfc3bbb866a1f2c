/**
 * Methods of their own kind, responses without a body, interim responses (RFC
 * 9110 §7.6.2, §9.3, §10.1.1, §15.2).
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import {
  answered,
  CHUNKED,
  each,
  GET,
  NEXT,
  OK,
  POST,
  refused,
  replied,
  SMUGGLED,
} from "./make.ts";

const methods: Http1Case[] = [
  answered(
    "J101",
    "OPTIONS with Max-Forwards 0",
    "9110§7.6.2",
    "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
    "200|204",
    {
      expect: { up: 0 },
    },
  ),
  answered(
    "J102",
    "OPTIONS with Max-Forwards 1",
    "9110§7.6.2",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n",
    "200",
    {
      expect: {
        upre: ["^OPTIONS \\* HTTP", "(?i)\\r\\nmax-forwards: 0\\r\\n"],
      },
    },
  ),
  answered(
    "J103",
    "GET with Max-Forwards",
    "9110§7.6.2",
    `${GET}Max-Forwards: 5\r\n\r\n`,
    "200",
    {
      expect: { upre: ["Max-Forwards: 5\\r\\n"] },
    },
  ),
  answered(
    "J104",
    "Connection can't take Max-Forwards away",
    "9110§7.6.2",
    "OPTIONS / HTTP/1.1\r\nHost: a\r\nConnection: max-forwards\r\nMax-Forwards: 0\r\n\r\n",
    "200|204",
    {
      expect: { up: 0 },
    },
  ),
  refused(
    "J105",
    "TRACE of other fields",
    "9110§9.3.8",
    "TRACE / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\n\r\n",
    "405",
  ),
  answered(
    "J106",
    "trace",
    "9110§9.1",
    "trace / HTTP/1.1\r\nHost: a\r\n\r\n",
    "200|405|501",
    { expect: { upre: ["^trace /|^$"] } },
  ),
  answered(
    "J107",
    "a length of HEAD's response stays",
    "9110§8.6",
    `HEAD / HTTP/1.1\r\nHost: a\r\n\r\n`,
    "200",
    {
      backend: ["HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"],
      expect: {
        outre: ["(?i)\\r\\ncontent-length: 12345\\r\\n", "\\r\\n\\r\\n$"],
      },
    },
  ),
  answered(
    "J108",
    "chunks announced to HEAD",
    "9112§6.1",
    ["HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 0.2, NEXT],
    ["200", "200"],
    {
      backend: [`HTTP/1.1 200 OK\r\n${CHUNKED}\r\n`, OK],
      expect: { ups: 1 },
    },
  ),
  answered(
    "J109",
    "HEAD without a length",
    "9112§6.3(1)",
    ["HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 0.2, NEXT],
    ["200", "200"],
    {
      backend: ["HTTP/1.1 200 OK\r\n\r\n", OK],
    },
  ),
  answered("J110", "304 with a length", "9110§8.6", [`${GET}\r\n`, 0.2, NEXT], [
    "304",
    "200",
  ], {
    backend: ["HTTP/1.1 304 Not Modified\r\nContent-Length: 12345\r\n\r\n", OK],
    expect: { ups: 1 },
  }),
  answered(
    "J111",
    "304 with a body",
    "9112§6.3(1)",
    [`${GET}\r\n`, 0.3, NEXT],
    ["304", "200"],
    {
      backend: [
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nEVIL",
        OK,
      ],
      expect: { ups: 2, outno: ["EVIL"] },
    },
  ),
  answered("J112", "204 with chunks", "9112§6.1", [`${GET}\r\n`, 0.3, NEXT], [
    "204",
    "200",
  ], {
    backend: [
      `HTTP/1.1 204 No Content\r\n${CHUNKED}\r\n4\r\nEVIL\r\n0\r\n\r\n`,
      OK,
    ],
    expect: {
      ups: 2,
      outno: ["EVIL", "(?i)204 No Content\\r\\n(.+\\r\\n)*transfer-encoding"],
    },
  }),
  answered(
    "J113",
    "205 with a length of 0",
    "9110§15.3.6",
    [`${GET}\r\n`, 0.2, NEXT],
    ["205", "200"],
    {
      backend: ["HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", OK],
      expect: { ups: 1 },
    },
  ),
];

const BODY = "Content-Length: 5\r\n";
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

const interim: Http1Case[] = [
  replied(
    "K101",
    "several 103",
    "9110§15.2",
    `HTTP/1.1 103 A\r\nLink: </a>\r\n\r\nHTTP/1.1 103 B\r\nLink: </b>\r\n\r\n${OK}`,
    ["103", "103", "200"],
    { outre: ["(?s)</a>.*</b>"] },
  ),
  replied(
    "K102",
    "102 and 199",
    "9110§15.2",
    `HTTP/1.1 102 P\r\n\r\nHTTP/1.1 199 X\r\n\r\n${OK}`,
    ["102", "199", "200"],
  ),
  replied(
    "K103",
    "an interim response that frames a body",
    "9110§8.6",
    `HTTP/1.1 103 E\r\nContent-Length: 5\r\n\r\n${OK}`,
    ["103", "200"],
    { outno: ["(?i)content-length: 5"] },
  ),
  replied(
    "K104",
    "an interim response in chunks",
    "9112§6.1",
    `HTTP/1.1 103 E\r\n${CHUNKED}\r\n${OK}`,
    ["103", "200"],
    { outno: ["(?i)transfer-encoding"] },
  ),
  replied(
    "K105",
    "interim responses without end",
    "haproxy.md §3.3",
    "HTTP/1.1 102 P\r\n\r\n".repeat(1000),
    [...Array.from({ length: 32 }, () => "102"), "502"],
  ),
  replied("K106", "an unasked 100", "9110§15.2.1", `${CONTINUE}${OK}`, [
    "100|",
    "200",
  ]),
  answered(
    "K107",
    "100 to HTTP/1.0",
    "9110§15.2",
    `POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n${BODY}\r\nhello`,
    "200",
    {
      backend: [{ early: true, data: CONTINUE, then: OK }],
      expect: { close: true, upno: ["(?i)expect"], upre: ["hello"] },
    },
  ),
  answered(
    "K108",
    "100-continue in capitals",
    "9110§10.1.1",
    [`${POST}Expect: 100-CONTINUE\r\n${BODY}\r\n`, 0.2, "hello"],
    ["100", "200"],
    {
      backend: [{ early: true, data: CONTINUE, then: OK }],
      expect: { upre: ["hello"] },
    },
  ),
  answered(
    "K109",
    "100-continue without a body",
    "9110§10.1.1",
    `${GET}Expect: 100-continue\r\n\r\n`,
    "200",
    {
      expect: { upno: ["(?i)expect"] },
    },
  ),
  answered(
    "K110",
    "100-continue, a body at once",
    "9110§10.1.1",
    `${POST}Expect: 100-continue\r\n${BODY}\r\nhello${SMUGGLED}`,
    ["100|", "200", "200"],
    {
      expect: { upre: ["hello"] },
    },
  ),
  ...each(
    "K",
    111,
    {
      "two words": "100-continue, 100-continue",
      "a parameter": "100-continue;q=1",
      "a word more": "100-continue x",
      "two lines": "100-continue\r\nExpect: 100-continue",
      "an unknown one besides": "100-continue\r\nExpect: x",
      "nothing": "",
    },
    (id, name, value) =>
      answered(
        id,
        `Expect with ${name}`,
        "9110§10.1.1",
        `${POST}Expect: ${value}\r\n${BODY}\r\nhello`,
        "417|400",
        {
          expect: { upno: ["(?i)expect"] },
        },
      ),
  ),
  answered(
    "K120",
    "a body that comes before 100",
    "9110§10.1.1",
    [
      `${POST}Expect: 100-continue\r\n${CHUNKED}\r\n5\r\nhel`,
      0.2,
      "lo\r\n0\r\n\r\n",
    ],
    ["100|", "200"],
    {
      expect: { upre: ["hello"] },
    },
  ),
];

/** All of them. */
export const interimCases: readonly Http1Case[] = [...methods, ...interim];
