import { ProxyError } from "../../../core/errors.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { parseRequest } from "./codec.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\n";

function lines(start: string, ...fields: string[]): string {
  return [start, ...fields, "", ""].join("\r\n");
}

/** [what is wrong, the head, its code (by default bad_request)] */
const REFUSED: readonly (readonly [string, string, string?])[] = [
  // The request line.
  ["an empty line", "\r\n\r\n"],
  ["no method", " / HTTP/1.1\r\nHost: a\r\n\r\n"],
  [
    "a byte that no token has in the method",
    "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
  ],
  ["an 8-bit byte in the method", "G\xc3T / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a method of 33 bytes", `${"A".repeat(33)} /`, "coding_not_implemented"],
  ["two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["two spaces behind the target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a space before CR", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"],
  ["HTAB for a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a vertical tab in the target", "GET /\x0b HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["NUL in the target", "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["DEL in the target", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["an 8-bit byte in the target", "GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["HTTP/0.9 without a version", "GET /\r\nHost: a\r\n\r\n"],
  ["HTTP/0.9 with a version", "GET / HTTP/0.9\r\nHost: a\r\n\r\n"],
  ["a lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"],
  ["two digits before the dot", "GET / HTTP/01.1\r\nHost: a\r\n\r\n"],
  ["two digits behind the dot", "GET / HTTP/1.10\r\nHost: a\r\n\r\n"],
  ["a comma for the dot", "GET / HTTP/1,1\r\nHost: a\r\n\r\n"],
  ["no minor version", "GET / HTTP/1\r\nHost: a\r\n\r\n"],
  ["another protocol", "GET / ICAP/1.1\r\nHost: a\r\n\r\n"],
  ["HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "version_not_supported"],
  ["HTTP/9.9", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", "version_not_supported"],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\n", "version_not_supported"],
  ["a bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"],
  ["CR and no LF behind it", "GET / HTTP/1.1\rXHost: a\r\n\r\n"],
  ["CR CR LF behind the request line", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"],
  // Field lines.
  ["a bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\n\r\n"],
  ["a bare LF as the empty line", GET + "\n"],
  ["two LF behind a field", "GET / HTTP/1.1\r\nHost: a\n\n\r\n"],
  ["a bare CR behind a field", GET + "X: a\rY: b\r\n\r\n"],
  ["a bare CR as the empty line", GET + "\rX"],
  ["obsolete folding with SP", GET + "X: a\r\n b\r\n\r\n"],
  ["obsolete folding with HTAB", GET + "X: a\r\n\tb\r\n\r\n"],
  ["whitespace before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"],
  ["a space before the colon", GET + "X : a\r\n\r\n"],
  ["HTAB before the colon", GET + "X\t: a\r\n\r\n"],
  ["a line without a colon", GET + "FooBar\r\n\r\n"],
  ["an empty name", GET + ": a\r\n\r\n"],
  ["brackets in a name", GET + "X[]: a\r\n\r\n"],
  ["an 8-bit byte in a name", GET + "X\x85: a\r\n\r\n"],
  ["NUL in a value", GET + "X: a\x00b\r\n\r\n"],
  ["BEL in a value", GET + "X: a\x07b\r\n\r\n"],
  ["DEL in a value", GET + "X: a\x7fb\r\n\r\n"],
  ["a vertical tab in a value", GET + "X: a\x0bb\r\n\r\n"],
  // Host.
  ["no Host in HTTP/1.1", "GET / HTTP/1.1\r\n\r\n"],
  ["two equal Hosts", GET + "Host: a\r\n\r\n"],
  ["two different Hosts", GET + "hOST: b\r\n\r\n"],
  ["two Hosts in HTTP/1.0", lines("GET / HTTP/1.0", "Host: a", "Host: b")],
  ["userinfo in Host", lines("GET / HTTP/1.1", "Host: u@a")],
  ["a slash in Host", lines("GET / HTTP/1.1", "Host: a/b")],
  ["a comma in Host", lines("GET / HTTP/1.1", "Host: a,b")],
  ["a space in Host", lines("GET / HTTP/1.1", "Host: a b")],
  ["an 8-bit byte in Host", lines("GET / HTTP/1.1", "Host: \xe9")],
  ["a port that is no number", lines("GET / HTTP/1.1", "Host: a:xx")],
  ["a port of 65536", lines("GET / HTTP/1.1", "Host: a:65536")],
  ["a port with a sign", lines("GET / HTTP/1.1", "Host: a:+80")],
  ["two ports", lines("GET / HTTP/1.1", "Host: a:1:2")],
  ["a port without a host", lines("GET / HTTP/1.1", "Host: :80")],
  ["a bad escape in Host", lines("GET / HTTP/1.1", "Host: a%2")],
  ["an open bracket", lines("GET / HTTP/1.1", "Host: [::1")],
  ["an IPv4 address in brackets", lines("GET / HTTP/1.1", "Host: [1.2.3.4]")],
  ["nine groups of IPv6", lines("GET / HTTP/1.1", "Host: [1:2:3:4:5:6:7:8:9]")],
  ["a zone in Host", lines("GET / HTTP/1.1", "Host: [fe80::1%eth0]")],
  ["text behind the bracket", lines("GET / HTTP/1.1", "Host: [::1]a")],
  ["IPv6 without brackets", lines("GET / HTTP/1.1", "Host: ::1")],
  // The target's form.
  ["a target without a slash", lines("GET foo HTTP/1.1", "Host: a")],
  ["* for GET", lines("GET * HTTP/1.1", "Host: a")],
  ["** for OPTIONS", lines("OPTIONS ** HTTP/1.1", "Host: a")],
  ["another scheme", lines("GET ftp://a/ HTTP/1.1", "Host: a")],
  ["a scheme without slashes", lines("GET http:a HTTP/1.1", "Host: a")],
  ["no authority", lines("GET http:///x HTTP/1.1", "Host: a")],
  ["userinfo in the target", lines("GET http://u:p@a/ HTTP/1.1", "Host: a")],
  ["a bad port in the target", lines("GET http://a:x/ HTTP/1.1", "Host: a")],
  ["a Host that differs", lines("GET http://a/ HTTP/1.1", "Host: b")],
  ["an empty Host beside one", lines("GET http://a/ HTTP/1.1", "Host:")],
  ["a port that differs", lines("GET http://a/ HTTP/1.1", "Host: a:8080")],
  ["an absolute form without Host", lines("GET http://a/ HTTP/1.1")],
  ["CONNECT", lines("CONNECT a:443 HTTP/1.1", "Host: a"), "method_not_allowed"],
  ["CONNECT /", lines("CONNECT /x HTTP/1.1", "Host: a"), "method_not_allowed"],
  ["TRACE", lines("TRACE / HTTP/1.1", "Host: a"), "method_not_allowed"],
  // Content-Length.
  ["an empty length", POST + "Content-Length:\r\n\r\n"],
  ["a negative length", POST + "Content-Length: -1\r\n\r\n"],
  ["a length with a sign", POST + "Content-Length: +1\r\n\r\n"],
  ["a hexadecimal length", POST + "Content-Length: 0x5\r\n\r\n"],
  ["a length with an underscore", POST + "Content-Length: 1_0\r\n\r\n"],
  ["a length with a space", POST + "Content-Length: 1 0\r\n\r\n"],
  ["a length with a comma", POST + "Content-Length: 5,\r\n\r\n"],
  ["a list of lengths", POST + "Content-Length: 5, 5\r\n\r\n"],
  ["a quoted length", POST + 'Content-Length: "5"\r\n\r\n'],
  ["a length of 2^53", POST + "Content-Length: 9007199254740992\r\n\r\n"],
  ["a length of 2^63", POST + "Content-Length: 9223372036854775808\r\n\r\n"],
  ["a length of 2^64+5", POST + "Content-Length: 18446744073709551621\r\n\r\n"],
  [
    "two equal lengths",
    POST + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
  ],
  [
    "two different lengths",
    POST + "Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
  ],
  [
    "an empty and a valid length",
    POST + "Content-Length:\r\nContent-Length: 5\r\n\r\n",
  ],
  // Transfer-Encoding.
  [
    "both length and coding",
    POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
  ],
  [
    "both, the other way round",
    POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
  ],
  [
    "chunked twice in two lines",
    POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
  ],
  ["chunked twice", POST + "Transfer-Encoding: chunked, chunked\r\n\r\n"],
  ["an empty coding", POST + "Transfer-Encoding:\r\n\r\n"],
  ["an empty coding before", POST + "Transfer-Encoding: ,chunked\r\n\r\n"],
  ["an empty coding behind", POST + "Transfer-Encoding: chunked,\r\n\r\n"],
  ["a quoted coding", POST + 'Transfer-Encoding: "chunked"\r\n\r\n'],
  ["a coding with a parameter", POST + "Transfer-Encoding: chunked;a\r\n\r\n"],
  [
    "an unknown coding",
    POST + "Transfer-Encoding: xchunked\r\n\r\n",
    "coding_not_implemented",
  ],
  [
    "a second coding",
    POST + "Transfer-Encoding: gzip, chunked\r\n\r\n",
    "coding_not_implemented",
  ],
  [
    "identity",
    POST + "Transfer-Encoding: identity\r\n\r\n",
    "coding_not_implemented",
  ],
  [
    "a coding in HTTP/1.0",
    lines("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked"),
  ],
  // Expect and Connection.
  ["another expectation", GET + "Expect: x\r\n\r\n", "expectation_failed"],
  ["an empty expectation", GET + "Expect:\r\n\r\n", "expectation_failed"],
  [
    "an expectation beside the known one",
    GET + "Expect: y 100-continue\r\n\r\n",
    "expectation_failed",
  ],
  [
    "two expectations",
    GET + "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n",
    "expectation_failed",
  ],
  // Nothing beside it that would be wrong as well.
  ["no host in an absolute form", "GET http:///x HTTP/1.0\r\n\r\n"],
  ["no host before a port", "GET http://:80/x HTTP/1.0\r\n\r\n"],
  ["a user in an absolute form", "GET http://u@a/x HTTP/1.0\r\n\r\n"],
  ["a bad port in an absolute form", "GET http://a:x/ HTTP/1.0\r\n\r\n"],
  ["a bad address in an absolute form", "GET http://[::g]/ HTTP/1.0\r\n\r\n"],
  ["another scheme", "GET ftp://a/ HTTP/1.0\r\n\r\n"],
  ["a scheme alone", "GET http:// HTTP/1.0\r\n\r\n"],
  ["a Connection that is no list", GET + "Connection: a b\r\n\r\n"],
  ["a quoted Connection", GET + 'Connection: "close"\r\n\r\n'],
  [
    "33 Connection options",
    GET + `Connection: ${"a,".repeat(33)}\r\n\r\n`,
  ],
  [
    "33 Connection options in two lines",
    GET +
    `Connection: ${"a,".repeat(20)}\r\nConnection: ${"a,".repeat(13)}\r\n\r\n`,
  ],
];

for (const [what, text, code = "bad_request"] of REFUSED) {
  Deno.test(`parseRequestHead() refuses ${what}`, () => {
    const error = assertThrows(() => parseRequest(text), ProxyError);
    assertEquals(error.code, code);
  });
}
