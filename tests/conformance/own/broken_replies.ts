/**
 * What is no response, and what breaks within one (RFC 9112 §4 to §8).
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import { answered, CHUNKED, each, GET, replied } from "./make.ts";

const LENGTH = "Content-Length: 2\r\n";
const HEAD = "HTTP/1.1 200 OK\r\n";

const broken: Http1Case[] = [
  ...each(
    "M",
    101,
    {
      "a lower-case version": "http/1.1 200 OK",
      "HTTP/2": "HTTP/2 200 OK",
      "HTTP/2.0": "HTTP/2.0 200 OK",
      "HTTP/0.9": "HTTP/0.9 200 OK",
      "HTTP/1.10": "HTTP/1.10 200 OK",
      "HTTP/01.1": "HTTP/01.1 200 OK",
      "another protocol": "ICY 200 OK",
      "a letter missing": "HTP/1.1 200 OK",
      "SP before": " HTTP/1.1 200 OK",
      "an empty line before": "\r\nHTTP/1.1 200 OK",
      "CR before": "\rHTTP/1.1 200 OK",
      "two SP before the status": "HTTP/1.1  200 OK",
      "HTAB before the status": "HTTP/1.1\t200 OK",
      "no SP before the status": "HTTP/1.1200 OK",
      "a status of two digits": "HTTP/1.1 20 OK",
      "a status of four digits": "HTTP/1.1 2000 OK",
      "a status of letters": "HTTP/1.1 2OO OK",
      "a negative status": "HTTP/1.1 -200 OK",
      "status 099": "HTTP/1.1 099 OK",
      "status 000": "HTTP/1.1 000 OK",
      "status 600": "HTTP/1.1 600 OK",
      "no status": "HTTP/1.1",
      "HTAB behind the status": "HTTP/1.1 200\tOK",
      "NUL in the reason": "HTTP/1.1 200 O\0K",
      "ESC in the reason": "HTTP/1.1 200 O\x1bK",
      "CR in the reason": "HTTP/1.1 200 O\rK",
      "LF in the reason": "HTTP/1.1 200 O\nK",
      "CR CR LF": "HTTP/1.1 200 OK\r",
    },
    (id, name, line) =>
      replied(
        id,
        `a status line with ${name}`,
        "9112§4",
        `${line}\r\n${LENGTH}\r\nok`,
        "502",
      ),
  ),
  ...each("M", 131, {
    "bare LF ends the status line": `HTTP/1.1 200 OK\n${LENGTH}\r\nok`,
    "bare LF ends a field": `${HEAD}Content-Length: 2\n\r\nok`,
    "bare LF ends the head": `${HEAD}${LENGTH}\nok`,
    "folding": `${HEAD}X: y\r\n z\r\n${LENGTH}\r\nok`,
    "SP before the first field": `${HEAD} X: y\r\n${LENGTH}\r\nok`,
    "a field without a colon": `${HEAD}X\r\n${LENGTH}\r\nok`,
    "a field without a name": `${HEAD}: y\r\n${LENGTH}\r\nok`,
    "SP within a name": `${HEAD}X y: z\r\n${LENGTH}\r\nok`,
    "HTAB before a colon": `${HEAD}X\t: z\r\n${LENGTH}\r\nok`,
    "8 bits in a name": `${HEAD}X\xe4: z\r\n${LENGTH}\r\nok`,
    "LF in a value": `${HEAD}X: y\nZ: x\r\n${LENGTH}\r\nok`,
    "ESC in a value": `${HEAD}X: y\x1bz\r\n${LENGTH}\r\nok`,
    "DEL in a value": `${HEAD}X: y\x7fz\r\n${LENGTH}\r\nok`,
    "a head without end": `${HEAD}X: ${"y".repeat(70_000)}`,
    "257 fields": `${HEAD}${"X: y\r\n".repeat(256)}${LENGTH}\r\nok`,
    "33 options of Connection": `${HEAD}Connection: ${
      "a,".repeat(33)
    }\r\n${LENGTH}\r\nok`,
  }, (id, name, reply) => replied(id, name, "9112§2.2, §5", reply, "502")),
  ...each(
    "M",
    151,
    {
      "a sign": "+2",
      "a negative one": "-2",
      "a hexadecimal one": "0x2",
      "a fraction": "2.0",
      "a list": "2, 2",
      "a list of different ones": "2, 3",
      "nothing": "",
      "SP within": "1 2",
      "2^53": "9007199254740992",
    },
    (id, name, value) =>
      replied(
        id,
        `a response's length: ${name}`,
        "9112§6.3(5)",
        `${HEAD}Content-Length: ${value}\r\n\r\nok`,
        "502",
      ),
  ),
  ...each(
    "M",
    165,
    {
      "gzip, chunked": "Transfer-Encoding: gzip, chunked\r\n",
      "chunked, gzip": "Transfer-Encoding: chunked, gzip\r\n",
      "identity": "Transfer-Encoding: identity\r\n",
      "chunked twice": "Transfer-Encoding: chunked, chunked\r\n",
      "chunked in two lines": CHUNKED + CHUNKED,
      "nothing": "Transfer-Encoding:\r\n",
      "a comma": "Transfer-Encoding: ,chunked\r\n",
      "8 bits": "Transfer-Encoding: chunked\x85\r\n",
      "a length before": `${LENGTH}${CHUNKED}`,
      "a length behind": `${CHUNKED}${LENGTH}`,
    },
    (id, name, lines) =>
      replied(
        id,
        `a response's coding: ${name}`,
        "9112§6.1",
        `${HEAD}${lines}\r\n2\r\nok\r\n0\r\n\r\n`,
        "502",
      ),
  ),
  replied(
    "M180",
    "two different lengths",
    "9112§6.3(5)",
    `${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok`,
    "502",
  ),
  replied("M181", "chunked in HTTP/1.0", "9112§6.1", {
    close: `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n2\r\nok\r\n0\r\n\r\n`,
  }, "502"),
  replied(
    "M182",
    "the end within a head",
    "9112§8",
    { close: `${HEAD}X: y` },
    "502",
  ),
  replied("M183", "a head that never ends", "haproxy.md §3.4", {
    data: `${HEAD}X: y\r\n`,
    hang: true,
  }, "504"),
  replied("M184", "no byte", "9110§15.6.5", { data: "", hang: true }, "504"),
];

/** A response whose body breaks when its head is out: truncated, never mended. */
const truncated: Http1Case[] = [
  ...each(
    "M",
    191,
    {
      "a size that is none": "2\r\nok\r\nzz\r\nevil",
      "no CRLF behind data": "2\r\nokX\r\n0\r\n\r\n",
      "a bare LF behind a size": "2\r\nok\r\n0\n\r\n",
      "14 digits": "2\r\nok\r\n00000000000001\r\nx\r\n0\r\n\r\n",
      "an extension without end": `2\r\nok\r\n1;${"a".repeat(2000)}`,
      "a trailer that is none": "2\r\nok\r\n0\r\nX\r\n\r\n",
      "a folded trailer": "2\r\nok\r\n0\r\nX: y\r\n z\r\n\r\n",
      "SP behind a size": "2\r\nok\r\n0 \r\n\r\n",
    },
    (id, name, body) =>
      answered(
        id,
        `a response's chunks: ${name}`,
        "9112§7.1, §8",
        `${GET}\r\n`,
        "200|502",
        {
          // All at once it is seen before the head is out, in pieces behind it.
          backend: [{ data: `${HEAD}${CHUNKED}\r\n${body}`, hang: true }],
          expect: {
            close: true,
            nopool: true,
            outno: ["evil", "(?s)chunked.*\\r\\n0\\r\\n\\r\\n$"],
          },
        },
      ),
  ),
  ...each(
    "M",
    201,
    {
      "within a chunk": `${CHUNKED}\r\n5\r\nhel`,
      "behind a chunk": `${CHUNKED}\r\n5\r\nhello\r\n`,
      "within the last size": `${CHUNKED}\r\n5\r\nhello\r\n0`,
      "within the trailers": `${CHUNKED}\r\n5\r\nhello\r\n0\r\nX: y`,
      "within a length": "Content-Length: 9\r\n\r\nhello",
    },
    (id, name, rest) =>
      replied(
        id,
        `the backend ends ${name}`,
        "9112§8",
        { close: HEAD + rest },
        "200",
        {
          close: true,
          outno: ["(?s)chunked.*\\r\\n0\\r\\n\\r\\n$"],
        },
      ),
  ),
  replied(
    "M206",
    "the backend stalls within a chunk",
    "haproxy.md §3.4",
    { data: `${HEAD}${CHUNKED}\r\n5\r\nhel`, hang: true },
    "200",
    {
      close: true,
      outno: ["(?s)chunked.*\\r\\n0\\r\\n\\r\\n$"],
    },
  ),
];

/** All of them. */
export const brokenReplyCases: readonly Http1Case[] = [...broken, ...truncated];
