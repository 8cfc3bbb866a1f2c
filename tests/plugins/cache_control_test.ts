import type { HttpResponse, Lookup } from "../../core/plugin.ts";
import {
  fakeRequest,
  fakeResponse,
  OptionsError,
  startPlugin,
} from "../../core/testing/views.ts";
import cacheControl from "../../plugins/cache_control.ts";
import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";

type Rule = Readonly<Record<string, unknown>>;

/** A backend's response with these fields after the rules. */
async function ruled(
  rules: readonly Rule[],
  headers: Readonly<Record<string, string>> = {},
  facts: Partial<Pick<HttpResponse, "status" | "from">> = {},
  more: Rule = {},
) {
  const plugin = await startPlugin(cacheControl, { rules, ...more });
  const request = fakeRequest({ path: "/x" });
  const response = fakeResponse({ ...facts, headers });
  if (response.from === "backend") {
    await plugin.handlers.readResponseHeader?.(request, response, null!);
  }
  await plugin.handlers.readResponse?.(request, response);
  return { plugin, request, headers: response.headers };
}

/** What: rules, own Cache-Control, what comes out. */
const EDITS: readonly (readonly [string, Rule, string, string | null])[] = [
  ["sets", { set: { maxAge: "1m" } }, "", "max-age=60"],
  [
    "writes every directive",
    {
      set: {
        maxAge: "0s",
        sMaxage: "2h",
        staleWhileRevalidate: "1s",
        staleIfError: "1d",
        public: true,
        noCache: ["Set-Cookie", "X-A"],
        mustRevalidate: true,
        proxyRevalidate: true,
        noTransform: true,
        immutable: true,
      },
    },
    "",
    "max-age=0, s-maxage=7200, stale-while-revalidate=1, " +
    'stale-if-error=86400, public, no-cache="Set-Cookie, X-A", ' +
    "must-revalidate, proxy-revalidate, no-transform, immutable",
  ],
  [
    "must-understand beside no-store",
    { set: { maxAge: "1s", noStore: true, mustUnderstand: true } },
    "",
    "max-age=1, no-store, must-understand",
  ],
  [
    "takes the place of its own name",
    { set: { maxAge: "1m" } },
    'Max-Age=5, max-age="7", max-age = 9, public',
    "max-age=60, public",
  ],
  [
    "keeps unknown directives, whatever is quoted in them",
    { set: { maxAge: "1m" } },
    'x="a, max-age=1, \\"", community=UCI,,',
    'max-age=60, x="a, max-age=1, \\"", community=UCI',
  ],
  [
    "says nothing twice",
    { set: { public: true } },
    'max-age=1, public, max-age=2, no-cache="a", no-cache="b", no-cache="a"',
    'public, max-age=1, no-cache="a", no-cache="b"',
  ],
  [
    "stands before what is malformed",
    { set: { maxAge: "1m" } },
    'x="no end, max-age=1',
    'max-age=60, x="no end, max-age=1',
  ],
  ["public rules private out", { set: { public: true } }, "private", "public"],
  [
    "private rules out what is for all",
    { set: { private: true } },
    "public, s-maxage=5, max-age=1",
    "private, max-age=1",
  ],
  [
    "no-store rules lifetimes out",
    { set: { noStore: true } },
    "max-age=5, public, immutable, stale-if-error=5, private, no-transform",
    "no-store, private, no-transform",
  ],
  [
    "a backend's no-store stays",
    { set: { maxAge: "1m" } },
    "no-store, no-cache",
    "max-age=60, no-store, no-cache",
  ],
  [
    "removes",
    { set: { maxAge: "1m" }, remove: ["No-Store", "no-cache"] },
    'no-store, no-cache="a", private',
    "max-age=60, private",
  ],
  ["removes the last", { remove: ["no-store"] }, "no-store", null],
  ["keeps", { set: { maxAge: "1m" }, existing: "keep" }, "x", "x"],
  [
    "keeps nothing where there is nothing",
    { set: { maxAge: "1m" }, existing: "keep" },
    "",
    "max-age=60",
  ],
  [
    "drops",
    { set: { maxAge: "1m" }, existing: "drop" },
    "no-store, x",
    "max-age=60",
  ],
];

