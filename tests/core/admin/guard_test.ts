import fc from "fast-check";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../support/assert.ts";
import { fakeApp, FakeSource } from "./fake_source.ts";

const POST = { method: "POST" };

// ------------------------------------------------------------------- the body

for (
  const [length, status, how] of [
    [1 << 20, 400, "said"],
    [(1 << 20) + 1, 413, "said"],
    [1 << 20, 400, "streamed"],
    [(1 << 20) + 1, 413, "streamed"],
  ] as const
) {
  Deno.test(`A body of ${length} bytes, ${how}, is answered ${status}`, async () => {
    const { app, source } = fakeApp();
    const bytes = new Uint8Array(length).fill(0x20);
    const answer = await app.request(
      new Request("http://localhost/api/clusters/api/backends", {
        method: "POST",
        body: how === "said" ? bytes : new Blob([bytes]).stream(),
        ...(how === "said" && { headers: { "content-length": `${length}` } }),
      }),
    );
    await answer.body?.cancel();
    assertEquals(answer.status, status);
    assertEquals(source.additions, []);
  });
}

// ----------------------------------------------------------------- the method

Deno.test("Methods that no plugin could get are answered 501, whatever route they are for", async () => {
  const { app, source } = fakeApp();
  for (const method of ["CONNECT", "TRACE", "TRACK"]) {
    for (const path of ["/plugins/p/x", "/backend/list", "/healthz"]) {
      // Fetch forbids them, servers get them.
      const request = new Request(`http://localhost${path}`);
      Object.defineProperty(request, "method", { value: method });
      const answer = await app.request(request);
      await answer.body?.cancel();
      assertEquals([method, path, answer.status], [method, path, 501]);
    }
  }
  assertEquals(source.pluginRequests, []);
});

// ------------------------------------------------------------------- the host

const HOSTS: readonly (readonly [string, boolean])[] = [
  ["localhost", true],
  ["LOCALHOST:9090", true],
  ["127.0.0.1", true],
  ["10.1.2.3:9090", true],
  ["[::1]", true],
  ["[fe80::1]:9090", true],
  ["admin.internal", true],
  ["Admin.Internal:80", true],
  ["evil.example", false],
  ["evil.example:9090", false],
  ["localhost.evil.example", false],
  ["evil-localhost", false],
  ["127.0.0.1.evil.example", false],
  ["[evil.example]", false],
  ["localhost:80:evil.example", false],
  ["localhost, evil.example", false],
  ["evil.example@localhost", false],
  ["::1", false],
  ["", false],
];

for (const [host, allowed] of HOSTS) {
  Deno.test(`checkHost ${allowed ? "lets in" : "refuses"} Host "${host}"`, async () => {
    const { app } = fakeApp({ hosts: ["admin.internal"] });
    const answer = await app.request("/healthz", { headers: { host } });
    assertEquals(answer.status, allowed ? 200 : 403);
    const body = await answer.json();
    if (!allowed) {
      assertStringIncludes(body.error, "Host header");
      assert(body.error.endsWith(`: current value is ${host}`));
    }
  });
}

Deno.test("checkHost goes by the URL where the header is missing", async () => {
  const { app } = fakeApp();
  const own = await app.request("http://[::1]:9090/healthz");
  assertEquals(own.status, 200);
  await own.body?.cancel();
  const other = await app.request("http://evil.example/healthz");
  assertEquals(other.status, 403);
  await other.body?.cancel();
});

Deno.test("checkHost stops before a route and before the token is looked at", async () => {
  const { app, source } = fakeApp({ token: "secret" });
  const headers = { host: "evil.example", authorization: "Bearer secret" };
  const answer = await app.request("/api/drain", { ...POST, headers });
  assertEquals(answer.status, 403);
  assertEquals(answer.headers.get("x-content-type-options"), "nosniff");
  await answer.body?.cancel();
  assertEquals(source.state, "ready");
});

Deno.test("checkHost lets every name in where the policy is any", async () => {
  const { app } = fakeApp({ hosts: "any" });
  const answer = await app.request("/healthz", {
    headers: { host: "evil.example" },
  });
  assertEquals(answer.status, 200);
  await answer.body?.cancel();
});

// ----------------------------------------------------------------- the origin

const ORIGINS: readonly (readonly [string, boolean])[] = [
  ["http://127.0.0.1:9090", true],
  ["https://127.0.0.1:9090", true],
  ["http://127.0.0.1:9091", false],
  ["http://127.0.0.1", false],
  ["http://localhost:9090", false],
  ["https://evil.example", false],
  ["http://127.0.0.1:9090.evil.example", false],
  ["null", false],
  ["file://", false],
  ["chrome-extension://127.0.0.1:9090", false],
  ["", false],
];

