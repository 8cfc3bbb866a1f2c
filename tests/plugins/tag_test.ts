import tag from "../../plugins/tag.ts";
import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { fakeRequest, startPlugin } from "../../core/testing/views.ts";

type Rule = Readonly<Record<string, unknown>>;

const ROWS: readonly (readonly [
  string,
  readonly Rule[],
  Readonly<Record<string, readonly string[]>>,
])[] = [
  ["sets", [{ tags: { a: "1", b: ["2", "3"] } }], { a: ["1"], b: ["2", "3"] }],
  [
    "adds each value once",
    [{ tags: { a: "1" } }, { tags: { a: ["2", "1"] } }],
    {
      a: ["1", "2"],
    },
  ],
  ["replaces", [{ tags: { a: "1" } }, { tags: { a: "2" }, replace: true }], {
    a: ["2"],
  }],
  ["renders", [{ tags: { from: "%{client_address}" } }], {
    from: ["192.0.2.1"],
  }],
  ["leaves out what is empty", [{ tags: { a: "%{cookie:none}" } }], {}],
  ["ends at last", [{ tags: { a: "1" }, last: true }, { tags: { a: "2" } }], {
    a: ["1"],
  }],
  ["passes what does not match", [
    { when: 'req_method_in("POST")', tags: { a: "1" }, last: true },
    { when: 'req_method_in("GET")', tags: { a: "2" } },
  ], { a: ["2"] }],
  ["sees the tags before", [
    { tags: { a: "1" } },
    { when: 'req_tag_match("a", "1")', tags: { b: "yes" } },
  ], { a: ["1"], b: ["yes"] }],
];

for (const [what, rules, expected] of ROWS) {
  Deno.test(`tag ${what}`, async () => {
    const { handlers } = await startPlugin(tag, { rules });
    const request = fakeRequest();
    handlers.foundProduct?.(request);
    assertEquals(Object.fromEntries(request.tags), expected);
  });
}

Deno.test("tag counts by the tag's name", async () => {
  const plugin = await startPlugin(tag, { rules: [{ tags: { a: "1" } }] });
  plugin.handlers.foundProduct?.(fakeRequest());
  assertStringIncludes(
    plugin.metrics(),
    'headrace_plugin_tag_tags_total{tag="a"} 1',
  );
});

Deno.test("tag refuses a bad condition with its place", async () => {
  const error = await assertRejects(
    () => startPlugin(tag, { rules: [{ when: "x(", tags: { a: "1" } }] }),
    SyntaxError,
  );
  assertStringIncludes(error.message, "options.rules[0].when: ");
});
