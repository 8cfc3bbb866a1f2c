import redirect from "../../plugins/redirect.ts";
import type { RequestFacts } from "../../core/testing/views.ts";
import {
  assert,
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

/** Where one rule sends a request. */
async function sent(
  rule: Readonly<Record<string, unknown>>,
  facts: RequestFacts,
): Promise<string | undefined> {
  const { handlers } = await startPlugin(redirect, { rules: [rule] });
  const verdict = await handlers.foundProduct?.(fakeRequest(facts));
  if (verdict === undefined) return undefined;
  assert(verdict.kind === "redirect");
  return verdict.url;
}

const ROWS: readonly (readonly [
  string,
  Readonly<Record<string, unknown>>,
  RequestFacts,
  string | undefined,
])[] = [
  ["a path", { path: "/new" }, { target: "/old?a=1" }, "/new?a=1"],
  ["nothing to change", { path: "/new" }, { target: "/new" }, undefined],
  ["the query away", { query: "" }, { target: "/a?b" }, "/a"],
  ["a prefix", { stripPrefix: "/old" }, { target: "/old/x" }, "/x"],
  ["another prefix", { stripPrefix: "/old" }, { target: "/older" }, undefined],
  [
    "a pattern",
    { pathReplace: { pattern: "^/b/(\\d+)$", with: "/p/$1" } },
    { target: "/b/17?x" },
    "/p/17?x",
  ],
  [
    "what no pattern matches",
    { pathReplace: { pattern: "^/b/(\\d+)$", with: "/p/$1" } },
    { target: "/b/x" },
    undefined,
  ],
  [
    "another scheme",
    { scheme: "https", port: 8443 },
    { target: "/a?b", host: "h.example", port: 8080 },
    "https://h.example:8443/a?b",
  ],
  [
    "another scheme's own port",
    { scheme: "https", port: 443 },
    { target: "/", host: "h.example", port: 8080 },
    "https://h.example/",
  ],
  [
    "an address",
    { scheme: "https" },
    { target: "/", host: "::1", port: 80 },
    "https://[::1]/",
  ],
  [
    "the same scheme",
    { scheme: "http" },
    { target: "/", host: "h", port: 8080 },
    undefined,
  ],
  [
    "another host",
    { host: "www.example.com" },
    { target: "/x", host: "example.com" },
    "http://www.example.com/x",
  ],
  [
    "the host already",
    { host: "a.b" },
    { target: "/x", host: "a.b" },
    undefined,
  ],
  [
    "a host made of the old one",
    {
      hostReplace: { pattern: "^www\\.(.*)$", with: "$1" },
      allowHosts: ["*.example.com"],
    },
    { host: "www.shop.example.com" },
    "http://shop.example.com/",
  ],
  [
    "a host that is not listed",
    {
      hostReplace: { pattern: "^www\\.(.*)$", with: "$1" },
      allowHosts: ["*.example.com"],
    },
    { host: "www.evil.example" },
    undefined,
  ],
  [
    "a host that only ends alike",
    {
      hostReplace: { pattern: "^www\\.(.*)$", with: "$1" },
      allowHosts: ["*.example.com"],
    },
    { host: "www.evilexample.com" },
    undefined,
  ],
  [
    "a URL with variables",
    { to: "https://new.example%{target}" },
    { target: "/a?b=1" },
    "https://new.example/a?b=1",
  ],
  [
    "no variable's slash",
    { to: "/u/%{header:x-user}" },
    { headers: { "x-user": "../@evil.example/?" } },
    "/u/..%2F%40evil.example%2F%3F",
  ],
  [
    "a condition that fails",
    { when: 'req_method_in("POST")', path: "/x" },
    {},
    undefined,
  ],
  [
    "a condition that holds",
    { when: 'req_method_in("POST")', path: "/x" },
    { method: "POST" },
    "/x",
  ],
  // Open redirects: a browser takes //host and /\host for another host.
  [
    "two slashes",
    { stripPrefix: "/go" },
    { target: "/go//evil.example" },
    "/evil.example",
  ],
  [
    "a slash by a pattern",
    { pathReplace: { pattern: "^/go/(.*)$", with: "/$1" } },
    { target: "/go//evil.example/x" },
    "/evil.example/x",
  ],
  [
    "a pattern's bare text",
    { pathReplace: { pattern: "^/go/", with: "" } },
    { target: "/go/https://evil.example" },
    "/https://evil.example",
  ],
  [
    "a backslash",
    { stripPrefix: "/go" },
    { target: "/go/\\evil.example" },
    "/evil.example",
  ],
];

for (const [what, rule, facts, expected] of ROWS) {
  Deno.test(`redirect: ${what}`, async () => {
    assertEquals(await sent(rule, facts), expected);
  });
}

Deno.test("redirect counts what it sends, by status; the first rule answers", async () => {
  const plugin = await startPlugin(redirect, {
    rules: [{ path: "/a", status: 308 }, { path: "/b" }],
  });
  const verdict = await plugin.handlers.foundProduct?.(fakeRequest());
  assertEquals(verdict, { kind: "redirect", url: "/a", status: 308 });
  assertStringIncludes(
    plugin.metrics(),
    'headrace_plugin_redirect_redirects_total{status="308"} 1',
  );
});

const REFUSED: readonly (readonly [
  Readonly<Record<string, unknown>>,
  string,
])[] = [
  [{}, "Expected where to redirect to"],
  [{ to: "/a", path: "/b" }, "Cannot use path beside to"],
  [{ to: "//evil.example/" }, "rules.0.to"],
  [{ to: "/%{path}" }, "rules.0.to"],
  [{ to: "https://%{host}/" }, "rules.0.to"],
  [{ to: "https://a.example%{query}" }, "rules.0.to"],
  [{ to: "javascript:alert(1)" }, "rules.0.to"],
  [{ hostReplace: { pattern: "a", with: "b" } }, "allowHosts"],
  [{ path: "a" }, "rules.0.path"],
  [{ path: "/", status: 200 }, "rules.0.status"],
  [{ host: "a/b" }, "rules.0.host"],
];

for (const [rule, text] of REFUSED) {
  Deno.test(`redirect refuses ${JSON.stringify(rule)}`, async () => {
    const error = await assertRejects(
      () => checkOptions(redirect, { rules: [rule] }),
      OptionsError,
    );
    assertStringIncludes(error.message, text);
  });
}

const REFUSED_AT_SETUP: readonly (readonly [
  Readonly<Record<string, unknown>>,
  string,
])[] = [
  [{ when: "req_nothing()", path: "/" }, "options.rules[0].when: "],
  [
    { pathReplace: { pattern: "(", with: "" } },
    "options.rules[0].pathReplace: ",
  ],
  [
    { pathReplace: { pattern: "a", with: "$1" } },
    "options.rules[0].pathReplace: Cannot use $1",
  ],
  [{ path: "/%{nothing}" }, "options.rules[0].path: Unknown variable"],
];

for (const [rule, text] of REFUSED_AT_SETUP) {
  Deno.test(`redirect refuses to set up ${JSON.stringify(rule)}`, async () => {
    const error = await assertRejects(
      () => startPlugin(redirect, { rules: [rule] }),
      SyntaxError,
    );
    assertStringIncludes(error.message, text);
  });
}