for (const [origin, allowed] of ORIGINS) {
  Deno.test(`checkOrigin ${allowed ? "lets in" : "refuses"} a POST from "${origin}"`, async () => {
    const { app, source } = fakeApp();
    const headers = { host: "127.0.0.1:9090", origin };
    const answer = await app.request("/api/drain", { ...POST, headers });
    assertEquals(answer.status, allowed ? 202 : 403);
    assertEquals(source.state, allowed ? "draining" : "ready");
    const body = await answer.json();
    if (!allowed) assertStringIncludes(body.error, "another origin");
  });
}

Deno.test("checkOrigin takes a port that is the scheme's own as none", async () => {
  const { app } = fakeApp();
  const headers = { host: "localhost:80", origin: "http://localhost" };
  const answer = await app.request("/api/drain", { ...POST, headers });
  assertEquals(answer.status, 202);
  await answer.body?.cancel();
});

Deno.test("checkOrigin lets in a POST without Origin, and a GET from anywhere", async () => {
  const { app } = fakeApp();
  const get = await app.request("/api/status", {
    headers: { origin: "https://evil.example" },
  });
  assertEquals(get.status, 200);
  // No CORS header either: the page can't read it.
  assertEquals(get.headers.get("access-control-allow-origin"), null);
  await get.body?.cancel();
  const post = await app.request("/api/reload", POST);
  assertEquals(post.status, 200);
  await post.body?.cancel();
});

// ------------------------------------------------------------------ the token

Deno.test("checkToken lets probes in without a token", async () => {
  const { app } = fakeApp({ token: "secret" });
  for (const path of ["/healthz", "/readyz"]) {
    const answer = await app.request(path);
    assertEquals(answer.status, 200);
    await answer.body?.cancel();
  }
});

for (
  const path of [
    "/",
    "/metrics",
    "/api/status",
    "/api/sessions",
    "/nope",
    "/healthz/",
    "//healthz",
    "/healthz/../api/status",
    "/api/status?/healthz",
  ]
) {
  Deno.test(`checkToken demands a token on ${path}`, async () => {
    const { app, source } = fakeApp({ token: "secret" });
    const answer = await app.request(path);
    assertEquals(answer.status, 401);
    assertEquals(
      answer.headers.get("www-authenticate"),
      'Bearer realm="headrace"',
    );
    assertStringIncludes((await answer.json()).error, "Authorization");
    assertEquals(source.limits, []);
  });
}

Deno.test("checkToken takes the token, whatever the scheme's case", async () => {
  const { app } = fakeApp({ token: "secret" });
  for (const authorization of ["Bearer secret", "bearer  secret"]) {
    const answer = await app.request("/api/status", {
      headers: { authorization },
    });
    assertEquals(answer.status, 200);
    await answer.body?.cancel();
  }
});

Deno.test("checkToken refuses a wrong token as invalid and changes nothing", async () => {
  const { app, source } = fakeApp({ token: "secret" });
  for (const token of ["secre", "secrets", "Secret", "x"]) {
    const answer = await app.request("/api/drain", {
      ...POST,
      headers: { authorization: `Bearer ${token}` },
    });
    assertEquals(answer.status, 401);
    assertStringIncludes(
      answer.headers.get("www-authenticate") ?? "",
      'error="invalid_token"',
    );
    const { error } = await answer.json();
    assert(!error.includes("secret"));
  }
  assertEquals(source.state, "ready");
});

Deno.test("checkToken refuses other schemes", async () => {
  const { app } = fakeApp({ token: "secret" });
  for (const authorization of ["Basic c2VjcmV0", "secret", "Bearer"]) {
    const answer = await app.request("/api/status", {
      headers: { authorization },
    });
    assertEquals(answer.status, 401);
    await answer.body?.cancel();
  }
});

Deno.test("checkToken lets in exactly its own token", async () => {
  const word = fc.stringMatching(/^[\x21-\x7e]{1,12}$/);
  await fc.assert(
    fc.asyncProperty(word, word, async (token, given) => {
      const { app } = fakeApp({ token, source: new FakeSource() });
      const answer = await app.request("/api/status", {
        headers: { authorization: `Bearer ${given}` },
      });
      await answer.body?.cancel();
      assertEquals(answer.status, token === given ? 200 : 401);
    }),
    { numRuns: 50 },
  );
});
