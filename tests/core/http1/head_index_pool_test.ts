import { HeadIndexPool } from "../../../core/http1/head_index_pool.ts";
import { Http1RequestHead } from "../../../core/http1/request_head.ts";
import { parseRequestHead } from "../../../core/http1/request_parser.ts";
import { encodeLatin1 } from "../../../core/http1/text.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { LIMITS } from "./codec.ts";

/** The head of a request with these fields, found by an index of the pool. */
function read(pool: HeadIndexPool, fields: string) {
  const bytes = encodeLatin1(`GET /p HTTP/1.1\r\n${fields}\r\n`);
  const index = pool.take();
  index.reset();
  parseRequestHead(bytes, 0, bytes.length, LIMITS, index);
  return { index, head: new Http1RequestHead(bytes, index) };
}

Deno.test("HeadIndexPool: an index that comes again shows nothing of the head before", () => {
  const pool = new HeadIndexPool(10);
  const { index, head } = read(pool, "Host: a\r\nCookie: secret\r\n");
  assertEquals(head.fields.first("cookie"), "secret");
  pool.give(index);
  assertThrows(() => head.fields.first("cookie"));
  assertEquals([index.values, index.target], [undefined, undefined]);
  const next = read(pool, "Host: b\r\n");
  assert(next.index === index);
  assertEquals(next.head.fields.first("host"), "b");
  assertEquals(next.head.fields.first("cookie"), undefined);
  assertThrows(() => head.fields.first("host"));
});

Deno.test("HeadIndexPool: one that has grown is not kept", () => {
  const pool = new HeadIndexPool(100);
  const { index } = read(pool, "Host: a\r\n" + "A: b\r\n".repeat(30));
  pool.give(index);
  assert(pool.take() !== index);
});
