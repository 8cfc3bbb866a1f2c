/**
 * What plugins show to operators, as the admin interface passes it on.
 *
 * @module
 */
import { RefusedError } from "../../../core/data_plane/control.ts";
import type {
  PluginRequest,
  PluginResponse,
} from "../../../core/data_plane/control.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { fakeApp, FakeSource } from "./fake_source.ts";

function response(parts: Partial<PluginResponse> = {}): PluginResponse {
  const body = new TextEncoder().encode("hello");
  return { kind: "response", status: 200, headers: [], body, ...parts };
}

/** An app whose plugin answers so. */
function answering(pluginAnswer: FakeSource["pluginAnswer"]) {
  const source = new FakeSource();
  source.pluginAnswer = pluginAnswer;
  return fakeApp({ source });
}

const REQUESTS: readonly [
  path: string,
  Partial<Pick<PluginRequest, "plugin" | "url">>,
][] = [
  ["/plugins/p/", { plugin: "p", url: "http://localhost/" }],
  ["/plugins/p//a", { plugin: "p", url: "http://localhost//a" }],
  ["/plugins/p/a/b?c=1&c=2", {
    plugin: "p",
    url: "http://localhost/a/b?c=1&c=2",
  }],
  ["/plugins/my.p/a%2Fb%20c", {
    plugin: "my.p",
    url: "http://localhost/a%2Fb%20c",
  }],
  ["/plugins/p%2Fq/a", { plugin: "p/q", url: "http://localhost/a" }],
];

for (const [path, expected] of REQUESTS) {
  Deno.test(`${path} reaches the plugin by its own path`, async () => {
    const { app, source } = answering(response());
    const answer = await app.request(path);
    assertEquals([answer.status, await answer.text()], [200, "hello"]);
    const [{ plugin, url }] = source.pluginRequests as [PluginRequest];
    assertEquals({ plugin, url }, expected);
  });
}

Deno.test("A plugin gets method, headers and body, but neither the token nor what tells of the connection", async () => {
  const source = new FakeSource();
  source.pluginAnswer = response();
  const { app } = fakeApp({ source, token: "secret" });
  const answer = await app.request("/plugins/p/x", {
    method: "PUT",
    headers: {
      authorization: "Bearer secret",
      connection: "keep-alive",
      "x-a": "1, 2",
    },
    body: new Uint8Array([0, 255, 10]),
  });
  await answer.body?.cancel();
  const [{ method, headers, body }] = source.pluginRequests as [PluginRequest];
  assertEquals(method, "PUT");
  assertEquals(headers, [["x-a", "1, 2"]]);
  assertEquals(body, new Uint8Array([0, 255, 10]));
});

Deno.test("A plugin is behind the token and the checks of Host and origin", async () => {
  const source = new FakeSource();
  source.pluginAnswer = response();
  const { app } = fakeApp({ source, token: "secret" });
  const authorization = "Bearer secret";
  const strangers: readonly [number, RequestInit][] = [
    [401, {}],
    [403, { headers: { authorization, host: "evil.example" } }],
    [403, {
      method: "POST",
      headers: { authorization, origin: "http://evil.example" },
    }],
  ];
  for (const [status, init] of strangers) {
    const answer = await app.request("/plugins/p/", init);
    await answer.body?.cancel();
    assertEquals(answer.status, status);
  }
  assertEquals(source.pluginRequests, []);
});

Deno.test("A plugin's answer keeps its status and headers; what is missing is sealed", async () => {
  const { app } = answering(response({
    status: 418,
    headers: [
      ["content-type", "text/html"],
      ["content-length", "999"],
      ["content-security-policy", "script-src 'self'"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ],
  }));
  const answer = await app.request("/plugins/p/");
  assertEquals([answer.status, await answer.text()], [418, "hello"]);
  const { headers } = answer;
  assertEquals(headers.get("content-type"), "text/html");
  assertEquals(headers.get("content-security-policy"), "script-src 'self'");
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  assertEquals(headers.getSetCookie(), ["a=1", "b=2"]);
  assertEquals(headers.get("content-length"), null);
});

Deno.test("HEAD is asked as GET and answered without the body", async () => {
  const { app, source } = answering(response());
  const answer = await app.request("/plugins/p/", { method: "HEAD" });
  assertEquals(await answer.text(), "");
  assertEquals(answer.headers.get("content-length"), "5");
  assertEquals(source.pluginRequests[0]?.method, "GET");
});

Deno.test("An answer that must have no body has none", async () => {
  const { app } = answering(
    response({ status: 204, body: new Uint8Array(0) }),
  );
  const answer = await app.request("/plugins/p/", { method: "DELETE" });
  assertEquals([answer.status, await answer.text()], [204, ""]);
});

for (
  const [what, answer, status, error] of [
    [
      "no such plugin",
      { kind: "none" },
      404,
      'No plugin with an admin part has the name "p"',
    ],
    [
      "a plugin that fails",
      { kind: "failed", reason: "oh no" },
      500,
      'The plugin "p" failed: oh no',
    ],
    [
      "no worker",
      new RefusedError(["No worker is there now"]),
      503,
      "No worker is there now",
    ],
  ] satisfies [string, FakeSource["pluginAnswer"], number, string][]
) {
  Deno.test(`Where there is ${what}, the answer is ${status}`, async () => {
    const { app } = answering(answer);
    const answered = await app.request("/plugins/p/");
    assertEquals(answered.status, status);
    assertStringIncludes((await answered.json()).error, error);
  });
}

Deno.test("Without the slash behind its name the answer leads to it", async () => {
  const { app, source } = answering(response());
  const answer = await app.request("/plugins/p?a=1", { method: "POST" });
  assertEquals([answer.status, answer.headers.get("location")], [
    308,
    "/plugins/p/?a=1",
  ]);
  assertEquals(source.pluginRequests, []);
});
