/**
 * What belongs to one connection, and how long that lasts (RFC 9110 §7.6, RFC
 * 9112 §9).
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
} from "./make.ts";

const HOP = "9110§7.6.1";

const connectionFields: Http1Case[] = [
  answered(
    "H101",
    "Connection of two lines",
    HOP,
    `${GET}Connection: x-a\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\nConnection: X-B , ,\t\r\n\r\n`,
    "200",
    {
      expect: {
        upno: ["(?i)x-a", "(?i)x-b", "(?i)\\r\\nconnection:"],
        upre: ["X-C: 3"],
      },
    },
  ),
  ...each(
    "H",
    102,
    {
      "TE": "TE: gzip\r\n",
      "TE, named": "Connection: TE\r\nTE: deflate;q=0.5\r\n",
      "Trailer": "Trailer: X\r\n",
      "Proxy-Authorization": "Proxy-Authorization: Basic YTpi\r\n",
      "Proxy-Authenticate": "Proxy-Authenticate: Basic\r\n",
      "Keep-Alive": "Keep-Alive: max=1\r\n",
      "Proxy-Connection": "Proxy-Connection: close\r\n",
      "HTTP2-Settings": "HTTP2-Settings: AAMAAABk\r\n",
      "Upgrade": "Upgrade: websocket\r\n",
      "Connection": "Connection: x\r\n",
    },
    (id, name, lines) =>
      answered(id, `${name} ends here`, HOP, `${GET}${lines}\r\n`, "200", {
        expect: {
          upno: [
            "(?i)\\r\\n(te|trailer|proxy-[a-z]+|keep-alive|http2-settings|upgrade|connection):",
          ],
        },
      }),
  ),
  ...each(
    "H",
    115,
    {
      "Host": "Host: a",
      "Authorization": "Authorization: b",
      "Cookie": "Cookie: a=1",
      "Content-Type": "Content-Type: a/b",
      "Content-Encoding": "Content-Encoding: gzip",
      "If-Match": 'If-Match: "a"',
      "Range": "Range: bytes=0-1",
      "Accept": "Accept: */*",
      "Origin": "Origin: http://a",
      "Sec-Fetch-Site": "Sec-Fetch-Site: none",
      "Cache-Control": "Cache-Control: no-store",
    },
    (id, name, line) =>
      answered(
        id,
        `Connection can't take ${name} away`,
        "CVE-2022-31813; haproxy.md §3.2",
        `${
          name === "Host" ? "GET / HTTP/1.1\r\n" : GET
        }Connection: ${name}\r\n${line}\r\n\r\n`,
        "200",
        {
          expect: { upre: [`\\r\\n${line.replace(/[*?]/g, "\\$&")}\\r\\n`] },
        },
      ),
  ),
  answered(
    "H130",
    "Connection can't take our own fields away",
    "CVE-2022-31813",
    `${GET}Connection: x-forwarded-for, x-forwarded-proto, x-forwarded-host, via, forwarded\r\n\r\n`,
    "200",
    {
      expect: {
        upre: [
          "(?i)\\r\\nx-forwarded-for: [\\d., ]*127\\.0\\.0\\.1\\r\\n",
          "(?i)\\r\\nx-forwarded-proto: http\\r\\n",
          "(?i)\\r\\nvia: 1\\.1 ",
        ],
      },
    },
  ),
  refused(
    "H131",
    "10,000 options",
    "haproxy.md §3.2",
    `${GET}Connection: ${"a,".repeat(7000)}\r\n\r\n`,
  ),
  ...each(
    "H",
    132,
    {
      "no comma": "close x",
      "a parameter": "close;q=1",
      "quotes": '"close"',
      "8 bits": "close\xa0",
      "a slash": "a/b",
    },
    (id, name, value) =>
      refused(
        id,
        `Connection with ${name}`,
        "9110§7.6.1",
        `${GET}Connection: ${value}\r\n\r\n`,
      ),
  ),
  answered("H140", "Via is added", "9110§7.6.3", `${GET}\r\n`, "200", {
    expect: { upre: ["(?i)\\r\\nvia: 1\\.1 [^,\\r]+\\r\\n"] },
  }),
  answered(
    "H141",
    "Via says what the client spoke",
    "9110§7.6.3",
    "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    "200",
    {
      expect: { upre: ["(?i)\\r\\nvia: 1\\.0 "] },
    },
  ),
  answered(
    "H142",
    "Via is added to others'",
    "9110§7.6.3",
    `${GET}Via: 1.0 fred, 1.1 p.example\r\n\r\n`,
    "200",
    {
      expect: {
        upre: [
          "(?is)\\r\\nvia: 1\\.0 fred, 1\\.1 p\\.example(, 1\\.1 |\\r\\n.*via: 1\\.1 )",
        ],
      },
    },
  ),
  answered(
    "H143",
    "what a client says of the way to it is not believed",
    "haproxy.md §3.3",
    `${GET}X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\r\n`,
    "200",
    {
      expect: {
        upre: ["(?i)\\r\\nx-forwarded-proto: http\\r\\n"],
        upno: ["https", "evil"],
      },
    },
  ),
];

