import headers from "../../plugins/headers.ts";
import type { HeaderFields } from "../../core/plugin.ts";
import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import {
  checkOptions,
  fakeAttempt,
  fakeRequest,
  fakeResponse,
  OptionsError,
  startPlugin,
} from "../../core/testing/views.ts";

function lines(fields: HeaderFields): string[] {
  return Array.from(fields, ([name, value]) => `${name}: ${value}`);
}

Deno.test("headers removes, sets and adds fields of a request at afterLocation", async () => {
  const { handlers } = await startPlugin(headers, {
    request: {
      add: { "X-Tag": "b" },
      set: { "X-Real-IP": "%{client_address}" },
      remove: ["X-Debug"],
    },
  });
  const request = fakeRequest({
    headers: { "x-debug": "1", "x-real-ip": "6.6.6.6", "x-tag": "a" },
  });
  handlers.afterLocation?.(request);

  assertEquals(lines(request.headers), [
    "x-tag: a",
    "X-Real-IP: 192.0.2.1",
    "X-Tag: b",
  ]);
  assertEquals(Object.keys(handlers), ["afterLocation"]);
});

Deno.test("headers sets what tells the backend at sendRequestHeader", async () => {
  const { handlers } = await startPlugin(headers, {
    request: { set: { "X-Backend": "%{backend}", "X-Cluster": "%{cluster}" } },
  });
  const request = fakeRequest();
  handlers.afterLocation?.(request);
  assertEquals(lines(request.headers), ["X-Cluster: api"]);
  handlers.sendRequestHeader?.(request, fakeAttempt({ backend: "a2" }));

  assertEquals(lines(request.headers), ["X-Cluster: api", "X-Backend: a2"]);
});

Deno.test("headers changes responses at sendResponseHeader", async () => {
  const { handlers } = await startPlugin(headers, {
    response: {
      remove: ["X-Powered-By"],
      set: { "X-Status": "%{status}", "X-Backend": "%{backend}" },
      add: { "Set-Cookie": "id=%{transaction_id}" },
    },
  });
  const request = fakeRequest({}, { attempts: [fakeAttempt()] });
  const response = fakeResponse({
    status: 302,
    headers: { "x-powered-by": "php", "set-cookie": "a=b" },
  });
  handlers.sendResponseHeader?.(request, response);

  assertEquals(lines(response.headers), [
    "set-cookie: a=b",
    "X-Status: 302",
    "X-Backend: a1",
    "Set-Cookie: id=t1",
  ]);
  assertEquals(Object.keys(handlers), ["sendResponseHeader"]);
});

Deno.test("headers reaches responses to requests that never parsed", async () => {
  const { handlers } = await startPlugin(headers, {
    response: { set: { "X-Safe": "yes", "X-Host": "%{host}" } },
  });
  const response = fakeResponse({ status: 400, from: "proxy" });
  handlers.sendResponseHeader?.(undefined, response);

  assertEquals(lines(response.headers), ["X-Safe: yes"]);
});

Deno.test("headers sends no field for an empty value, but drops what the client sent", async () => {
  const { handlers } = await startPlugin(headers, {
    request: {
      set: { "X-User": "%{cookie:user}" },
      add: { "X-More": "%{cookie:more}" },
    },
  });
  const request = fakeRequest({ headers: { "x-user": "admin" } });
  handlers.afterLocation?.(request);

  assertEquals(lines(request.headers), []);
});

Deno.test("headers without changes handles nothing", async () => {
  const { handlers } = await startPlugin(headers);

  assertEquals(Object.keys(handlers), []);
});

Deno.test("headers renames, replaces by pattern, in that order before it sets", async () => {
  const { handlers } = await startPlugin(headers, {
    response: {
      rename: { Server: "X-Was" },
      replace: {
        Location: { pattern: "^http://([^/]+)", with: "https://$1" },
        "Set-Cookie": { pattern: "; *Path=/old", with: "; Path=/" },
        "X-Gone": { pattern: ".*", with: "" },
      },
      set: { Server: "headrace" },
    },
  });
  const response = fakeResponse({
    headers: {
      server: "secret",
      location: "http://a.example/x",
      "set-cookie": "a=1; Path=/old",
      "x-gone": "x",
    },
  });
  response.headers.append("set-cookie", "b=2");
  handlers.sendResponseHeader?.(fakeRequest(), response);

  assertEquals(lines(response.headers), [
    "X-Was: secret",
    "Location: https://a.example/x",
    "Set-Cookie: a=1; Path=/",
    "Set-Cookie: b=2",
    "Server: headrace",
  ]);
});

