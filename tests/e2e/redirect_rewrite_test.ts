/**
 * `builtin:redirect` and `builtin:rewrite` through sockets.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
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
});
