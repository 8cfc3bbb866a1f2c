/**
 * `auth-request` and `mirror`, whose own requests go through the proxy.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { cachedProxy } from "../support/cached_proxy.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually } from "../support/eventually.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import type { TestProxy } from "../support/proxy.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { startSample } from "../support/sample_proxy.ts";
import { serveEach } from "../support/scripted_backend.ts";

Deno.test("the sample of auth-request lets in whom its service knows", async () => {
  await using proxy = await startSample("auth_request");
  using client = await HttpClient.connect(proxy.port());
  const refused = await client.get();
  assertEquals([refused.status, refused.text], [401, "log in\n"]);
  for (let i = 0; i < 2; i++) {
    await client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nCookie: session=good\r\n\r\n",
    );
    assertEquals((await client.response()).status, 200);
  }
  const { metrics } = await proxy.report();
  const count = (result: string) =>
    metricValue(metrics, "headrace_plugin_auth_request_requests_total", {
      result,
    });
  assertEquals(["denied", "allowed", "cached"].map(count), [1, 1, 1]);
});

/** A proxy that asks `service` about everything for its one backend. */
function startAsking(
  service: string,
  backend: string,
  options: Readonly<Record<string, unknown>> = {},
) {
  return startProxyWith({
    backends: [backend],
    products: [
      { name: "auth", hosts: ["auth.internal"], rules: [{ cluster: "auth" }] },
      { name: "site", default: true, rules: [{ cluster: "main" }] },
    ],
    clusters: [{
      name: "auth",
      backends: [{ url: service }],
      retries: { max: 0 },
    }],
    plugins: [{
      use: "builtin:auth-request",
      options: { url: "http://auth.internal/check?a=1", ...options },
    }],
  });
}

Deno.test("auth-request: the proxy's cache says nothing of who may come in", async () => {
  let allowed = ["a=1", "b=1"];
  await using cached = await cachedProxy(
    ({ url, headers }) => {
      if (!url.endsWith("/check")) return new Response("page");
      const control = { "cache-control": "max-age=5", vary: "cookie" };
      return allowed.includes(headers.get("cookie") ?? "")
        ? new Response(null, url.includes("vary") ? { headers: control } : {})
        : new Response("no\n", { status: 401 });
    },
    {
      cache: { rules: [{ ttl: "60s" }] },
      products: [
        { name: "auth", hosts: ["*.internal"], rules: [{ cluster: "main" }] },
        { name: "site", default: true, rules: [{ cluster: "main" }] },
      ],
      plugins: ["plain", "vary"].map((name) => ({
        use: "builtin:auth-request",
        name,
        products: ["site"],
        options: {
          url: `http://${name}.internal/check`,
          when: `req_path_in("/${name}", false)`,
        },
      })),
    },
  );
  const statusOf = async (path: string, headers: Record<string, string>) =>
    (await cached.get(path, { headers })).status;
  for (const path of ["/plain", "/vary"]) {
    assertEquals(await statusOf(path, { cookie: "a=1" }), 200);
    assertEquals(await statusOf(path, { cookie: "mallory=1" }), 401, path);
  }
  allowed = [];
  cached.pass(70);
  for (const name of ["cache-control", "Cache_Control"]) {
    const headers = { cookie: "a=1", [name]: "max-stale=3600" };
    assertEquals(await statusOf("/vary", headers), 401);
  }
});

Deno.test("auth-request: what a client writes of its address is not believed of the question", async () => {
  const asked: (string | null)[] = [];
  await using service = serveHttpBackend(({ headers }) => {
    asked.push(headers.get("x-forwarded-for"));
    return new Response(null);
  });
  await using proxy = await startProxyWith({
    backends: [service.url],
    listener: { proxyProtocol: "require", trusted: ["127.0.0.1/32"] },
    products: [
      {
        name: "auth",
        hosts: ["auth.internal"],
        rules: [
          {
            when: 'req_cip_range("10.0.0.0", "10.255.255.255")',
            cluster: "main",
          },
          { respond: { status: 403 } },
        ],
      },
      { name: "site", default: true, rules: [{ respond: { status: 200 } }] },
    ],
    plugins: [{
      use: "builtin:auth-request",
      products: ["site"],
      options: { url: "http://auth.internal/" },
    }],
  });
  const statusFrom = async (address: string, line: string) => {
    using client = await HttpClient.connect(proxy.port());
    await client.send(
      `PROXY TCP4 ${address} 127.0.0.1 5000 80\r\n` +
        `GET / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`,
    );
    return (await client.response()).status;
  };
  for (const name of ["X-Forwarded-For", "X_Forwarded_For", "Forwarded"]) {
    const value = name === "Forwarded" ? "for=10.0.0.1" : "10.0.0.1";
    assertEquals(await statusFrom("192.0.2.9", `${name}: ${value}`), 403);
  }
  assertEquals(await statusFrom("10.0.0.9", "X-Forwarded-For: 192.0.2.9"), 200);
  assertEquals(asked, ["10.0.0.9, 127.0.0.1"]);
});