Deno.test("headers changes by condition, on each side, and counts", async () => {
  const plugin = await startPlugin(headers, {
    rules: [
      {
        when: 'req_method_in("POST")',
        request: { set: { "X-Post": "yes" } },
        response: { set: { "X-Post": "yes" } },
      },
      {
        when: 'res_code_in("404")',
        response: { set: { "X-Missing": "%{path}" } },
      },
    ],
  });
  const post = fakeRequest({ method: "POST" });
  plugin.handlers.afterLocation?.(post);
  const found = fakeResponse();
  plugin.handlers.sendResponseHeader?.(post, found);
  const missing = fakeResponse({ status: 404 });
  plugin.handlers.sendResponseHeader?.(fakeRequest(), missing);
  const unparsed = fakeResponse({ status: 404 });
  plugin.handlers.sendResponseHeader?.(undefined, unparsed);

  assertEquals(lines(post.headers), ["X-Post: yes"]);
  assertEquals(lines(found.headers), ["X-Post: yes"]);
  assertEquals(lines(missing.headers), ["X-Missing: /"]);
  assertEquals(lines(unparsed.headers), []);
  assertStringIncludes(
    plugin.metrics(),
    'headrace_plugin_headers_changes_total{message="response"} 2',
  );
});

const REFUSED_AT_SETUP: readonly (readonly [unknown, string])[] = [
  [
    { rules: [{ when: "x(", response: { remove: ["a"] } }] },
    "options.rules[0].when: ",
  ],
  [
    { rules: [{ when: 'res_code_in("200")', request: { remove: ["a"] } }] },
    "options.rules[0].when: ",
  ],
  [
    { request: { replace: { "X-A": { pattern: "(", with: "" } } } },
    "options.request.replace.X-A: ",
  ],
];
for (const [options, text] of REFUSED_AT_SETUP) {
  Deno.test(`headers refuses to set up ${JSON.stringify(options)}`, async () => {
    const error = await assertRejects(
      () => startPlugin(headers, options),
      SyntaxError,
    );
    assertStringIncludes(error.message, text);
  });
}

const REFUSED: readonly (readonly [string, unknown, string])[] = [
  [
    "an unknown variable",
    { request: { set: { "X-A": "%{hots}" } } },
    "request.set.X-A: Unknown variable %{hots}",
  ],
  [
    "a status in a request",
    { request: { add: { "X-A": "%{status}" } } },
    "request.add.X-A: Cannot use %{status} in a request",
  ],
  [
    "a bad name",
    { response: { add: { "a b": "x" } } },
    'response.add.a b: Cannot use "a b" as a field\'s name',
  ],
  [
    "a bad name to remove",
    { response: { remove: ["ok", "x:"] } },
    'response.remove.1: Cannot use "x:" as a field\'s name',
  ],
  [
    "a framing field",
    { response: { set: { "Content-Length": "5" } } },
    "response.set.Content-Length: Cannot set Content-Length as it frames the message",
  ],
  [
    "a framing field to remove",
    { request: { remove: ["connection"] } },
    "request.remove.0: Cannot remove connection as it frames the message",
  ],
  [
    "a field of one connection alone",
    { request: { set: { "Proxy-Connection": "close" } } },
    "request.set.Proxy-Connection: Cannot set Proxy-Connection as it frames the message",
  ],
  [
    "another name that is one's",
    { request: { rename: { "X-A": "HTTP2-Settings" } } },
    "Cannot rename HTTP2-Settings as it frames the message",
  ],
  [
    "a replacement that no field may hold",
    { request: { replace: { "X-A": { pattern: "a", with: "\u20ac" } } } },
    "request.replace.X-A.with: Expected what a field may hold",
  ],
  [
    "a value with a line feed",
    { request: { set: { "X-A": "a\r\nX-B: c" } } },
    "request.set.X-A: Cannot use",
  ],
  [
    "a value with spaces around",
    { request: { set: { "X-A": " a" } } },
    "request.set.X-A: Cannot use",
  ],
  [
    "an empty value",
    { request: { set: { "X-A": "" } } },
    "request.set.X-A: Cannot use an empty value: use remove",
  ],
  [
    "a second Host",
    { request: { add: { Host: "a" } } },
    "request.add.Host: Cannot add Host as a request has exactly one: use set",
  ],
  [
    "a Host by another name",
    { request: { rename: { "X-Host": "Host" } } },
    "Cannot rename Host as a request has exactly one",
  ],
  [
    "a framing field to rename",
    { response: { rename: { "Content-Length": "X-L" } } },
    "Cannot rename Content-Length as it frames the message",
  ],
  [
    "a value that is no text",
    { request: { set: { "X-A": 1 } } },
    "request.set.X-A: ",
  ],
  ["an unknown key", { requests: {} }, "requests"],
];

for (const [what, options, text] of REFUSED) {
  Deno.test(`headers refuses ${what} with its path`, async () => {
    const error = await assertRejects(
      () => checkOptions(headers, options),
      OptionsError,
    );
    assertStringIncludes(error.message, text);
  });
}

Deno.test("headers tells all that is wrong at once", async () => {
  const error = await assertRejects(
    () =>
      checkOptions(headers, {
        request: { set: { "X-A": "%{x}", "X-B": "%" } },
        response: { remove: ["te"] },
      }),
    OptionsError,
  );
  assertEquals(error.issues.length, 3);
});
