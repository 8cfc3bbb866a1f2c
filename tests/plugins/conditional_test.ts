import { preconditionStatus, rangeOf } from "../../plugins/conditional.ts";
import { assertEquals } from "../support/assert.ts";
import { fakeRequest } from "../../core/testing/views.ts";

const ETAG = '"abc"';
const MODIFIED = Date.parse("2024-01-02T03:04:05.678Z");
const DATE = "Tue, 02 Jan 2024 03:04:05 GMT";
const BEFORE = "Tue, 02 Jan 2024 03:04:04 GMT";
const NOW = { etag: ETAG, modified: MODIFIED };

type Fields = Readonly<Record<string, string>>;

const PRECONDITIONS:
  readonly (readonly [string, Fields, number | undefined])[] = [
    ["GET", {}, undefined],
    ["GET", { "if-none-match": ETAG }, 304],
    ["GET", { "if-none-match": `W/${ETAG}` }, 304],
    ["GET", { "if-none-match": '"x", "abc"' }, 304],
    ["GET", { "if-none-match": '"x"' }, undefined],
    ["GET", { "if-none-match": "*" }, 304],
    ["PUT", { "if-none-match": "*" }, 412],
    ["HEAD", { "if-modified-since": DATE }, 304],
    ["GET", { "if-modified-since": BEFORE }, undefined],
    ["GET", { "if-modified-since": "yesterday" }, undefined],
    ["PUT", { "if-modified-since": DATE }, undefined],
    ["GET", { "if-none-match": '"x"', "if-modified-since": DATE }, undefined],
    ["GET", { "if-match": ETAG }, undefined],
    ["GET", { "if-match": `W/${ETAG}` }, 412],
    ["GET", { "if-match": "*" }, undefined],
    ["GET", { "if-match": '"x"' }, 412],
    ["GET", { "if-unmodified-since": DATE }, undefined],
    ["GET", { "if-unmodified-since": BEFORE }, 412],
    ["GET", { "if-match": ETAG, "if-unmodified-since": BEFORE }, undefined],
    ["GET", { "if-match": '"x"', "if-none-match": ETAG }, 412],
  ];
for (const [method, headers, status] of PRECONDITIONS) {
  Deno.test(`${method} with ${JSON.stringify(headers)} is ${status ?? "on"}`, () => {
    assertEquals(
      preconditionStatus(fakeRequest({ method, headers }), NOW),
      status,
    );
  });
}

const RANGES: readonly (readonly [string, Fields, unknown])[] = [
  ["bytes=0-0", {}, [0, 0]],
  ["bytes=2-5", {}, [2, 5]],
  ["Bytes=2-", {}, [2, 9]],
  ["bytes=-3", {}, [7, 9]],
  ["bytes=-30", {}, [0, 9]],
  ["bytes=8-100", {}, [8, 9]],
  ["bytes=10-", {}, "unsatisfiable"],
  ["bytes=-0", {}, "unsatisfiable"],
  ["bytes=5-2", {}, undefined],
  ["bytes=-", {}, undefined],
  ["bytes=0-1,3-4", {}, undefined],
  ["lines=0-1", {}, undefined],
  ["bytes=0x1-2", {}, undefined],
  ["bytes=99999999999999999999-", {}, "unsatisfiable"],
  ["bytes=0-1", { "if-range": ETAG }, [0, 1]],
  ["bytes=0-1", { "if-range": `W/${ETAG}` }, undefined],
  ["bytes=0-1", { "if-range": '"x"' }, undefined],
  ["bytes=0-1", { "if-range": DATE }, [0, 1]],
  ["bytes=0-1", { "if-range": BEFORE }, undefined],
];
for (const [range, headers, expected] of RANGES) {
  Deno.test(`${range} of ten bytes with ${JSON.stringify(headers)}`, () => {
    const found = rangeOf(
      fakeRequest({ headers: { ...headers, range } }),
      NOW,
      10,
    );
    assertEquals(
      typeof found === "object" ? [found.start, found.end] : found,
      expected,
    );
  });
}

Deno.test("HEAD has no range, and nothing has no bytes", () => {
  const headers = { range: "bytes=0-" };
  assertEquals(
    rangeOf(fakeRequest({ method: "HEAD", headers }), NOW, 10),
    undefined,
  );
  assertEquals(rangeOf(fakeRequest({ headers }), NOW, 0), "unsatisfiable");
});
