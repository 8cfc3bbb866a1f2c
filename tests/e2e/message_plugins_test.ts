/**
 * `request-id`, `tag`, `http-code`, `errors` and `cors` through sockets, by the
 * configs of their doc headers.
 *
 * @module
 */
import { assertEquals, assertMatch } from "../support/assert.ts";
import { drainAndStop } from "../support/drain_and_stop.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { startSample } from "../support/sample_proxy.ts";

Deno.test("the sample of request-id answers with its own id, not a stranger's", async () => {
  await using proxy = await startSample("request_id");
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: forged\r\n\r\n",
  );
  const { headers } = await client.response();
  assertMatch(headers.get("x-request-id") ?? "", /^[0-9a-z]+-\d+$/);
});

Deno.test("request-id tells backend and client the same", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: { trusted: ["127.0.0.1/32"] },
    plugins: [{ use: "builtin:request-id" }],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-7\r\n\r\n");
  const { text, headers } = await client.response();
  assertEquals(parseEcho(text).headers["x-request-id"], "id-7");
  assertEquals(headers.get("x-request-id"), "id-7");
});

Deno.test("the sample of tag routes by tags", async () => {
  await using proxy = await startSample("tag");
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "large\n");
  await client.send(
    "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x mobile\r\n\r\n",
  );
  assertEquals((await client.response()).text, "small\n");
});

Deno.test("the sample of http-code counts by product and status", async () => {
  await using proxy = await startSample("http_code");
  using client = await HttpClient.connect(proxy.port());
  await client.get();
  await client.get();
  client.close();
  await proxy.supervisor.drain();
  const { metrics } = await proxy.report();
  const labels = { product: "site", cluster: "", status: "200" };
  assertEquals(
    metricValue(metrics, "headrace_plugin_http_code_statuses_total", labels),
    2,
  );
  await drainAndStop(proxy);
});

Deno.test("the sample of errors sends pages by what a client accepts", async () => {
  await using proxy = await startSample("errors");
  using client = await HttpClient.connect(proxy.port());
  const page = await client.get("/none");
  assertEquals(page.status, 404);
  assertMatch(page.text, /^<h1>Not here<\/h1><p>[0-9a-z]+-\d+<\/p>\n$/);
  await client.send(
    "GET /none HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n",
  );
  assertEquals(JSON.parse((await client.response()).text).status, 404);
  await client.send("HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n");
  const head = await client.response({ head: true });
  assertEquals(head.headers.get("content-type"), "text/html; charset=utf-8");
  assertEquals((await client.get("/")).text, "hello\n");
});

Deno.test("the sample of cors answers preflights and marks responses", async () => {
  await using proxy = await startSample("cors");
  using client = await HttpClient.connect(proxy.port());
  const origin = "https://x.dev.example.com";
  await client.send(
    `OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\n` +
      "Access-Control-Request-Method: PUT\r\n\r\n",
  );
  const preflight = await client.response();
  assertEquals(preflight.status, 204);
  assertEquals(preflight.headers.get("access-control-allow-origin"), origin);
  assertEquals(preflight.headers.get("access-control-max-age"), "600");
  await client.send(`GET / HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\n\r\n`);
  const actual = await client.response();
  assertEquals(actual.text, "{}\n");
  assertEquals(actual.headers.get("access-control-allow-origin"), origin);
  assertEquals(
    actual.headers.get("access-control-allow-credentials"),
    "true",
  );
});
