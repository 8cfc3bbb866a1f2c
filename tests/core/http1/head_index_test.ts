import { HeadIndex } from "../../../core/http1/head_index.ts";
import { Http1RequestHead } from "../../../core/http1/request_head.ts";
import { parseRequestHead } from "../../../core/http1/request_parser.ts";
import { decodeLatin1, encodeLatin1 } from "../../../core/http1/text.ts";
import { ProxyError } from "../../../core/errors.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { LIMITS } from "./codec.ts";

Deno.test("HeadIndex.detach() moves every range to offset 0", () => {
  const text = "GET http://b:80/p HTTP/1.1\r\nhost: b\r\nUpgrade: w\r\n" +
    "Connection: upgrade\r\nX: 1\r\n\r\n";
  const bytes = encodeLatin1(`#####${text}`);
  const index = new HeadIndex(10);
  parseRequestHead(bytes, 5, bytes.length, LIMITS, index);
  const copy = index.detach();
  index.reset();
  const texts = [
    [copy.methodStart, copy.methodEnd],
    [copy.targetStart, copy.targetEnd],
    [copy.authorityStart, copy.authorityEnd],
    [copy.upgradeStart, copy.upgradeEnd],
  ].map(([start, end]) => text.slice(start, end));
  assertEquals(texts, ["GET", "/p", "b:80", "w"]);
  assertEquals(copy.fieldsEnd, text.length - 2);
  assertEquals([copy.count, copy.capacity], [4, 4]);
});

Deno.test("HeadIndex.find() and has() tell known fields", () => {
  const bytes = encodeLatin1(
    "GET / HTTP/1.1\r\nX: 1\r\nHost: a\r\nRange: x\r\n\r\n",
  );
  const index = new HeadIndex(10);
  parseRequestHead(bytes, 0, bytes.length, LIMITS, index);
  const head = new Http1RequestHead(bytes, index);
  // Numbers below 32 and beyond lie in different masks.
  assertEquals(head.fields.get("host"), "a");
  assertEquals(head.fields.get("range"), "x");
  assertEquals(head.fields.has("sec-websocket-extensions"), false);
});

Deno.test("HeadIndex looks at the buffer at hand, not at the one before", () => {
  const head = (value: string) =>
    encodeLatin1(`GET / HTTP/1.1\r\nHost: a\r\nX: ${value}\r\n\r\n`);
  const good = head("v".repeat(200));
  const bad = head(`${"v".repeat(100)}\0${"v".repeat(99)}`);
  const index = new HeadIndex(10);
  parseRequestHead(good, 0, good.length, LIMITS, index);
  index.reset();
  assertThrows(
    () => parseRequestHead(bad, 0, bad.length, LIMITS, index),
    ProxyError,
  );
});

/** What a head says, all of it. */
function factsOf(text: string, index: HeadIndex): unknown {
  const bytes = encodeLatin1(text);
  const end = parseRequestHead(bytes, 0, bytes.length, LIMITS, index);
  const head = new Http1RequestHead(bytes, index);
  const { method, target, version, bodyLength, keepAlive, upgrade } = head;
  const { expectsContinue } = head;
  const facts = { end, method, target, version, bodyLength, keepAlive };
  return { ...facts, upgrade, expectsContinue, fields: [...head.fields] };
}

const LEFT_BEHIND = [
  "Connection: close, x-a",
  "Connection: upgrade",
  "Content-Length: 7",
  "Transfer-Encoding: chunked",
  "Upgrade: websocket",
  "Expect: 100-continue",
  "Host: z",
  "X-A: z",
];

for (const line of LEFT_BEHIND) {
  Deno.test(`HeadIndex does not see "${line}" of the head before`, () => {
    const heads = [
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /b HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nContent-Length: 5\r\n\r\n",
      "GET http://a/ HTTP/1.1\r\nConnection: x-b\r\nHost: a\r\nX-B: 1\r\nX-A: 2\r\n\r\n",
      "GET /c HTTP/1.0\r\n\r\n",
    ];
    for (const head of heads) {
      const index = new HeadIndex(30);
      try {
        const before = `GET / HTTP/1.1\r\nHost: b\r\n${
          `${line}\r\n`.repeat(20)
        }\r\n`;
        factsOf(before, index);
      } catch (thrown) {
        // Several of some are refused, but when all was written down.
        if (!(thrown instanceof ProxyError)) throw thrown;
      }
      index.reset();
      assertEquals(factsOf(head, index), factsOf(head, new HeadIndex(30)));
    }
  });
}

Deno.test("decodeLatin1() makes one character of each byte", () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const text = String.fromCharCode(...all);
  assertEquals(decodeLatin1(all, 0, 256), text);
  for (let byte = 0; byte < 256; byte++) {
    assertEquals(decodeLatin1(all, byte, byte + 1), text[byte]);
  }
});

const LONG = "x".repeat(60);
for (
  const text of [
    LONG,
    `\xef\xbb\xbf${LONG}`,
    `${LONG}\xc3\xa9`,
    `${LONG}\xef\xbf\xbd`,
    `${LONG}\xf0\x9f\x98\x80`,
    `${LONG}\x80`,
    `\xff${LONG}`,
  ]
) {
  const name = JSON.stringify(text.replace(LONG, "…"));
  Deno.test(`decodeLatin1() never decodes UTF-8: ${name}`, () => {
    assertEquals(decodeLatin1(encodeLatin1(text), 0, text.length), text);
  });
}