for (const [what, rule, own, expected] of EDITS) {
  Deno.test(`cache-control: ${what}`, async () => {
    const { headers } = await ruled(
      [rule],
      own === "" ? {} : { "cache-control": own },
    );
    assertEquals(headers.get("cache-control"), expected);
  });
}

const CDN: readonly (readonly [string, Rule, string, string | null])[] = [
  [
    "sets",
    { set: { maxAge: "1m", noCache: ["A"] } },
    "",
    'max-age=60, no-cache="A"',
  ],
  [
    "keeps other members",
    { set: { maxAge: "1m" } },
    'max-age=1, a;b=?1, c=(1 "x, y"), no-store, a=2',
    'max-age=60, a=2, c=(1 "x, y"), no-store',
  ],
  [
    "takes nothing from what is no dictionary",
    { set: { maxAge: "1m" } },
    "Foo, max-age=",
    "max-age=60",
  ],
  ["removes", { remove: ["no-store"] }, "no-store", null],
];
for (const [what, cdn, own, expected] of CDN) {
  Deno.test(`cache-control of a CDN: ${what}`, async () => {
    const { headers } = await ruled([{ cdn }], {
      "cache-control": "private",
      ...own !== "" && { "cdn-cache-control": own },
    });
    assertEquals(headers.get("cdn-cache-control"), expected);
    assertEquals(headers.get("cache-control"), "private");
  });
}

Deno.test("cache-control takes Expires and Pragma away where they would say something else", async () => {
  const own = { expires: "0", pragma: "no-cache" };
  const rows: readonly (readonly [Rule, boolean])[] = [
    [{ set: { maxAge: "1m" } }, false],
    [{ set: { noStore: true } }, false],
    [{ set: { noCache: true } }, false],
    [{ existing: "drop" }, false],
    [{ set: { sMaxage: "1m" } }, true],
    [{ set: { maxAge: "1m" }, existing: "keep" }, true],
  ];
  for (const [rule, stay] of rows) {
    const { headers } = await ruled([rule], own);
    assertEquals(
      [headers.has("expires"), headers.has("pragma")],
      [stay, stay],
      JSON.stringify(rule),
    );
  }
  const { headers } = await ruled(
    [{ set: { maxAge: "1m" }, existing: "keep" }],
    own,
  );
  assertEquals(headers.has("cache-control"), false);
});

const one = (seconds: number, more: Rule = {}) => ({
  set: { maxAge: `${seconds}s` },
  ...more,
});

const CHOICES: readonly (readonly [
  string,
  readonly Rule[],
  number,
  string,
  string | null,
])[] = [
  ["the first rule", [one(1), one(2)], 200, "", "1"],
  ["no error by default", [one(1)], 404, "", null],
  ["redirects by default", [one(1)], 301, "", "1"],
  ["statuses", [one(1, { statuses: ["400-499"] }), one(2)], 404, "", "1"],
  [
    "statuses that are not",
    [one(1, { statuses: ["404"] }), one(2)],
    200,
    "",
    "2",
  ],
  ["206 by 200", [one(1, { statuses: ["200"] })], 206, "", "1"],
  ["304 by 200", [one(1, { statuses: ["200"] })], 304, "", "1"],
  ["type", [one(1, { types: ["image/*"] }), one(2)], 200, "image/png", "1"],
  [
    "type with parameters",
    [one(1, { types: ["text/html"] })],
    200,
    "TEXT/HTML; charset=x",
    "1",
  ],
  [
    "other type",
    [one(1, { types: ["image/*"] }), one(2)],
    200,
    "text/a",
    "2",
  ],
  ["no type", [one(1, { types: ["image/*"] }), one(2)], 200, "", "2"],
  [
    "304 of unknown type",
    [one(1, { types: ["image/*"] }), one(2)],
    304,
    "",
    null,
  ],
  [
    "304 with a type",
    [one(1, { types: ["image/*"] }), one(2)],
    304,
    "text/a",
    "2",
  ],
  [
    "condition",
    [
      one(1, { when: 'req_path_in("/y", false)' }),
      one(2, { when: 'res_code_in("200") && req_path_in("/x", false)' }),
    ],
    200,
    "",
    "2",
  ],
];
for (const [what, rules, status, type, expected] of CHOICES) {
  Deno.test(`cache-control chooses by ${what}`, async () => {
    const { headers } = await ruled(
      rules,
      type === "" ? {} : { "content-type": type },
      { status },
    );
    const field = headers.get("cache-control");
    assertEquals(field, expected && `max-age=${expected}`);
  });
}

