/**
 * However bytes are cut into reads, the same comes of them: the very same
 * messages, or the same failure.
 */
import { assertEquals } from "../../support/assert.ts";
import { acceptanceCases, textOf } from "./acceptance_cases.ts";
import {
  byteByByte,
  driveRequests,
  driveResponses,
  type Outcome,
} from "./codec.ts";

/** Longer ones are cut at places spread over them: all would take minutes. */
const ALL_CUTS = 400;

function cutsOf(text: string): number[] {
  const step = Math.max(1, Math.floor(text.length / ALL_CUTS));
  const cuts: number[] = [];
  for (let cut = 1; cut < text.length; cut += step) cuts.push(cut);
  return cuts;
}

/** Comparing text first: deep equality of all of them takes ten times as long. */
function assertSame(actual: Outcome, expected: Outcome, text: string): void {
  if (JSON.stringify(actual) === JSON.stringify(expected)) return;
  assertEquals(actual, expected, text);
}

const HEADS = [
  "\r\n\r\nGET http://a/x?y HTTP/1.1\r\nhost: A\r\nX:  \t b \t\r\n\r\n",
  "OPTIONS http://a HTTP/1.0\r\nConnection: close, x-foo\r\nX-Foo: 1\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
  '5 ;a = "x\\"y" ; b\r\nhello\r\n00a\r\n0123456789\r\n0;z\r\nT: 1\r\n\r\n' +
  "GET /2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
  `GET / HTTP/1.1\r\nHost: a\r\nCookie: ${"0123456789".repeat(9)}\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\nCookie: ${"a".repeat(60)}\x01b\r\n\r\n`,
];

const requests = [
  ...HEADS,
  ...acceptanceCases().map((item) => textOf(item.send)).filter((text) =>
    text.length < 70_000
  ),
];

Deno.test("parseRequestHead() and ChunkDecoder take requests cut anywhere", () => {
  for (const text of requests) {
    const whole = driveRequests([text]);
    for (const cut of cutsOf(text)) {
      const pieces = [text.slice(0, cut), text.slice(cut)];
      assertSame(driveRequests(pieces), whole, JSON.stringify(pieces));
    }
  }
});

Deno.test("parseRequestHead() and ChunkDecoder take requests byte by byte", () => {
  for (const text of requests) {
    assertSame(driveRequests(byteByByte(text)), driveRequests([text]), text);
  }
});

const responses = [
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "HTTP/1.1 200\r\n\r\nhello",
  "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
  "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
  "HTTP/2.0 200 OK\r\n\r\n",
  "HTTP/1.1 099 No\r\n\r\n",
  "HTTP/1.1 20 OK\r\n\r\n",
  "HTTP/1.1 2000\r\n\r\n",
  "HTTP/1.1 200 a\x00b\r\n\r\n",
  ...acceptanceCases().flatMap((item) => item.replies).filter((text) =>
    text.length < 70_000
  ),
];

Deno.test("parseResponseHead() and ChunkDecoder take responses cut anywhere", () => {
  for (const text of responses) {
    const whole = driveResponses([text]);
    for (const cut of cutsOf(text)) {
      const pieces = [text.slice(0, cut), text.slice(cut)];
      assertSame(driveResponses(pieces), whole, JSON.stringify(pieces));
    }
    assertSame(driveResponses(byteByByte(text)), whole, text);
  }
});
