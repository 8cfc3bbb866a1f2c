import { ProxyError } from "../../../core/errors.ts";
import { HeadIndex } from "../../../core/http1/head_index.ts";
import { Http1RequestHead } from "../../../core/http1/request_head.ts";
import {
  parseRequestHead,
  skipEmptyLines,
} from "../../../core/http1/request_parser.ts";
import { encodeLatin1 } from "../../../core/http1/text.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { LIMITS, parseRequest } from "./codec.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\n";

function lines(start: string, ...fields: string[]): string {
  return [start, ...fields, "", ""].join("\r\n");
}

Deno.test("parseRequestHead() returns the offset behind the head", () => {
  const bytes = encodeLatin1(GET + "\r\nrest");
  const index = new HeadIndex(10);
  const end = parseRequestHead(bytes, 0, bytes.length, LIMITS, index);
  assertEquals(end, bytes.length - "rest".length);
});

Deno.test("parseRequestHead() works from any offset", () => {
  const bytes = encodeLatin1(`noise${GET}\r\n`);
  const index = new HeadIndex(10);
  const end = parseRequestHead(bytes, 5, bytes.length, LIMITS, index);
  assertEquals(end, bytes.length);
  const head = new Http1RequestHead(bytes, index);
  assertEquals([head.method, head.target], ["GET", "/"]);
});

Deno.test("parseRequestHead() needs more for each part of a head", () => {
  const text = GET + "\r\n";
  for (let cut = 0; cut < text.length; cut++) {
    const bytes = encodeLatin1(text.slice(0, cut));
    const index = new HeadIndex(10);
    assertEquals(parseRequestHead(bytes, 0, cut, LIMITS, index), -1);
    assertEquals(index.started, cut > 0);
  }
});

Deno.test("parseRequestHead() waits for what follows a lone CR", () => {
  const bytes = encodeLatin1("\r\nGET");
  const index = new HeadIndex(10);
  assertEquals(parseRequestHead(bytes, 0, 1, LIMITS, index), -1);
  assertEquals(index.started, false);
  assertEquals(skipEmptyLines(bytes, 0, 2), 2);
});

Deno.test("parseRequestHead() goes on where the bytes have moved", () => {
  const text = lines("GET /path HTTP/1.1", "Host: a", "X: 1", "Y: 2");
  for (let cut = 1; cut < text.length; cut++) {
    const index = new HeadIndex(10);
    const first = encodeLatin1(`${"#".repeat(40)}${text}`);
    assertEquals(parseRequestHead(first, 40, 40 + cut, LIMITS, index), -1);
    const second = encodeLatin1(`###${text}`);
    const end = parseRequestHead(second, 3, second.length, LIMITS, index);
    assertEquals(end, second.length);
    const head = new Http1RequestHead(second, index);
    assertEquals(head.method, "GET");
    assertEquals(head.target, "/path");
    assertEquals([...head.fields], [["Host", "a"], ["X", "1"], ["Y", "2"]]);
  }
});

Deno.test("parseRequestHead() refuses to go on with a complete index", () => {
  const bytes = encodeLatin1(GET + "\r\n");
  const index = new HeadIndex(10);
  parseRequestHead(bytes, 0, bytes.length, LIMITS, index);
  assertThrows(
    () => parseRequestHead(bytes, 0, bytes.length, LIMITS, index),
    Error,
    "holds another one",
  );
  index.reset();
  const end = parseRequestHead(bytes, 0, bytes.length, LIMITS, index);
  assertEquals(end, bytes.length);
});

