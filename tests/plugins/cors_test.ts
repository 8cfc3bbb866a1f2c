import cors from "../../plugins/cors.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import {
  checkOptions,
  fakeRequest,
  fakeResponse,
  OptionsError,
  startPlugin,
} from "../../core/testing/views.ts";

const ALLOWED: readonly (readonly [
  Readonly<Record<string, unknown>>,
  readonly string[],
  readonly string[],
])[] = [
  [
    { origins: ["https://a.example"] },
    ["https://a.example"],
    [
      "http://a.example",
      "https://a.example:8443",
      "https://a.example.evil",
      "https://b.a.example",
      "null",
    ],
  ],
  [
    { origins: ["https://*.example.com"] },
    ["https://a.example.com", "https://a.b.example.com"],
    [
      "https://example.com",
      "https://.example.com",
      "https://evilexample.com",
      "https://evil.org/.example.com",
      "https://evil.org#.example.com",
      "https://evil.org:1@x.example.com",
      "https://a.example.com:8443",
      "http://a.example.com",
    ],
  ],
  [
    { patterns: ["https://[a-z]+\\.example"] },
    ["https://ab.example"],
    ["https://ab.example.evil", "xhttps://ab.example", "https://1.example"],
  ],
  [
    { patterns: ["https://a|https://b"] },
    ["https://a", "https://b"],
    ["https://a.evil", "evil://https://b"],
  ],
  [{ patterns: [".*"] }, ["https://a"], ["null"]],
  [{ patterns: [".*"], origins: ["null"] }, ["https://a", "null"], []],
  [{ origins: ["null"] }, ["null"], ["https://a"]],
  [{ origins: ["*"] }, ["https://a", "null"], []],
];

for (const [options, allowed, refused] of ALLOWED) {
  Deno.test(`cors allows by ${JSON.stringify(options)}`, async () => {
    const { handlers } = await startPlugin(cors, options);
    for (const origin of [...allowed, ...refused]) {
      const request = fakeRequest({ headers: { origin } });
      handlers.foundProduct?.(request);
      const response = fakeResponse();
      handlers.sendResponseHeader?.(request, response);
      const field = response.headers.get("access-control-allow-origin");
      const any = options.origins?.toString() === "*";
      assertEquals(
        field,
        allowed.includes(origin) ? any ? "*" : origin : null,
        origin,
      );
      assertEquals(response.headers.get("vary"), any ? null : "Origin");
    }
  });
}

/** A preflight's answer. */
async function preflight(
  options: Readonly<Record<string, unknown>>,
  origin: string,
): Promise<Record<string, string>> {
  const plugin = await startPlugin(cors, options);
  const request = fakeRequest({
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "PUT" },
  });
  const verdict = await plugin.handlers.foundProduct?.(request);
  assert(
    verdict?.kind === "respond" && !(verdict.response instanceof Response),
  );
  assertEquals(verdict.response.status, 204);
  const fields = [...verdict.response.headers as Iterable<[string, string]>];
  // Its own response passes sendResponseHeader as it is.
  const response = fakeResponse({ headers: Object.fromEntries(fields) });
  plugin.handlers.sendResponseHeader?.(request, response);
  assertEquals([...response.headers], fields);
  return Object.fromEntries(fields);
}

const FULL = {
  origins: ["https://a"],
  credentials: true,
  methods: ["PUT"],
  headers: ["X-A", "Authorization"],
  expose: ["X-B"],
  maxAge: 60,
};
const VARY =
  "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

Deno.test("cors answers a preflight", async () => {
  assertEquals(await preflight(FULL, "https://a"), {
    vary: VARY,
    "access-control-allow-origin": "https://a",
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "PUT",
    "access-control-allow-headers": "X-A, Authorization",
    "access-control-max-age": "60",
  });
});

Deno.test("cors answers a preflight of others without a word", async () => {
  assertEquals(await preflight(FULL, "https://b"), { vary: VARY });
});

Deno.test("cors replaces a backend's own fields, keeps its Vary, counts", async () => {
  const plugin = await startPlugin(cors, FULL);
  const request = fakeRequest({ headers: { origin: "https://a" } });
  plugin.handlers.foundProduct?.(request);
  const response = fakeResponse({
    headers: { "access-control-allow-origin": "*", vary: "Accept" },
  });
  plugin.handlers.sendResponseHeader?.(request, response);
  assertEquals(Object.fromEntries(response.headers), {
    vary: "Origin",
    "access-control-allow-origin": "https://a",
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "X-B",
  });
  assertEquals(response.headers.get("vary"), "Accept, Origin");
  assertStringIncludes(
    plugin.metrics(),
    'requests_total{kind="actual",result="allowed"} 1',
  );
});

Deno.test("cors passes OPTIONS that is no preflight, and what its condition spares", async () => {
  const { handlers } = await startPlugin(cors, {
    ...FULL,
    when: 'req_path_prefix_in("/api/", false)',
  });
  const headers = { origin: "https://a" };
  const plain = fakeRequest({ method: "OPTIONS", target: "/api/", headers });
  assertEquals(await handlers.foundProduct?.(plain), undefined);
  const other = fakeRequest({
    method: "OPTIONS",
    headers: { ...headers, "access-control-request-method": "PUT" },
  });
  assertEquals(await handlers.foundProduct?.(other), undefined);
  const response = fakeResponse({
    headers: { "access-control-allow-origin": "own" },
  });
  handlers.sendResponseHeader?.(other, response);
  assertEquals(response.headers.get("access-control-allow-origin"), "own");
});

const REFUSED: readonly (readonly [
  Readonly<Record<string, unknown>>,
  string,
])[] = [
  [{}, "Expected origins or patterns"],
  [{ origins: ["a.example"] }, "origins.0"],
  [{ origins: ["https://a.example/"] }, "origins.0"],
  [{ origins: ["https://a*.example"] }, "origins.0"],
  [{ origins: ["*"], credentials: true }, "origins: Cannot use *"],
  [{ origins: ["null"], credentials: true }, "origins: Cannot use null"],
  [
    { origins: ["https://a"], credentials: true, headers: ["*"] },
    "headers: Cannot use *",
  ],
  [
    { origins: ["https://a"], credentials: true, methods: ["*"] },
    "methods: Cannot use *",
  ],
  [
    { origins: ["https://a"], credentials: true, expose: ["*"] },
    "expose: Cannot use *",
  ],
];
for (const [options, text] of REFUSED) {
  Deno.test(`cors refuses ${JSON.stringify(options)}`, async () => {
    const error = await assertRejects(
      () => checkOptions(cors, options),
      OptionsError,
    );
    assertStringIncludes(error.message, text);
  });
}