Deno.test("auth-request passes fields each way, and forged ones nowhere", async () => {
  const asked: { method: string; target: string; headers: Headers }[] = [];
  await using service = serveEach((connection, { method, target, headers }) => {
    asked.push({ method, target, headers });
    return connection.send(
      "HTTP/1.1 204 No Content\r\nX-User: alice\r\nSet-Cookie: a=1\r\n" +
        "Set-Cookie: b=2\r\nX-Internal: 1\r\n\r\n",
    );
  });
  await using backend = serveEcho();
  await using proxy = await startAsking(service.url, backend.url, {
    userHeaders: ["X-User", "X-Role"],
    clientHeaders: ["Set-Cookie"],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "POST /p?q HTTP/1.1\r\nHost: shop.example\r\nCookie: s=1\r\n" +
      "X-User: root\r\nX-Role: root\r\nX_Role: root\r\n" +
      "X-Original-URI: /forged\r\nX_Original_URI: /forged\r\n" +
      "X.Original-Method: GET\r\nContent-Length: 2\r\n\r\nok",
  );
  const response = await client.response();
  const { headers } = parseEcho(response.text);
  assertEquals(headers["x-user"], "alice");
  assertEquals([headers["x-role"], headers["x_role"]], [undefined, undefined]);
  assertEquals(headers["x-internal"], undefined);
  assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
  const [question] = asked;
  assertEquals([question?.method, question?.target], ["GET", "/check?a=1"]);
  const field = (name: string) => question?.headers.get(name);
  assertEquals(field("cookie"), "s=1");
  assertEquals(field("x-original-method"), "POST");
  assertEquals(field("x-original-uri"), "/p?q");
  // What CGI and its like would take for these.
  assertEquals(field("x_original_uri"), null);
  assertEquals(field("x.original-method"), null);
  assertEquals(field("x-original-host"), "shop.example");
  assertEquals(field("x-original-address"), "127.0.0.1");
  assertEquals(field("x-headrace-auth-request"), null);
  assertEquals(field("content-length"), null);
});

const ANSWERS: readonly (readonly [string, string, number, string | null])[] = [
  [
    "a refusal",
    "HTTP/1.1 403 Forbidden\r\nX-Why: rule\r\nContent-Length: 2\r\n\r\nno",
    403,
    "rule",
  ],
  [
    "a redirect",
    "HTTP/1.1 302 Found\r\nLocation: /login\r\nX-Why: login\r\nContent-Length: 0\r\n\r\n",
    302,
    "login",
  ],
  [
    "a failure",
    "HTTP/1.1 500 Oops\r\nX-Why: bug\r\nContent-Length: 0\r\n\r\n",
    503,
    null,
  ],
  [
    "something that is not there",
    "HTTP/1.1 404 Not Found\r\nX-Why: none\r\nContent-Length: 0\r\n\r\n",
    503,
    null,
  ],
  ["nonsense", "nonsense\r\n\r\n", 503, null],
];
for (const [what, answer, status, why] of ANSWERS) {
  Deno.test(`auth-request: ${what} of its service is ${status}`, async () => {
    await using service = serveEach((connection) => connection.send(answer));
    await using backend = serveEcho();
    await using proxy = await startAsking(service.url, backend.url);
    using client = await HttpClient.connect(proxy.port());
    const response = await client.get();
    assertEquals(response.status, status);
    assertEquals(response.headers.get("x-why"), why);
  });
}

Deno.test("auth-request lets nobody in while its service is down or slow", async () => {
  await using backend = serveEcho();
  await using down = await startAsking("http://127.0.0.1:1", backend.url);
  using client = await HttpClient.connect(down.port());
  assertEquals((await client.get()).status, 503);
  await using silent = serveEach(async (connection) => {
    await connection.ended();
  });
  await using slow = await startAsking(silent.url, backend.url, {
    timeout: "50ms",
  });
  using other = await HttpClient.connect(slow.port());
  assertEquals((await other.get()).status, 503);
});

Deno.test("a client can't pass for the proxy's own question", async () => {
  await using service = serveEach((connection) =>
    connection.respond(403, "no")
  );
  await using backend = serveEcho();
  await using proxy = await startAsking(service.url, backend.url);
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: auth.internal\r\n" +
      "X-Headrace-Auth-Request: guess\r\n\r\n",
  );
  assertEquals((await client.response()).status, 403);
});

// --------------------------------------------------------------------- mirror

const COPIES = "headrace_plugin_mirror_copies_total";

async function copies(proxy: TestProxy, result: string): Promise<number> {
  const { metrics } = await proxy.report();
  return metricValue(metrics, COPIES, { result });
}