Deno.test("cache-control: a 304 goes by the type of what is stored", async () => {
  const rules = [one(1, { types: ["image/*"] }), one(2)];
  for (const more of [{}, { for: "clients" }]) {
    const { handlers } = await startPlugin(cacheControl, { rules, ...more });
    const request = fakeRequest();
    const stored = fakeResponse({ headers: { "content-type": "image/png" } });
    await handlers.readCacheHeader?.(
      request,
      {
        result: "hit-stale",
        alternate: { request, response: stored },
      } satisfies Lookup,
    );
    const response = fakeResponse({ status: 304 });
    await handlers.readResponseHeader?.(request, response, null!);
    await handlers.readResponse?.(request, response);
    assertEquals(response.headers.get("cache-control"), "max-age=1");
  }
});

Deno.test("cache-control for all leaves the cache's alone, for clients changes them and counts their age in", async () => {
  const own = { "cache-control": "max-age=3600", age: "100" };
  const rows = [
    ["all", "backend", "max-age=60"],
    ["all", "cache", "max-age=3600"],
    ["all", "handler", "max-age=60"],
    ["all", "proxy", "max-age=60"],
    ["clients", "backend", "max-age=160"],
    ["clients", "cache", "max-age=160"],
    ["clients", "handler", "max-age=160"],
  ] as const;
  for (const [who, from, expected] of rows) {
    const { headers } = await ruled([one(60)], own, { from }, { for: who });
    assertEquals(headers.get("cache-control"), expected, `${who} ${from}`);
  }
});

Deno.test("cache-control passes interim responses and what never parsed", async () => {
  const { handlers } = await startPlugin(cacheControl, {
    rules: [one(1, { statuses: ["200-599"] })],
  });
  const hints = fakeResponse({ status: 103 });
  await handlers.readResponseHeader?.(fakeRequest(), hints, null!);
  const bad = fakeResponse({ status: 400, from: "proxy" });
  await handlers.readResponse?.(undefined, bad);
  assertEquals([...hints.headers, ...bad.headers], []);
});

Deno.test("cache-control counts what it changes by rule", async () => {
  const rules = [one(1, { statuses: ["404"] }), one(60)];
  const { plugin } = await ruled(rules);
  assertStringIncludes(
    plugin.metrics(),
    'headrace_plugin_cache_control_responses_total{rule="2"} 1',
  );
  const same = await ruled(rules, { "cache-control": "max-age=60" });
  assertEquals(same.plugin.metrics().includes('rule="2"'), false);
});

Deno.test("cache-control refuses what makes no sense, with its place", async () => {
  const rows: readonly (readonly [unknown, string])[] = [
    [{}, "rules.0: Expected something to set"],
    [{ set: { public: true, private: true } }, "set.private: Cannot be public"],
    [{ set: { noStore: true, maxAge: "1s" } }, "set.maxAge: What must not be"],
    [{ set: { maxAge: "1500ms" } }, "set.maxAge: Expected whole seconds"],
    [{ set: { noCache: ["a b"] } }, "set.noCache"],
    [{ set: { maxage: "1s" } }, "maxage"],
    [
      { set: { public: true }, statuses: ["2xx"] },
      "statuses.0: Expected a status",
    ],
    [{ remove: ["a,b"] }, "remove.0"],
  ];
  for (const [rule, expected] of rows) {
    const error = await assertRejects(
      () => startPlugin(cacheControl, { rules: [rule] }),
      OptionsError,
    );
    assertStringIncludes(error.message, expected);
  }
  const error = await assertRejects(
    () => startPlugin(cacheControl, { rules: [one(1, { when: "x(" })] }),
    SyntaxError,
  );
  assertStringIncludes(error.message, "options.rules[0].when: ");
});
