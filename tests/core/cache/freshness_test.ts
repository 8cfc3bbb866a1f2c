import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseCacheControl } from "../../../core/cache/directives.ts";
import { ageOf, judge, mayStandIn } from "../../../core/cache/freshness.ts";
import type { FieldLine, StoredHead } from "../../../core/cache/store.ts";
import { factsOf } from "../../../core/cache/stored_response.ts";
import { at, headOf, NOW } from "./heads.ts";

/** Fields, and the lifetime in seconds with the age when it came. */
const LIFETIMES: readonly (readonly [
  name: string,
  fields: readonly FieldLine[],
  lifetime: number,
  age?: number,
  parts?: Partial<StoredHead>,
])[] = [
  ["nothing", [], 0],
  ["max-age", [["cache-control", "max-age=60"]], 60],
  ["s-maxage wins", [["cache-control", "max-age=60, s-maxage=5"]], 5],
  ["s-maxage wins, on a second line", [
    ["cache-control", "max-age=60"],
    ["Cache-Control", "s-maxage=5"],
  ], 5],
  ["max-age before Expires", [
    ["cache-control", "max-age=60"],
    ["expires", at(-100)],
  ], 60],
  ["a bad max-age is stale", [
    ["cache-control", "max-age=1.5"],
    ["expires", at(100)],
  ], 0],
  ["Expires", [["expires", at(100)], ["date", at(0)]], 100],
  ["Expires from Date on", [["expires", at(300)], ["date", at(400)]], 0],
  ["Expires without Date", [["expires", at(100)]], 100],
  ["Expires with a bad Date", [["expires", at(10)], ["date", "foo"]], 10],
  ["a bad Expires", [["expires", "0"]], 0],
  ["two Expires", [["expires", at(10)], ["expires", at(11)]], 0],
  ["CDN-Cache-Control wins", [
    ["cache-control", "no-store, max-age=1"],
    ["cdn-cache-control", "max-age=60"],
    ["expires", at(-10)],
  ], 60],
  ["a bad CDN-Cache-Control is none", [
    ["cache-control", "max-age=1"],
    ["cdn-cache-control", "max-age=60, &&&"],
  ], 1],
  ["CDN-Cache-Control that says nothing of it", [
    ["cdn-cache-control", "foo"],
    ["expires", at(100)],
  ], 0],
  ["heuristic", [["last-modified", at(-1000)]], 100],
  ["heuristic, a day at most", [["last-modified", at(-9e6)]], 86_400],
  ["no heuristic for 403", [["last-modified", at(-1000)]], 0, 0, {
    status: 403,
  }],
  [
    "heuristic for 599 with public",
    [["last-modified", at(-1000)], ["cache-control", "public"]],
    100,
    0,
    { status: 599 },
  ],
  ["Pragma against heuristic", [
    ["last-modified", at(-1000)],
    ["pragma", "no-cache"],
  ], 0],
  ["Pragma against nothing else", [
    ["cache-control", "max-age=60"],
    ["pragma", "no-cache"],
  ], 60],
  ["a rule's", [["last-modified", at(-1000)]], 30, 0, { ttl: 30_000 }],
  [
    "no rule's where it says its own",
    [["cache-control", "max-age=9"]],
    9,
    0,
    { ttl: 30_000 },
  ],
  ["Age", [["age", "7"]], 0, 7],
  ["Age beyond reason", [["age", "99999999999"]], 0, 2 ** 31],
  ["the first Age", [["age", "0, 7"]], 0, 0],
  ["the first Age's line", [["age", "7"], ["age", "0"]], 0, 7],
  ["bad Ages", [["age", "-7"]], 0, 0],
  ["Age is no decimal", [["age", "7200.0"]], 0, 0],
  ["an old Date", [["date", at(-50)], ["age", "7"]], 0, 50],
  ["a Date ahead", [["date", at(50)]], 0, 0],
  ["a slow answer", [["age", "7"]], 0, 10, { requestedAt: NOW - 3000 }],
];

Deno.test("lifetime and age are RFC 9111's", () => {
  for (const [name, fields, lifetime, age = 0, parts] of LIFETIMES) {
    const head = headOf(fields, parts);
    assertEquals(factsOf(head).lifetime, lifetime * 1000, name);
    assertEquals(ageOf(head, NOW), age * 1000, name);
    assertEquals(ageOf(head, NOW + 1500), age * 1000 + 1500, name);
  }
});

