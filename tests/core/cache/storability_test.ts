import { assertEquals } from "@std/assert";
import { parseCacheControl } from "../../../core/cache/directives.ts";
import {
  refusalOf,
  storedFields,
  type StoringRequest,
  updatedFields,
} from "../../../core/cache/storability.ts";
import type { FieldLine, StoredHead } from "../../../core/cache/store.ts";
import { ListFields } from "../../../core/message/list_fields.ts";
import { at, headOf } from "./heads.ts";

const GET: StoringRequest = {
  method: "GET",
  directives: parseCacheControl([]),
  authorized: false,
  hasBody: false,
  representsTarget: false,
  unseen: new Set(),
};
const FRESH: FieldLine = ["cache-control", "max-age=60"];
const control = (value: string): FieldLine => ["cache-control", value];

const ROWS: readonly (readonly [
  name: string,
  fields: readonly FieldLine[],
  expected: string | undefined,
  request?: Partial<StoringRequest>,
  parts?: Partial<StoredHead>,
])[] = [
  ["fresh", [FRESH], undefined],
  ["nothing said", [], "useless"],
  ["nothing but a validator", [["etag", '"a"']], undefined],
  [
    "no-cache with a validator",
    [control("no-cache"), ["etag", '"a"']],
    undefined,
  ],
  ["no-cache without one", [control("no-cache, max-age=60")], "useless"],
  ["no-store", [control("no-store, max-age=60")], "no-store"],
  [
    "must-understand",
    [control("no-store, must-understand, max-age=9")],
    undefined,
  ],
  [
    "must-understand of what nobody knows",
    [control("must-understand, max-age=9")],
    "status",
    {},
    { status: 599 },
  ],
  ["unknown status", [FRESH], undefined, {}, { status: 599 }],
  ["private", [control("private, max-age=60")], "private"],
  ["private fields", [control('private="x", max-age=60')], undefined],
  ["targeted over no-store", [control("no-store"), [
    "cdn-cache-control",
    "max-age=9",
  ]], undefined],
  ["targeted private", [FRESH, ["cdn-cache-control", "private"]], "private"],
  ["the request's no-store", [FRESH], "no-store", {
    directives: parseCacheControl(["no-store"]),
  }],
  ["authorization", [FRESH], "authorization", { authorized: true }],
  ["authorization, public", [control("public, max-age=9")], undefined, {
    authorized: true,
  }],
  ["authorization, s-maxage", [control("s-maxage=9")], undefined, {
    authorized: true,
  }],
  [
    "authorization, must-revalidate",
    [control("must-revalidate, max-age=9")],
    undefined,
    { authorized: true },
  ],
  ["Vary: *", [FRESH, ["vary", "a, *"]], "vary"],
  ["cookie", [FRESH, ["set-cookie", "a=b"]], undefined],
  ["cookie without a lifetime", [["last-modified", at(-1000)], [
    "set-cookie",
    "a=b",
  ]], "cookie"],
  ["cookie that a lifetime of 0 keeps from others", [
    control("public, max-age=0"),
    ["etag", '"a"'],
    ["set-cookie", "a=b"],
  ], "cookie"],
  ["cookie with no-cache", [control("no-cache, max-age=9"), [
    "etag",
    '"a"',
  ], ["set-cookie", "a=b"]], "cookie"],
  ["cookie and a rule", [["set-cookie", "a=b"]], "cookie", {}, { ttl: 1000 }],
  ["rule", [], undefined, {}, { ttl: 1000 }],
  ["rule for an error", [], undefined, {}, { ttl: 1000, status: 503 }],
  ["validator on 503", [["etag", '"a"']], "useless", {}, { status: 503 }],
  ["expired already", [control("max-age=0")], "useless"],
  [
    "expired, but served stale",
    [control("max-age=0, stale-if-error=9")],
    undefined,
  ],
  ["HEAD", [FRESH], "method", { method: "HEAD" }],
  ["PUT", [FRESH], "method", { method: "PUT" }],
  ["GET with a body", [FRESH], "method", { hasBody: true }],
  ["POST", [FRESH], "method", { method: "POST", hasBody: true }],
  ["POST that represents its target", [FRESH], undefined, {
    method: "POST",
    hasBody: true,
    representsTarget: true,
  }],
  ["POST without a lifetime", [["last-modified", at(-1000)]], "method", {
    method: "POST",
    representsTarget: true,
  }],
  ["304", [FRESH], "status", {}, { status: 304 }],
  ["416", [FRESH], "status", {}, { status: 416 }],
  [
    "206 of one range",
    [FRESH, ["content-range", "bytes 0-2/9"]],
    undefined,
    {},
    { status: 206 },
  ],
  ["206 of several", [FRESH], "range", {}, { status: 206 }],
];

Deno.test("refusalOf tells what is not stored and why", () => {
  for (const [name, fields, expected, request, parts] of ROWS) {
    const refusal = refusalOf(headOf(fields, parts), { ...GET, ...request });
    assertEquals(refusal, expected, name);
  }
});

Deno.test("storedFields leaves out a connection's fields and named ones", () => {
  const fields = new ListFields([
    ["Connection", "a, B"],
    ["a", "1"],
    ["b", "2"],
    ["C", "3"],
    ["Keep-Alive", "x"],
    ["Transfer-Encoding", "chunked"],
    ["Content-Length", "3"],
    ["Proxy-Authenticate", "x"],
    ["D", "4"],
    ["E", "5"],
    ["Set-Cookie", "a=b"],
  ]);
  assertEquals(
    storedFields(fields, parseCacheControl(['no-cache="d", private="e"'])),
    [["C", "3"], ["Set-Cookie", "a=b"]],
  );
});

Deno.test("updatedFields replaces what a 304 says, but not what frames the body", () => {
  assertEquals(
    updatedFields(
      [["A", "1"], ["ETag", '"x"'], ["Content-Encoding", "br"], ["Age", "9"], [
        "B",
        "1",
      ]],
      [["a", "2"], ["a", "3"], ["etag", '"y"'], ["Content-Encoding", "gzip"], [
        "C",
        "1",
      ]],
    ),
    [["ETag", '"x"'], ["Content-Encoding", "br"], ["B", "1"], ["a", "2"], [
      "a",
      "3",
    ], ["C", "1"]],
  );
});
