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