Deno.test("HeadIndex.reset() forgets all of the head before", () => {
  const full = lines(
    "OPTIONS http://a HTTP/1.1",
    "Host: a",
    "Connection: close, keep-alive, upgrade",
    "Upgrade: x",
    "Expect: 100-continue",
    "Transfer-Encoding: chunked",
  );
  const plain = "GET /x HTTP/1.0\r\n\r\n";
  const facts = (index: HeadIndex, text: string) => {
    const bytes = encodeLatin1(text);
    parseRequestHead(bytes, 0, bytes.length, LIMITS, index);
    const head = new Http1RequestHead(bytes, index);
    const { bodyLength, expectsContinue, keepAlive, upgrade } = head;
    const { version, method, target, fields } = head;
    return {
      ...{ bodyLength, expectsContinue, keepAlive, upgrade },
      ...{ version, method, target, fields: [...fields] },
    };
  };
  const used = new HeadIndex(10);
  facts(used, full);
  used.reset();
  assertThrows(() => facts(used, GET + "Host: b\r\n\r\n"), ProxyError);
  used.reset();
  assertEquals(facts(used, plain), facts(new HeadIndex(10), plain));
  used.reset();
  const post = POST + "Content-Length: 5\r\n\r\n";
  assertEquals(facts(used, post), facts(new HeadIndex(10), post));
  assertEquals([used.close, used.keepAlive, used.upgrading], [
    false,
    false,
    false,
  ]);
});

Deno.test("skipEmptyLines() skips whole lines only", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["", 0],
    ["\r", 0],
    ["\r\n", 2],
    ["\r\n\r", 2],
    ["\r\n\r\nGET", 4],
    ["\nGET", 0],
    ["\r\rGET", 0],
  ];
  for (const [text, expected] of cases) {
    assertEquals(skipEmptyLines(encodeLatin1(text), 0, text.length), expected);
  }
});

// ---------------------------------------------------------------------- Host

const HOSTS = [
  "",
  "a",
  "a.example.com:8080",
  "a:",
  "a:0",
  "a:65535",
  "a:00080",
  "127.0.0.1",
  "[::1]",
  "[::1]:80",
  "[2001:db8::192.0.2.1]",
  "xn--bcher-kva.example",
  "a_b",
  "a%20b",
  "!$&'()*+;=",
];

for (const host of HOSTS) {
  Deno.test(`parseRequestHead() accepts Host "${host}"`, () => {
    const head = parseRequest(lines("GET / HTTP/1.1", `Host: ${host}`));
    assertEquals(head.fields.get("host"), host);
  });
}

Deno.test("parseRequestHead() accepts HTTP/1.0 without Host", () => {
  assertEquals(parseRequest(lines("GET / HTTP/1.0")).fields.has("host"), false);
});

// --------------------------------------------------------------------- fields

Deno.test("parseRequestHead() strips whitespace around values only", () => {
  const head = parseRequest(
    GET + "A:b\r\nC: \t d \te \t \r\nF:\r\nG: \t \r\n\r\n",
  );
  const fields = [...head.fields].slice(1);
  assertEquals(fields, [["A", "b"], ["C", "d \te"], ["F", ""], ["G", ""]]);
});

Deno.test("parseRequestHead() passes 8-bit bytes of values as latin1", () => {
  const value = `${"\xe9\x80\xff".repeat(30)}\xc3\xa9`;
  assertEquals(
    parseRequest(GET + `X: ${value}\r\n\r\n`).fields.get("x"),
    value,
  );
});

Deno.test("parseRequestHead() accepts every byte of a token in a name", () => {
  const name = "!#$%&'*+-.^_`|~09azAZ";
  const head = parseRequest(GET + `${name}: y\r\n\r\n`);
  assertEquals(head.fields.get(name), "y");
});

Deno.test("parseRequestHead() judges every byte of long values", () => {
  // Long values are looked at four bytes at a time.
  for (let byte = 0; byte < 256; byte++) {
    const char = String.fromCharCode(byte);
    const legal = byte === 9 || (byte >= 32 && byte !== 127);
    for (let place = 96; place < 104; place++) {
      const value = "x".repeat(place) + char + "y".repeat(9);
      const text = GET + `X: ${value}\r\n\r\n`;
      if (legal) assertEquals(parseRequest(text).fields.get("x"), value);
      else assertThrows(() => parseRequest(text), ProxyError);
    }
  }
});

