import { assertEquals } from "@std/assert";
import { ListFields } from "../../../core/message/list_fields.ts";
import {
  alternateTags,
  keptRequest,
  selectEntry,
  varyingValue,
  varyMatches,
} from "../../../core/cache/vary.ts";
import type {
  FieldLine,
  StoredEntry,
  StoredHead,
} from "../../../core/cache/store.ts";
import { readVary } from "../../../core/cache/stored_response.ts";
import { at, headOf } from "./heads.ts";

function fields(...lines: readonly FieldLine[]): ListFields {
  return new ListFields(lines);
}

/** A head stored for a request with these lines. */
function stored(
  vary: readonly string[],
  request: ListFields,
  more: readonly FieldLine[] = [],
  parts: Partial<StoredHead> = {},
): StoredHead {
  const lines = vary.map((value): FieldLine => ["vary", value]);
  return headOf([...lines, ...more], {
    request: keptRequest(request, readVary(vary) ?? []),
    ...parts,
  });
}

function entryOf(head: StoredHead): StoredEntry {
  return {
    key: "http://a/",
    head,
    size: 0,
    open: () => {
      throw new Error("not read here");
    },
  };
}

const MATCHES: readonly (readonly [
  vary: readonly string[],
  stored: readonly FieldLine[],
  asked: readonly FieldLine[],
  expected: boolean,
])[] = [
  [[], [["foo", "1"]], [["foo", "2"]], true],
  [["Foo"], [["foo", "1"]], [["foo", "1"]], true],
  [["Foo"], [["foo", "1"]], [["foo", "2"]], false],
  [["Foo"], [["foo", "1"]], [], false],
  [["Foo"], [], [["foo", "1"]], false],
  [["Foo"], [], [], true],
  [["Foo"], [], [["foo", ""]], false],
  [
    ["foo, bar"],
    [["foo", "1"], ["bar", "a"]],
    [["bar", "a"], ["foo", "1"]],
    true,
  ],
  [["foo", "bar"], [["foo", "1"], ["bar", "a"]], [["foo", "1"]], false],
  [["*"], [], [], false],
  [["", "*"], [], [], false],
  [["foo, *"], [], [], false],
  [[", *"], [], [], false],
  [["foo"], [["foo", "1, 2"]], [["foo", "1"], ["foo", "2"]], true],
  [["foo"], [["foo", "1,2"]], [["foo", " 1, 2 "]], true],
  [["foo"], [["foo", "1,2"]], [["foo", "2,1"]], false],
  [["foo"], [["foo", '"a, b"']], [["foo", '"a,b"']], false],
  [["foo"], [["foo", "A"]], [["foo", "a"]], false],
  [["accept-language"], [["accept-language", "en, de"]], [[
    "accept-language",
    "De ,EN;q=1.0",
  ]], true],
  [["accept-language"], [["accept-language", "en, de"]], [[
    "accept-language",
    "de, en;q=0.5",
  ]], false],
  [["accept-encoding"], [["accept-encoding", "gzip,br"]], [[
    "accept-encoding",
    "br, gzip",
  ]], true],
];

Deno.test("varyMatches compares what Vary names", () => {
  for (const [vary, kept, asked, expected] of MATCHES) {
    const head = stored(vary, fields(...kept));
    assertEquals(
      varyMatches(head, fields(...asked)),
      expected,
      JSON.stringify([vary, kept, asked]),
    );
  }
});

Deno.test("the language that is wanted most answers, whatever it was stored for", () => {
  const head = stored(
    ["accept-language"],
    fields(["accept-language", "en, de"]),
    [["content-language", "de"]],
  );
  const asks = (value: string) =>
    varyMatches(head, fields(["accept-language", value]));
  assertEquals(asks("fr;q=0.5, de;q=1.0"), true);
  assertEquals(asks("fr, de;q=0.9"), false);
  assertEquals(asks("fr, de"), false);
  assertEquals(asks("de;q=0"), false);
});

Deno.test("selectEntry takes the best quality, then the latest, of its scope", () => {
  const old = entryOf(headOf([["date", at(-10)], ["x", "old"]]));
  const young = entryOf(headOf([["date", at(-5)], ["x", "young"]]));
  const other = entryOf(headOf([["x", "other"]], { scope: "api" }));
  const entries = [old, young, other];
  assertEquals(selectEntry(entries, "web", fields()), young);
  assertEquals(selectEntry([...entries].reverse(), "web", fields()), young);
  assertEquals(selectEntry(entries, "api", fields()), other);
  assertEquals(selectEntry(entries, "none", fields()), undefined);
  const quality = (wanted: number) => (head: StoredHead) =>
    head === old.head ? wanted : 0.5;
  assertEquals(selectEntry(entries, "web", fields(), quality(0.6)), old);
  assertEquals(selectEntry(entries, "web", fields(), quality(0)), young);
  assertEquals(selectEntry(entries, "web", fields(), () => 0), undefined);
  assertEquals(selectEntry(entries, "web", fields(), () => NaN), undefined);
});

Deno.test("keptRequest holds what Vary names, never credentials for the rest", () => {
  const request = fields(
    ["Authorization", "secret"],
    ["Cookie", "a=b"],
    ["X", "1"],
    ["Accept", "text/html"],
  );
  assertEquals(keptRequest(request, []), [["accept", "text/html"]]);
  assertEquals(keptRequest(request, ["x"]), [
    ["x", "1"],
    ["accept", "text/html"],
  ]);
  assertEquals(varyingValue(request, "none"), undefined);
});

Deno.test("alternateTags takes strong tags of whole responses, each once, and few of them", () => {
  const entry = (
    etag: string,
    parts: Partial<StoredHead> = {},
    ...more: readonly FieldLine[]
  ): StoredEntry => ({
    key: "k",
    size: 3,
    head: headOf([["etag", etag], ...more], parts),
    open: () => {
      throw new Error("Nobody reads it");
    },
  });
  const tags = (...entries: readonly StoredEntry[]) =>
    alternateTags(entries, "web", fields(["accept-encoding", "gzip, br;q=0"]));
  assertEquals(
    tags(
      entry('"a"'),
      entry('W/"b"'),
      entry("c"),
      entry('"d"', { scope: "api" }),
      entry('"e"', { complete: false }),
      entry('"f"', { status: 404 }),
      entry('"g"', {}, ["content-encoding", "br"]),
      entry('"h"', {}, ["content-encoding", "GZIP"]),
      entry('"i"', {}, ["content-encoding", "identity"]),
      entry('"a"'),
    ),
    ['"a"', '"h"', '"i"'],
  );
  const many = Array.from({ length: 20 }, (_, i) => entry(`"${i}"`));
  assertEquals(tags(...many).length, 8);
  const long = Array.from(
    { length: 3 },
    (_, i) => entry(`"${i}${"x".repeat(400)}"`),
  );
  assertEquals(tags(...long).length, 2);
});
