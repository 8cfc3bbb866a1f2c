import rewrite from "../../plugins/rewrite.ts";
import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import {
  checkOptions,
  fakeRequest,
  OptionsError,
  startPlugin,
} from "../../core/testing/views.ts";

type Rule = Readonly<Record<string, unknown>>;

/** The target that rules leave. */
async function rewritten(rules: readonly Rule[], target: string) {
  const plugin = await startPlugin(rewrite, { rules });
  const request = fakeRequest({ target, headers: { host: "old.example" } });
  plugin.handlers.afterLocation?.(request);
  return { target: request.target, host: request.headers.get("host"), plugin };
}

const ROWS: readonly (readonly [readonly Rule[], string, string])[] = [
  [[{ stripPrefix: "/api" }], "/api/x?a", "/x?a"],
  [[{ stripPrefix: "/api/" }], "/api/x", "/x"],
  [[{ stripPrefix: "/api" }], "/api", "/"],
  [[{ stripPrefix: "/api" }], "/apix", "/apix"],
  [[{ addPrefix: "/v2" }], "/x", "/v2/x"],
  [[{ addPrefix: "/v2/" }], "/", "/v2/"],
  [[{ path: "/é/ü?" }], "/x", "/%C3%A9/%C3%BC%3F"],
  [[{ path: "/%{path}" }], "/a%2fb", "/a%2fb"],
  [[{ path: "/u/%{header:host}/" }], "/", "/u/old.example/"],
  [
    [{ pathReplace: { pattern: "a+", with: "<$0>" } }],
    "/aab/a",
    "/%3Caa%3Eb/%3Ca%3E",
  ],
  [[{ query: "x=1" }], "/?a=2", "/?x=1"],
  [[{ query: "p=%{path}&%{query}" }], "/a?b", "/a?p=/a&b"],
  [[{ queryKeep: ["a"] }], "/?a=1&b=2&a=3", "/?a=1&a=3"],
  [[{ queryRemove: ["a b"] }], "/?a%20b=1&a+b=2&c", "/?c"],
  [[{ queryRemove: ["a"] }], "/?a", "/"],
  [[{ queryRename: { a: "b c" } }], "/?a=%31&a", "/?b%20c=%31&b%20c"],
  [[{ querySet: { a: "%{host}&x" } }], "/?a=1&b=2", "/?b=2&a=example.com&x"],
  [[{ querySet: { h: "%{header:host}" } }], "/", "/?h=old.example"],
  [[{ stripPrefix: "/a" }, { addPrefix: "/b" }], "/a/x", "/b/x"],
  [[{ path: "/1", last: true }, { path: "/2" }], "/", "/1"],
  [[{ stripPrefix: "/no", last: true }, { path: "/2" }], "/", "/2"],
  [[{ when: 'req_method_in("POST")', path: "/p" }], "/x", "/x"],
  [[{ path: "/p" }], "*", "*"],
];

for (const [rules, target, expected] of ROWS) {
  Deno.test(`rewrite ${target} by ${JSON.stringify(rules)}`, async () => {
    assertEquals((await rewritten(rules, target)).target, expected);
  });
}

Deno.test("rewrite sets the host, and counts requests that it changes", async () => {
  const { host, plugin } = await rewritten(
    [{ host: "%{product}.internal" }],
    "/",
  );
  assertEquals(host, "shop.internal");
  assertStringIncludes(
    plugin.metrics(),
    "headrace_plugin_rewrite_rewrites_total 1",
  );
});

Deno.test("rewrite keeps what a client chose within its segment", async () => {
  const { handlers } = await startPlugin(rewrite, {
    rules: [{ path: "/u/%{cookie:user}/x" }],
  });
  for (const [user, path] of [["..", "/u//x"], ["a/../b", "/u/a%2F..%2Fb/x"]]) {
    const request = fakeRequest({ headers: { cookie: `user=${user}` } });
    handlers.afterLocation?.(request);
    assertEquals(request.target, path);
  }
});

Deno.test("rewrite for routing comes before the rules", async () => {
  const { handlers } = await startPlugin(rewrite, {
    routing: true,
    rules: [{ path: "/x" }],
  });
  assertEquals(Object.keys(handlers), ["foundProduct"]);
});

Deno.test("rewrite refuses a query with a question mark", async () => {
  const error = await assertRejects(
    () => checkOptions(rewrite, { rules: [{ query: "?a" }] }),
    OptionsError,
  );
  assertStringIncludes(error.message, "rules.0.query");
});