Deno.test("parseRequestHead() finds long values' ends at every alignment", () => {
  for (let offset = 0; offset < 4; offset++) {
    for (let length = 90; length < 100; length++) {
      const text = GET + `X: ${"v".repeat(length)}\r\n\r\n`;
      const whole = encodeLatin1("#".repeat(offset) + text);
      const index = new HeadIndex(10);
      const bytes = whole.subarray(offset);
      const end = parseRequestHead(bytes, 0, bytes.length, LIMITS, index);
      assertEquals(end, text.length);
      const head = new Http1RequestHead(bytes, index);
      assertEquals(head.fields.get("x")?.length, length);
    }
  }
});

// --------------------------------------------------------------------- limits

Deno.test("parseRequestHead() takes a head of exactly limits.headerBytes", () => {
  const text = GET + `X: ${"y".repeat(50)}\r\n\r\n`;
  const limits = { ...LIMITS, headerBytes: text.length };
  assertEquals(parseRequest(text, limits).method, "GET");
  const error = assertThrows(
    () => parseRequest(text, { ...limits, headerBytes: text.length - 1 }),
    ProxyError,
  );
  assertEquals(error.code, "headers_too_large");
});

Deno.test("parseRequestHead() refuses a long head before it is complete", () => {
  const bytes = encodeLatin1(GET + "X: " + "y".repeat(100));
  const limits = { ...LIMITS, headerBytes: bytes.length };
  const index = new HeadIndex(10);
  const error = assertThrows(
    () => parseRequestHead(bytes, 0, bytes.length, limits, index),
    ProxyError,
  );
  assertEquals(error.code, "headers_too_large");
});

Deno.test("parseRequestHead() takes limits.headers fields and no more", () => {
  const text = lines("GET / HTTP/1.1", "Host: a", "B: 1", "C: 2");
  assertEquals(
    [...parseRequest(text, { ...LIMITS, headers: 3 }).fields].length,
    3,
  );
  const error = assertThrows(
    () => parseRequest(text, { ...LIMITS, headers: 2 }),
    ProxyError,
  );
  assertEquals(error.code, "headers_too_large");
});

Deno.test("parseRequestHead() takes limits.targetBytes and no more", () => {
  const text = lines("GET /1234567 HTTP/1.1", "Host: a");
  const limits = { ...LIMITS, targetBytes: 8 };
  assertEquals(parseRequest(text, limits).target, "/1234567");
  const error = assertThrows(
    () => parseRequest(text, { ...limits, targetBytes: 7 }),
    ProxyError,
  );
  assertEquals(error.code, "target_too_long");
});

Deno.test("parseRequestHead() says 414 where the target fills the head", () => {
  const text = `GET /${"a".repeat(200)}`;
  const error = assertThrows(
    () => parseRequest(text, { ...LIMITS, headerBytes: 100 }),
    ProxyError,
  );
  assertEquals(error.code, "target_too_long");
});

Deno.test("parseRequestHead() takes a method of 32 bytes", () => {
  const method = "M".repeat(32);
  assertEquals(
    parseRequest(lines(`${method} / HTTP/1.1`, "Host: a")).method,
    method,
  );
});

Deno.test("parseRequestHead() does linear work, also byte by byte", () => {
  // Each byte may be looked at once: a proxy counts the reads.
  const text = lines(
    "GET /path HTTP/1.1",
    "Host: a",
    ...Array.from({ length: 20 }, (_, i) => `X-${i}: ${"v".repeat(40)}`),
  );
  const bytes = encodeLatin1(text);
  let reads = 0;
  const counted = new Proxy(bytes, {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) reads++;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const index = new HeadIndex(100);
  for (let end = 1; end <= bytes.length; end++) {
    parseRequestHead(counted, 0, end, LIMITS, index);
  }
  assertEquals(index.count, 21);
  assert(reads < 8 * bytes.length, `${reads} reads of ${bytes.length} bytes`);
});