const JUDGEMENTS: readonly (readonly [
  response: string,
  request: string,
  seconds: number,
  expected: string,
])[] = [
  ["max-age=10", "", 0, "fresh"],
  ["max-age=10", "", 9.999, "fresh"],
  ["max-age=10", "", 10, "stale"],
  ["max-age=10", "no-cache", 0, "stale"],
  ["max-age=10, no-cache", "", 0, "stale"],
  ["max-age=10", "max-age=5", 5, "fresh"],
  ["max-age=10", "max-age=5", 5.001, "stale"],
  ["max-age=10", "max-age=0", 1, "stale"],
  ["max-age=10, immutable", "max-age=0", 1, "fresh"],
  ["max-age=10, immutable", "no-cache", 1, "stale"],
  ["max-age=10", "max-age=x", 1, "stale"],
  ["max-age=10", "min-fresh=5", 5, "fresh"],
  ["max-age=10", "min-fresh=5", 6, "stale"],
  ["max-age=10", "max-stale", 100, "fresh"],
  ["max-age=10", "max-stale=5", 15, "fresh"],
  ["max-age=10", "max-stale=5", 15.001, "stale"],
  ["max-age=10", "max-stale, max-age=5", 15, "stale"],
  ["max-age=10, must-revalidate", "max-stale", 11, "stale"],
  ["max-age=10, proxy-revalidate", "max-stale", 11, "stale"],
  ["s-maxage=10", "max-stale", 11, "stale"],
  ["max-age=10, stale-while-revalidate=5", "", 14.999, "refresh"],
  ["max-age=10, stale-while-revalidate=5", "", 15, "stale"],
  ["max-age=10, stale-while-revalidate=5", "max-age=60", 12, "stale"],
  ["max-age=10, stale-while-revalidate=x", "", 12, "stale"],
  ["s-maxage=10, stale-while-revalidate=5", "", 12, "stale"],
];

Deno.test("judge weighs what both sides say", () => {
  for (const [response, request, seconds, expected] of JUDGEMENTS) {
    const head = headOf([["cache-control", response]]);
    const judged = judge(
      head,
      parseCacheControl(request === "" ? [] : [request]),
      NOW + seconds * 1000,
    );
    assertEquals(judged, expected, `${response} | ${request} | ${seconds}`);
  }
});

Deno.test("a rule's stale window holds where the response says nothing", () => {
  const none = parseCacheControl([]);
  const later = NOW + 12_000;
  const plain = headOf([["cache-control", "max-age=10"]], { stale: 5000 });
  assertEquals(judge(plain, none, later), "refresh");
  assertEquals(mayStandIn(plain, none, later, false), true);
  const own = headOf(
    [["cache-control", "max-age=10, stale-while-revalidate=1"]],
    { stale: 5000 },
  );
  assertEquals(judge(own, none, later), "stale");
  const strict = headOf(
    [["cache-control", "max-age=10, must-revalidate"]],
    { stale: 5000 },
  );
  assertEquals(judge(strict, none, later), "stale");
  assertEquals(mayStandIn(strict, none, later, true), false);
});

Deno.test("mayStandIn follows stale-if-error of either side", () => {
  for (
    const [response, request, seconds, expected, disconnected = false] of [
      ["max-age=10", "", 5, true],
      ["max-age=10", "", 12, false],
      ["max-age=10, stale-if-error=5", "", 14, true],
      ["max-age=10, stale-if-error=5", "", 15, false],
      ["max-age=10", "stale-if-error=5", 14, true],
      ["max-age=10, stale-if-error=5", "no-cache", 11, false],
      ["max-age=10, no-cache, stale-if-error=5", "", 1, false],
      ["s-maxage=10, stale-if-error=5", "", 12, false],
      ["max-age=10", "", 86_409, true, true],
      ["max-age=10", "", 86_410, false, true],
      ["max-age=10, stale-if-error=5", "", 15, false, true],
      ["max-age=10, proxy-revalidate", "", 11, false, true],
    ] as const
  ) {
    const head = headOf([["cache-control", response]]);
    const directives = parseCacheControl(request === "" ? [] : [request]);
    assertEquals(
      mayStandIn(head, directives, NOW + seconds * 1000, disconnected),
      expected,
      `${response} | ${request} | ${seconds}`,
    );
  }
});

Deno.test("what is fresh now was fresh before, whatever it says", () => {
  fc.assert(fc.property(
    fc.array(fc.constantFrom("max-age=", "s-maxage=", "x="), {
      maxLength: 3,
    }),
    fc.nat(1000),
    fc.nat(2000),
    fc.nat(2000),
    (names, lifetime, one, other) => {
      const head = headOf([
        ["cache-control", names.map((name) => name + lifetime).join(",")],
      ]);
      const none = parseCacheControl([]);
      const [earlier, later] = [Math.min(one, other), Math.max(one, other)];
      const judged = (seconds: number) =>
        judge(head, none, NOW + seconds * 1000);
      if (judged(later) === "fresh") assertEquals(judged(earlier), "fresh");
    },
  ));
});

Deno.test("a handler's word on freshness stands, but not against no-cache", () => {
  const none = parseCacheControl([]);
  const head = headOf([["cache-control", "max-age=10"]]);
  assertEquals(judge(head, none, NOW, false), "stale");
  assertEquals(judge(head, none, NOW + 20_000, true), "fresh");
  const never = headOf([["cache-control", "max-age=10, no-cache"]]);
  assertEquals(judge(never, none, NOW, true), "stale");
});