const persistence: Http1Case[] = [
  ...each(
    "I",
    101,
    {
      "capitals": "Connection: CLOSE\r\n",
      "a list": "Connection: keep-alive, close\r\n",
      "a second line": "Connection: keep-alive\r\nConnection: close\r\n",
      "empty elements": "Connection: ,, close ,\r\n",
    },
    (id, name, lines) =>
      answered(
        id,
        `close in ${name}`,
        "9112§9.6",
        `${GET}${lines}\r\n${NEXT}`,
        "200",
        {
          expect: {
            close: true,
            upno: ["/2"],
            outre: ["(?i)\\r\\nconnection: close\\r\\n"],
          },
        },
      ),
  ),
  answered(
    "I105",
    "HTTP/1.0 with keep-alive",
    "9112§9.3",
    `GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n${NEXT}`,
    "200",
    {
      expect: { close: true, upno: ["/2"] },
    },
  ),
  answered(
    "I106",
    "close and a body",
    "9112§9.6",
    `${POST}Connection: close\r\nContent-Length: 5\r\n\r\nhello${NEXT}`,
    "200",
    {
      expect: { close: true, upre: ["hello"], upno: ["/2"] },
    },
  ),
  answered(
    "I107",
    "a broken request behind a good one",
    "9112§9.3.2",
    `${GET}\r\nBROKEN\r\n\r\n${NEXT}`,
    ["200", "400"],
    {
      expect: { close: true, upno: ["/2", "BROKEN"] },
    },
  ),
  refused(
    "I108",
    "a good request behind a broken one",
    "haproxy.md §3.1(8)",
    `BROKEN\r\n\r\n${NEXT}`,
  ),
  answered(
    "I109",
    "requests with bodies in a row",
    "9112§9.3.2",
    `${POST}Content-Length: 2\r\n\r\nab${POST}${CHUNKED}\r\n2\r\ncd\r\n0\r\n\r\n${NEXT}`,
    ["200", "200", "200"],
    {
      expect: { upre: ["(?s)\\r\\n\\r\\nab.*cd.*GET /2 "] },
    },
  ),
  answered(
    "I110",
    "the backend's close is its own",
    "9112§9.6; haproxy.md §3.3",
    [`${GET}\r\n`, 0.2, NEXT],
    ["200", "200"],
    {
      backend: [{
        close:
          "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
      }, OK],
      expect: { ups: 2, outno: ["(?i)connection: close"] },
    },
  ),
  answered(
    "I111",
    "a client that half-closes behind a body",
    "9112§9.6",
    [`${POST}Content-Length: 5\r\n\r\nhello`, "SHUT"],
    "200",
    {
      expect: { close: true, upre: ["hello"] },
    },
  ),
  answered(
    "I112",
    "a client that half-closes before a request",
    "9112§9.5",
    ["SHUT"],
    [],
    {
      expect: { close: true, up: 0 },
    },
  ),
  answered(
    "I113",
    "50 pipelined requests",
    "9112§9.3.2",
    Array.from(
      { length: 50 },
      (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`,
    ).join(""),
    Array.from({ length: 50 }, () => "200"),
    {
      expect: {
        upre: [
          `(?s)${
            Array.from({ length: 50 }, (_, i) => `GET /${i} `).join(".*")
          }`,
        ],
      },
    },
  ),
  answered(
    "I114",
    "a request cut short behind a good one",
    "9112§8",
    [`${GET}\r\nGET /2 HTTP/1.1\r\nHo`, "SHUT"],
    ["200", "400|"],
    {
      expect: { close: true, upno: ["/2"] },
    },
  ),
];

/** All of them. */
export const hopCases: readonly Http1Case[] = [
  ...connectionFields,
  ...persistence,
];
