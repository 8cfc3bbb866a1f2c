import { ProxyError } from "../../../core/errors.ts";
import { HeadIndex } from "../../../core/http1/head_index.ts";
import { Http1ResponseHead } from "../../../core/http1/response_head.ts";
import { parseResponseHead } from "../../../core/http1/response_parser.ts";
import { encodeLatin1 } from "../../../core/http1/text.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { LIMITS, parseResponse } from "./codec.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n";

/** [what is wrong, the head] */
const REFUSED: readonly (readonly [string, string])[] = [
  ["junk", "hello world"],
  ["a lower-case version", "http/1.1 200 OK\r\n\r\n"],
  ["HTTP/2", "HTTP/2.0 200 OK\r\n\r\n"],
  ["HTTP/0.9", "HTTP/0.9 200 OK\r\n\r\n"],
  ["two digits behind the dot", "HTTP/1.10 200 OK\r\n\r\n"],
  ["an empty line before", "\r\nHTTP/1.1 200 OK\r\n\r\n"],
  ["two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
  ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n"],
  ["a status above 599", "HTTP/1.1 600 OK\r\n\r\n"],
  ["a status that is no number", "HTTP/1.1 2x0 OK\r\n\r\n"],
  ["HTAB behind the status", "HTTP/1.1 200\tOK\r\n\r\n"],
  ["a bare LF behind the status", "HTTP/1.1 200\n\r\n"],
  ["a bare LF behind the reason", "HTTP/1.1 200 OK\n\r\n"],
  ["a bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n"],
  ["NUL in the reason", "HTTP/1.1 200 O\x00K\r\n\r\n"],
  ["a space before the colon", OK + "X : y\r\n\r\n"],
  ["obsolete folding", OK + "X: y\r\n z\r\n\r\n"],
  ["NUL in a value", OK + "X: y\x00z\r\n\r\n"],
  ["a bare CR in a value", OK + "X: y\rz\r\n\r\n"],
  ["a bare LF behind a field", OK + "X: y\n\r\n"],
  ["a bad length", OK + "Content-Length: x\r\n\r\n"],
  ["an empty length", OK + "Content-Length:\r\n\r\n"],
  ["a list of lengths", OK + "Content-Length: 2, 2\r\n\r\n"],
  [
    "two different lengths",
    OK + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
  ],
  [
    "two different lengths, the first 0",
    OK + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
  ],
  ["both length and coding", OK + `Content-Length: 2\r\n${CHUNKED}\r\n`],
  ["chunked twice", OK + CHUNKED + CHUNKED + "\r\n"],
  ["an unknown coding", OK + "Transfer-Encoding: gzip, chunked\r\n\r\n"],
  ["identity", OK + "Transfer-Encoding: identity\r\n\r\n"],
  ["a coding in HTTP/1.0", `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n`],
  ["a coding in a 204 of HTTP/1.0", `HTTP/1.0 204 No\r\n${CHUNKED}\r\n`],
  ["33 Connection options", OK + `Connection: ${"a,".repeat(33)}\r\n\r\n`],
];

for (const [what, text] of REFUSED) {
  Deno.test(`parseResponseHead() refuses ${what}`, () => {
    const error = assertThrows(() => parseResponse(text), ProxyError);
    assertEquals(error.code, "bad_response");
  });
}

const STATUS_LINES: readonly (readonly [string, number, string])[] = [
  ["HTTP/1.1 200 OK", 200, "OK"],
  ["HTTP/1.1 200 ", 200, ""],
  ["HTTP/1.1 200", 200, ""],
  ["HTTP/1.0 404 Not Found", 404, "Not Found"],
  ["HTTP/1.7 100 \t x\xe9 ", 100, "\t x\xe9 "],
  ["HTTP/1.1 599 :", 599, ":"],
];

for (const [line, status, reason] of STATUS_LINES) {
  Deno.test(`parseResponseHead() reads ${JSON.stringify(line)}`, () => {
    const head = parseResponse(`${line}\r\n\r\n`);
    assertEquals([head.status, head.reason], [status, reason]);
  });
}

/** [method, status line and fields, bodyLength, declaredLength, what else is true] */
const FRAMED: readonly (readonly [
  string,
  string,
  number,
  number | undefined,
  ("chunked" | "closeDelimited")?,
])[] = [
  ["GET", OK + "Content-Length: 5\r\n", 5, 5],
  ["GET", OK + "Content-Length: 0\r\n", 0, 0],
  ["GET", OK + "Content-Length: 5\r\ncontent-length: 5\r\n", 5, 5],
  ["GET", OK + CHUNKED, -1, undefined, "chunked"],
  ["GET", OK, -1, undefined, "closeDelimited"],
  ["GET", "HTTP/1.0 200 OK\r\n", -1, undefined, "closeDelimited"],
  ["HEAD", OK + "Content-Length: 5\r\n", 0, 5],
  ["HEAD", OK + CHUNKED, 0, undefined],
  ["HEAD", OK, 0, undefined],
  ["GET", "HTTP/1.1 304 N\r\nContent-Length: 5\r\n", 0, 5],
  ["GET", `HTTP/1.1 304 N\r\n${CHUNKED}`, 0, undefined],
  ["GET", "HTTP/1.1 204 N\r\nContent-Length: 5\r\n", 0, undefined],
  ["GET", `HTTP/1.1 204 N\r\n${CHUNKED}`, 0, undefined],
  ["GET", "HTTP/1.1 100 C\r\n", 0, undefined],
  ["GET", "HTTP/1.1 101 S\r\nContent-Length: 5\r\n", 0, undefined],
];

for (const [method, text, bodyLength, declaredLength, flag] of FRAMED) {
  Deno.test(`Http1ResponseHead frames ${method} ${JSON.stringify(text)}`, () => {
    const head = parseResponse(`${text}\r\n`, method);
    assertEquals(head.bodyLength, bodyLength);
    assertEquals(head.declaredLength, declaredLength);
    assertEquals(head.chunked, flag === "chunked");
    assertEquals(head.closeDelimited, flag === "closeDelimited");
  });
}

const LENGTH = "Content-Length: 2\r\n";
const KEPT_ALIVE: readonly (readonly [string, boolean])[] = [
  [OK + LENGTH, true],
  [OK + LENGTH + "Connection: close\r\n", false],
  [OK + LENGTH + "Connection: keep-alive, close\r\n", false],
  [OK + CHUNKED, true],
  [OK, false],
  ["HTTP/1.0 200 OK\r\n" + LENGTH, false],
  ["HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + LENGTH, true],
  ["HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", false],
  ["HTTP/1.1 204 N\r\n", true],
  ["HTTP/1.1 204 N\r\nContent-Length: 0\r\n", true],
  // Bytes of a body that must not be would be the next response's.
  ["HTTP/1.1 204 N\r\n" + LENGTH, false],
  ["HTTP/1.1 204 N\r\n" + CHUNKED, false],
];

for (const [text, kept] of KEPT_ALIVE) {
  Deno.test(`Http1ResponseHead.keepAlive is ${kept} for ${JSON.stringify(text)}`, () => {
    assertEquals(parseResponse(`${text}\r\n`).keepAlive, kept);
  });
}

Deno.test("parseResponseHead() holds to limits.headerBytes", () => {
  const text = OK + `X: ${"y".repeat(50)}\r\n\r\n`;
  const limits = { ...LIMITS, headerBytes: text.length };
  assertEquals(parseResponse(text, "GET", limits).status, 200);
  const error = assertThrows(
    () => parseResponse(text, "GET", { ...limits, headerBytes: 60 }),
    ProxyError,
  );
  assertEquals(error.code, "response_too_large");
});

Deno.test("parseResponseHead() holds to limits.headers", () => {
  const error = assertThrows(
    () =>
      parseResponse(OK + "A: 1\r\nB: 2\r\n\r\n", "GET", {
        ...LIMITS,
        headers: 1,
      }),
    ProxyError,
  );
  assertEquals(error.code, "response_too_large");
});

Deno.test("parseResponseHead() hides what Connection names", () => {
  const head = parseResponse(
    OK + "Connection: x-foo, set-cookie\r\nX-Foo: 1\r\nSet-Cookie: a=b\r\n\r\n",
  );
  assertEquals(head.fields.has("x-foo"), false);
  assertEquals(head.fields.get("set-cookie"), "a=b");
});

Deno.test("parseResponseHead() goes on where the bytes have moved", () => {
  const text = "HTTP/1.1 404 Not Found\r\nA: 1\r\nB: 2\r\n\r\n";
  for (let cut = 1; cut < text.length; cut++) {
    const index = new HeadIndex(10);
    const first = encodeLatin1(`${"#".repeat(40)}${text}`);
    assertEquals(parseResponseHead(first, 40, 40 + cut, LIMITS, index), -1);
    const second = encodeLatin1(`###${text}`);
    const end = parseResponseHead(second, 3, second.length, LIMITS, index);
    assertEquals(end, second.length);
    const head = new Http1ResponseHead(second, index, "GET");
    assertEquals([head.status, head.reason], [404, "Not Found"]);
    assertEquals([...head.fields], [["A", "1"], ["B", "2"]]);
  }
});