function startMirroring(
  backend: string,
  copyTo: string,
  options: Readonly<Record<string, unknown>> = {},
) {
  return startProxyWith({
    backends: [backend],
    products: [{ name: "site", default: true, rules: [{ cluster: "main" }] }],
    clusters: [{ name: "next", backends: [{ url: copyTo }] }],
    plugins: [{
      use: "builtin:mirror",
      products: ["site"],
      options: { cluster: "next", ...options },
    }],
  });
}

/** A backend that keeps what it gets. */
function serveKeeping() {
  const got: {
    method: string;
    target: string;
    headers: Headers;
    body: string;
  }[] = [];
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      got.push({
        method: request.method,
        target: pathname + search,
        headers: request.headers,
        body: await request.text(),
      });
      return new Response("copy");
    },
  );
  return {
    got,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("mirror copies a request with its body, and marks the copy", async () => {
  await using backend = serveKeeping();
  await using next = serveKeeping();
  await using proxy = await startMirroring(backend.url, next.url);
  using client = await HttpClient.connect(proxy.port());
  await client.get("/get?a=1", "shop.example");
  await client.send(
    "POST /post HTTP/1.1\r\nHost: shop.example\r\nX-A: b\r\nX-Mirrored: forged\r\n" +
      "Content-Length: 5\r\n\r\nhello",
  );
  await client.response();
  await client.send(
    "PUT /chunked HTTP/1.1\r\nHost: shop.example\r\n" +
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
  );
  await client.response();
  await eventually("the copies", () => next.got.length === 3);
  const told = (got: typeof next.got) =>
    got.map(({ method, target, body }) => `${method} ${target} ${body}`).sort();
  assertEquals(told(next.got), told(backend.got));
  for (const { headers } of next.got) {
    assertEquals(headers.get("host"), "shop.example");
    assertEquals(headers.get("x-mirrored"), "1");
    assertEquals(headers.get("x-headrace-mirror"), null);
  }
  const original = backend.got.find(({ method }) => method === "POST");
  assertEquals(original?.headers.get("content-length"), "5");
  assertEquals(original?.headers.get("x-a"), "b");
  await eventually("the count", async () => await copies(proxy, "sent") === 3);
});

Deno.test("mirror copies targets as they are", async () => {
  const copied: string[] = [];
  await using backend = serveKeeping();
  await using next = serveEach((connection, { method, target }) => {
    copied.push(`${method} ${target}`);
    return connection.send("HTTP/1.1 204 No Content\r\n\r\n");
  });
  await using proxy = await startMirroring(backend.url, next.url);
  using client = await HttpClient.connect(proxy.port());
  const asked = [
    "GET /a/../b?c",
    "GET /a/%2e%2e/b",
    "GET //b/./",
    "GET /x|\"\\?q='y'",
    "OPTIONS *",
  ];
  for (const line of asked) {
    await client.send(`${line} HTTP/1.1\r\nHost: shop.example\r\n\r\n`);
    await client.response();
  }
  await eventually("the copies", () => copied.length === asked.length);
  assertEquals(copied.sort(), asked.sort());
});

Deno.test("mirror leaves long bodies, and its cluster's failures nobody sees", async () => {
  await using backend = serveKeeping();
  await using proxy = await startMirroring(backend.url, "http://127.0.0.1:1", {
    maxBody: "1KiB",
  });
  using client = await HttpClient.connect(proxy.port());
  const body = "x".repeat(100_000);
  await client.send(
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  assertEquals((await client.response()).status, 200);
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
      `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  );
  assertEquals((await client.response()).status, 200);
  assertEquals(backend.got.map(({ body }) => body.length), [100_000, 100_000]);
  assertEquals(await copies(proxy, "too_large"), 2);
  assertEquals((await client.get()).text, "copy");
  // A 502 is an answer too.
  await eventually("the copy", async () => await copies(proxy, "sent") === 1);
});

Deno.test("a slow copy holds nobody up, and only so many are under way", async () => {
  await using backend = serveKeeping();
  await using silent = serveEach(async (connection) => {
    await connection.ended();
  });
  await using proxy = await startMirroring(backend.url, silent.url, {
    concurrent: 2,
    timeout: "100ms",
  });
  using client = await HttpClient.connect(proxy.port());
  for (let i = 0; i < 5; i++) assertEquals((await client.get()).status, 200);
  assertEquals(await copies(proxy, "busy"), 3);
  await eventually(
    "their end",
    async () => await copies(proxy, "failed") === 2,
  );
});

Deno.test("mirror copies its share", async () => {
  await using backend = serveKeeping();
  await using next = serveKeeping();
  await using proxy = await startMirroring(backend.url, next.url, { share: 0 });
  using client = await HttpClient.connect(proxy.port());
  for (let i = 0; i < 5; i++) await client.get();
  assertEquals(next.got.length, 0);
});

Deno.test("the sample of mirror answers whatever its copies do", async () => {
  await using proxy = await startSample("mirror");
  using client = await HttpClient.connect(proxy.port());
  for (let i = 0; i < 4; i++) {
    assertEquals((await client.get()).text, "hello\n");
  }
});
