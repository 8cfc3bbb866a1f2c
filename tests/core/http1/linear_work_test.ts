/** Heads that come in pieces cost what their bytes cost, not what their pieces do (slowloris). */
import { HeadIndex } from "../../../core/http1/head_index.ts";
import { Http1RequestHead } from "../../../core/http1/request_head.ts";
import { parseRequestHead } from "../../../core/http1/request_parser.ts";
import { parseResponseHead } from "../../../core/http1/response_parser.ts";
import { encodeLatin1 } from "../../../core/http1/text.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const LIMITS = { headerBytes: 16 << 10, headers: 100, targetBytes: 16 << 10 };

/** Heads of 16 KiB, each long in another place. */
const REQUESTS: Readonly<Record<string, string>> = {
  "a target": head(`GET /${"a".repeat(16_000)} HTTP/1.1`, []),
  "a name": head("GET / HTTP/1.1", [`${"n".repeat(16_000)}: x`]),
  "a value": head("GET / HTTP/1.1", [`X: ${"v".repeat(16_000)}`]),
  "whitespace before a value": head("GET / HTTP/1.1", [
    `X:${" ".repeat(16_000)}v`,
  ]),
  "whitespace behind a value": head("GET / HTTP/1.1", [
    `X: v${" ".repeat(16_000)}`,
  ]),
  "99 fields": head(
    "GET / HTTP/1.1",
    Array.from({ length: 99 }, (_, i) => `X-${i}: ${"v".repeat(150)}`),
  ),
};

function head(start: string, fields: readonly string[]): string {
  return `${start}\r\nHost: a\r\n${
    fields.map((field) => `${field}\r\n`).join("")
  }\r\n`;
}

/** Bytes that count how often one of them is read. */
function counting(text: string): { bytes: Uint8Array; reads: number } {
  // At an odd offset nothing is read in words.
  const target = new Uint8Array(text.length + 1).subarray(1);
  target.set(encodeLatin1(text));
  const counted = {
    reads: 0,
    bytes: new Proxy(target, {
      get(_, key) {
        if (typeof key === "string" && /^\d/.test(key)) counted.reads++;
        const value = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
  };
  return counted;
}

/** Reads per byte of a head that comes one byte at a time. */
function readsPerByte(text: string, parse: typeof parseRequestHead): number {
  const counted = counting(text);
  const index = new HeadIndex(LIMITS.headers);
  for (let end = 1; end <= text.length; end++) {
    const done = parse(counted.bytes, 0, end, LIMITS, index);
    assertEquals(done, end === text.length ? end : -1);
  }
  return counted.reads / text.length;
}

for (const [name, request] of Object.entries(REQUESTS)) {
  Deno.test(`a head of 16 KiB byte by byte is looked at once: ${name}`, () => {
    const response = request.replace(/^.*\r\n/, "HTTP/1.1 200 OK\r\n");
    for (
      const reads of [
        readsPerByte(request, parseRequestHead),
        readsPerByte(response, parseResponseHead),
      ]
    ) {
      // Once to scan it, once more where whitespace is cut off.
      assert(reads < 3, `${reads} reads per byte`);
    }
  });
}

Deno.test("an index grows with its head, wherever that has moved to meanwhile", () => {
  const names = Array.from({ length: 90 }, (_, i) => `X-${i}`);
  const text = head("GET / HTTP/1.1", names.map((name) => `${name}: ${name}`));
  const index = new HeadIndex(100);
  const few = index.ranges.length;
  const bytes = new Uint8Array(2 * text.length);
  let end = -1;
  for (let length = 1; length <= text.length; length++) {
    const start = length % 7 === 0 ? text.length >> 1 : 3;
    bytes.fill(0).set(encodeLatin1(text.slice(0, length)), start);
    end = parseRequestHead(bytes, start, start + length, LIMITS, index);
    assertEquals(end, length === text.length ? start + length : -1);
  }
  const { fields } = new Http1RequestHead(bytes, index);
  assertEquals([...fields].map(([name]) => name), ["Host", ...names]);
  assertEquals(names.map((name) => fields.get(name)), names);
  assert(few < index.ranges.length);
  fields.keep();
  index.reset();
  assertEquals(fields.get("x-89"), "X-89");
});
