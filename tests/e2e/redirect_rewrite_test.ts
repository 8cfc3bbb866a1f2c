/**
 * `builtin:redirect` and `builtin:rewrite` through sockets.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { cachedProxy, fresh } from "../support/cached_proxy.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually } from "../support/eventually.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { startSample } from "../support/sample_proxy.ts";

Deno.test("the sample of redirect sends where it says", async () => {
  await using proxy = await startSample("redirect");
  using client = await HttpClient.connect(proxy.port());
  const rows = [
    ["/blog/17?a=1", 308, "/posts/17?a=1"],
    ["/docs", 302, "https://docs.example.com/"],
    ["/out/?a=1", 302, "https://example.org/a=1"],
    ["/blog/x", 200, null],
  ] as const;
  for (const [path, status, location] of rows) {
    const response = await client.get(path);
    assertEquals(response.status, status, path);
    assertEquals(response.headers.get("location"), location);
  }
});

Deno.test("the sample of rewrite is routed by what comes of it", async () => {
  await using proxy = await startSample("rewrite");
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get("/api/x")).text, "two\n");
  assertEquals((await client.get("/x")).text, "one\n");
});

Deno.test("a backend gets what rewrite made, on every attempt", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [{
      use: "builtin:rewrite",
      options: {
        rules: [{
          stripPrefix: "/api",
          host: "api.internal",
          queryRemove: ["secret"],
        }],
      },
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  const { text } = await client.get("/api/a%2Fb?secret=1&x=%20");
  const { target, headers } = parseEcho(text);
  assertEquals(target, "/a%2Fb?x=%20");
  assertEquals(headers["host"], "api.internal");
  // RFC 7239 §5.3: what the client asked for.
  assertEquals(headers["x-forwarded-host"], "localhost");
  assertStringIncludes(headers["forwarded"]!, "host=localhost");
});

Deno.test("what a backend answers to one host is not for another that is rewritten to the same", async () => {
  await using backend = serveHttpBackend(({ headers }) =>
    fresh(headers.get("x-forwarded-host"))
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cache: {},
    plugins: [{
      use: "builtin:rewrite",
      options: { rules: [{ host: "api.internal" }] },
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  for (const host of ["a.test", "b.test", "a.test"]) {
    assertEquals((await client.get("/", host)).text, host);
  }
});

Deno.test("what is fetched anew behind a client's back is asked for by that client's host", async () => {
  await using cached = await cachedProxy(
    ({ headers }, times) =>
      new Response(`${headers.get("x-forwarded-host")} ${times}`, {
        headers: { "cache-control": "max-age=10, stale-while-revalidate=20" },
      }),
    {
      plugins: [{
        use: "builtin:rewrite",
        options: { rules: [{ host: "api.internal" }] },
      }],
    },
  );
  using client = await HttpClient.connect(cached.proxy.port());
  const get = async () => (await client.get("/", "a.test")).text;
  assertEquals(await get(), "a.test 1");
  cached.pass(15);
  assertEquals(await get(), "a.test 1");
  await eventually("the new one", async () => await get() === "a.test 2");
});
Deno.test("a client's text that makes no Host is refused", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [{
      use: "builtin:rewrite",
      options: { rules: [{ host: "%{parameter:shop}.internal" }] },
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  const hosts = [];
  for (const shop of ["a", "a+b/c@", "a%2f", "%5b::1%5d:", "a:80", "%c3%a9"]) {
    const { status, text } = await client.get(`/?shop=${shop}`);
    hosts.push(status === 200 ? parseEcho(text).headers["host"] : status);
  }
  assertEquals(hosts, ["a.internal", 400, 400, 400, 400, 400]);
});
