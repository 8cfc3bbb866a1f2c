import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  parseCacheControl,
  parseTargeted,
} from "../../../core/cache/directives.ts";
import { parseDictionary } from "../../../core/cache/structured_fields.ts";

const MAX_AGE: readonly (readonly [readonly string[], number | undefined])[] = [
  [["max-age=3600"], 3600],
  [["MaX-aGe=3600"], 3600],
  [['max-age="3600"'], 3600],
  [["max-age=003600"], 3600],
  [["foobar, max-age=3600"], 3600],
  [["max-age=3600 , public"], 3600],
  [[",,\t max-age=3600,,"], 3600],
  [["max-age=99999999999"], 2 ** 31],
  [['extension="max-age=3600", max-age=1'], 1],
  [['max-age=1, extension="max-age=3600"'], 1],
  [['extension="max-age=3600", max-age="1"'], 1],
  [["max-age=1", "max-age=1800"], 1],
  [["max-age=1800, max-age=1"], 1800],
  [["max-age='3600'"], NaN],
  [["max-age=3600.0"], NaN],
  [["max-age=-3600"], NaN],
  [["max-age=a3600"], NaN],
  [["max-age=3600a"], NaN],
  [["max-age= 3600"], NaN],
  [["max-age =3600"], NaN],
  [['max-age="3600"x'], NaN],
  [["max-age"], NaN],
  [['x="max-age=5'], undefined],
  [["amax-age=5"], undefined],
];

Deno.test("parseCacheControl reads max-age", () => {
  for (const [values, expected] of MAX_AGE) {
    assertEquals(
      parseCacheControl(values).maxAge,
      expected,
      JSON.stringify(values),
    );
  }
});

Deno.test("parseCacheControl reads flags and lists", () => {
  const directives = parseCacheControl([
    'No-StOrE, no-cache="A, b", private="c"',
    "public, must-revalidate, max-stale, s-maxage=7",
  ]);
  assertEquals(directives.noStore, true);
  assertEquals(directives.noCache, false);
  assertEquals(directives.noCacheFields, ["a", "b"]);
  assertEquals(directives.private, false);
  assertEquals(directives.privateFields, ["c"]);
  assertEquals(directives.public, true);
  assertEquals(directives.mustRevalidate, true);
  assertEquals(directives.maxStale, Infinity);
  assertEquals(directives.sharedMaxAge, 7);
});

Deno.test("parseCacheControl takes any text in linear time", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => {
    parseCacheControl([text]);
  }));
  for (const unit of ['"', "a=", '"\\', 'a="', ", ", ",", "a ", "\\"]) {
    const before = performance.now();
    parseCacheControl([unit.repeat(65_536)]);
    const took = performance.now() - before;
    assertEquals(took < 500, true, `${JSON.stringify(unit)} took ${took} ms`);
  }
});

Deno.test("parseTargeted takes Structured Fields only", () => {
  assertEquals(parseTargeted([]), undefined);
  assertEquals(parseTargeted(["max-age=10"])?.maxAge, 10);
  assertEquals(parseTargeted(["foobar, max-age=3600"])?.maxAge, 3600);
  assertEquals(parseTargeted(["max-age=1", "no-store"])?.noStore, true);
  assertEquals(parseTargeted(["max-age=5;x=1"])?.maxAge, 5);
  assertEquals(parseTargeted(["max-age=1, max-age=2"])?.maxAge, 2);
  assertEquals(parseTargeted(["no-store=?0, max-age=2"])?.noStore, false);
  for (
    const value of [
      "max-age=10000, &&&&&",
      'max-age="10000"',
      "max-age=1.5",
      "max-age",
      "max-age =100",
      "max-age= 100",
      "MaX-aGe=3600",
      "no-store=1",
      "max-age=10,",
      "",
    ]
  ) assertEquals(parseTargeted([value]), undefined, value);
});

Deno.test("parseDictionary reads every kind of item", () => {
  const members = parseDictionary(
    'a=1, b=-2.5,c="x\\"y"; p, d=tok/en, e=:aGk=:, f=?0, g=(1 "a";q=1), h, i=@5, j=%"%c3%bc"',
  );
  assertEquals(
    Array.from(members!, ([key, item]) => [key, item.kind]),
    [
      ["a", "integer"],
      ["b", "decimal"],
      ["c", "string"],
      ["d", "token"],
      ["e", "bytes"],
      ["f", "boolean"],
      ["g", "list"],
      ["h", "boolean"],
      ["i", "date"],
      ["j", "display"],
    ],
  );
});

Deno.test("parseDictionary refuses what is none", () => {
  for (
    const text of [
      "A=1",
      "a=",
      "a,",
      "a b",
      'a="x',
      "a=(1",
      "a=(1,2)",
      "a=1234567890123456",
      "a=1.2345",
      "a=?2",
      "a=:x",
      "=1",
      "a;B",
    ]
  ) assertEquals(parseDictionary(text), undefined, text);
});

Deno.test("parseDictionary never throws", () => {
  fc.assert(fc.property(fc.string({ maxLength: 80 }), (text) => {
    parseDictionary(text);
  }));
});
