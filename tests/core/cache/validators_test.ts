import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  parseContentRange,
  parseRange,
  spanOf,
} from "../../../core/cache/ranges.ts";
import type { FieldLine } from "../../../core/cache/store.ts";
import {
  conditionsOf,
  isNotModified,
  rangeStands,
  tellsOfAnother,
} from "../../../core/cache/validators.ts";
import { ListFields } from "../../../core/message/list_fields.ts";
import { at, headOf, NOW } from "./heads.ts";

const LM: FieldLine = ["last-modified", at(-3000)];

Deno.test("isNotModified weighs the client's conditions", () => {
  const rows: readonly (readonly [
    readonly FieldLine[],
    readonly FieldLine[],
    boolean,
  ])[] = [
    [[["etag", '"a"']], [], false],
    [[["etag", '"a"']], [["if-none-match", '"a"']], true],
    [[["etag", '"a"']], [["if-none-match", 'W/"a"']], true],
    [[["etag", 'W/"a"']], [["if-none-match", '"a"']], true],
    [[["etag", '"a"']], [["if-none-match", '"b", "a"']], true],
    [
      [["etag", '"a"']],
      [["if-none-match", '"b"'], ["if-none-match", '"a"']],
      true,
    ],
    [[["etag", '"a"']], [["if-none-match", '"b,a"']], false],
    [[["etag", '"b,a"']], [["if-none-match", '"b,a"']], true],
    [[["etag", '"a"']], [["if-none-match", "a"]], false],
    [[], [["if-none-match", "*"]], true],
    [[], [["if-none-match", '"a"']], false],
    [[LM], [["if-modified-since", at(-3000)]], true],
    [[LM], [["if-modified-since", at(-2000)]], true],
    [[LM], [["if-modified-since", at(-3001)]], false],
    [[LM], [["if-modified-since", "foo"]], false],
    [[], [["if-modified-since", at(1)]], true],
    [[], [["if-modified-since", at(-1)]], false],
    [[LM, ["etag", '"a"']], [["if-none-match", '"b"'], [
      "if-modified-since",
      at(0),
    ]], false],
    [[LM, ["etag", '"a"']], [["if-none-match", '"a"'], [
      "if-modified-since",
      at(-9999),
    ]], true],
  ];
  for (const [fields, request, expected] of rows) {
    assertEquals(
      isNotModified(headOf(fields), new ListFields(request), NOW),
      expected,
      JSON.stringify([fields, request]),
    );
  }
  const gone = headOf([["etag", '"a"']], { status: 404 });
  const request = new ListFields([["if-none-match", '"a"']]);
  assertEquals(isNotModified(gone, request, NOW), false);
});

Deno.test("conditionsOf uses only validators that are whole", () => {
  assertEquals(conditionsOf(headOf([])), undefined);
  assertEquals(conditionsOf(headOf([["etag", "a"]])), undefined);
  assertEquals(conditionsOf(headOf([["last-modified", "x"]])), undefined);
  assertEquals(conditionsOf(headOf([LM, ["etag", 'W/"a"']])), {
    etag: 'W/"a"',
    modified: LM[1],
  });
});

Deno.test("rangeStands asks for exactly the stored response", () => {
  const head = headOf([LM, ["etag", '"a"'], ["date", at(0)]]);
  const stands = (value: string) =>
    rangeStands(head, new ListFields([["if-range", value]]), NOW);
  assertEquals(rangeStands(head, new ListFields(), NOW), true);
  assertEquals(stands('"a"'), true);
  assertEquals(stands('W/"a"'), false);
  assertEquals(stands('"b"'), false);
  assertEquals(stands(at(-3000)), true);
  assertEquals(stands(at(-2999)), false);
  const weak = headOf([["etag", 'W/"a"'], ["last-modified", at(0)], [
    "date",
    at(0),
  ]]);
  assertEquals(
    rangeStands(weak, new ListFields([["if-range", 'W/"a"']]), NOW),
    false,
  );
  assertEquals(
    rangeStands(weak, new ListFields([["if-range", at(0)]]), NOW),
    false,
  );
});

Deno.test("tellsOfAnother compares a HEAD's answer with what is stored", () => {
  const head = headOf([LM, ["etag", '"a"']], { length: 3 });
  const tells = (...lines: FieldLine[]) =>
    tellsOfAnother(head, new ListFields(lines));
  assertEquals(tells(), false);
  assertEquals(tells(["content-length", "3"], ["etag", 'W/"a"'], LM), false);
  assertEquals(tells(["content-length", "4"]), true);
  assertEquals(tells(["etag", '"b"']), true);
  assertEquals(tells(["last-modified", at(-1)]), true);
});

Deno.test("parseRange reads one range", () => {
  assertEquals(parseRange("bytes=0-1"), { first: 0, last: 1 });
  assertEquals(parseRange("Bytes=5-"), { first: 5, last: undefined });
  assertEquals(parseRange("bytes=-5"), { first: undefined, last: 5 });
  for (
    const text of [
      "bytes=",
      "bytes=-",
      "bytes=5-4",
      "bytes=0-1,3-4",
      "lines=1-2",
      "bytes=a-b",
      "bytes 0-1",
    ]
  ) {
    assertEquals(parseRange(text), undefined, text);
  }
});

Deno.test("spanOf stays within the representation", () => {
  assertEquals(spanOf({ first: 0, last: 1 }, 10), { start: 0, end: 2 });
  assertEquals(spanOf({ first: 9, last: 99 }, 10), { start: 9, end: 10 });
  assertEquals(spanOf({ first: 10, last: undefined }, 10), undefined);
  assertEquals(spanOf({ first: undefined, last: 99 }, 10), {
    start: 0,
    end: 10,
  });
  assertEquals(spanOf({ first: undefined, last: 0 }, 10), undefined);
  assertEquals(spanOf({ first: undefined, last: 1 }, 0), undefined);
  fc.assert(fc.property(
    fc.option(fc.nat(100), { nil: undefined }),
    fc.nat(100),
    fc.nat(100),
    (first, last, length) => {
      const span = spanOf({ first, last }, length);
      if (span === undefined) return;
      assertEquals(0 <= span.start && span.end <= length, true);
      if (first === undefined || first <= last) {
        assertEquals(span.start < span.end, true);
      }
    },
  ));
});

Deno.test("parseContentRange reads one part", () => {
  const parse = (value: string) =>
    parseContentRange([["Content-Range", value]]);
  assertEquals(parse("bytes 0-4/10"), { start: 0, end: 5, length: 10 });
  assertEquals(parse("bytes 0-4/*"), { start: 0, end: 5, length: undefined });
  for (
    const text of [
      "bytes */10",
      "bytes 5-4/10",
      "bytes 0-10/10",
      "bytes=0-1/2",
      "items 0-1/2",
    ]
  ) {
    assertEquals(parse(text), undefined, text);
  }
  assertEquals(parseContentRange([]), undefined);
});
