/**
 * From a request's host and rules to who answers it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { startProxyWith } from "../support/proxy_with.ts";

/** A product that answers with its name. */
function named(name: string, hosts: readonly string[], more: object = {}) {
  return {
    name,
    hosts,
    rules: [{ respond: { status: 200, body: name } }],
    ...more,
  };
}

Deno.test("a request goes to the product of its host", async (t) => {
  await using proxy = await startProxyWith({
    products: [
      named("exact", ["shop.example.com", "xn--mller-kva.example"]),
      named("wild", ["*.example.com"]),
      named("narrow", ["*.shop.example.com"]),
      named("v4", ["127.0.0.1"]),
      named("v6", ["[2001:db8::1]"]),
      named("rest", [], { default: true }),
    ],
  });
  const rows: readonly (readonly [string, string])[] = [
    ["shop.example.com", "exact"],
    ["SHOP.Example.COM", "exact"],
    ["shop.example.com:8080", "exact"],
    ["shop.example.com.", "exact"],
    ["Shop.Example.Com.:80", "exact"],
    ["xn--mller-kva.example", "exact"],
    ["www.example.com", "wild"],
    ["a.b.example.com", "wild"],
    ["a.shop.example.com", "narrow"],
    ["example.com", "rest"],
    ["example.org", "rest"],
    ["127.0.0.1", "v4"],
    ["127.0.0.1:80", "v4"],
    ["[2001:db8::1]", "v6"],
    ["[2001:DB8:0:0::1]:8080", "v6"],
    ["[2001:db8::2]", "rest"],
    ["", "rest"],
  ];
  using client = await HttpClient.connect(proxy.port());
  for (const [host, product] of rows) {
    await t.step(JSON.stringify(host), async () => {
      assertEquals((await client.get("/", host)).text, product);
    });
  }
});

Deno.test("an absolute target's host finds the product", async () => {
  await using proxy = await startProxyWith({
    products: [named("a", ["a.example"]), named("b", ["b.example"])],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET http://B.example:80/x HTTP/1.1\r\nHost: b.example\r\n\r\n",
  );

  assertEquals((await client.response()).text, "b");
});

Deno.test("a listener serves only the products that it is limited to", async () => {
  await using proxy = await startProxyWith({
    listener: { products: ["a"] },
    listeners: [{ name: "other", address: "[::1]:0" }],
    products: [named("a", ["a.example"]), named("b", ["b.example"])],
  });
  using web = await HttpClient.connect(proxy.port(0));
  using other = await HttpClient.connect({
    hostname: "::1",
    port: proxy.port(1),
  });

  assertEquals((await web.get("/", "a.example")).text, "a");
  assertEquals((await web.get("/", "b.example")).status, 404);
  assertEquals((await other.get("/", "b.example")).text, "b");
});

Deno.test("the first rule that matches wins", async (t) => {
  await using backend = serveEcho();
  const respond = (body: string) => ({ respond: { status: 200, body } });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    products: [{
      name: "site",
      default: true,
      rules: [
        {
          when: 'req_path_prefix_in("/api/", false) && req_method_in("POST")',
          ...respond("write"),
        },
        { when: 'req_path_prefix_in("/api/", false)', ...respond("read") },
        {
          when: 'req_path_in("/old", false)',
          redirect: { to: "/new", status: 308 },
        },
        { when: 'req_path_in("/away", false)', redirect: { to: "/there" } },
        { when: 'req_path_in("/teapot", false)', respond: { status: 418 } },
        {
          when: 'req_host_in("v6") || req_query_key_in("debug")',
          ...respond("debug"),
        },
        { when: '!req_path_in("/none", false)', cluster: "main" },
      ],
    }],
  });
  using client = await HttpClient.connect(proxy.port());

  await t.step("conditions are judged in order", async () => {
    assertEquals((await client.get("/api/x")).text, "read");
    await client.send(
      "POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    );
    assertEquals((await client.response()).text, "write");
    assertEquals((await client.get("/x?a=1&debug")).text, "debug");
  });
  await t.step("an escaped path is judged as what it means", async () => {
    assertEquals((await client.get("/%61pi/x")).text, "read");
  });
  await t.step("a redirect has its status, 302 unless said", async () => {
    const old = await client.get("/old");
    assertEquals([old.status, old.headers.get("location")], [308, "/new"]);
    const away = await client.get("/away");
    assertEquals([away.status, away.headers.get("location")], [302, "/there"]);
  });
  await t.step("a response without a body has none", async () => {
    const { status, text, headers } = await client.get("/teapot");
    assertEquals([status, text, headers.get("content-length")], [418, "", "0"]);
  });
  await t.step("a cluster's backend answers", async () => {
    assertEquals(parseEcho((await client.get("/x")).text).target, "/x");
  });
  await t.step("no rule is 404, and the connection stays", async () => {
    assertEquals((await client.get("/none")).status, 404);
    assertEquals((await client.get("/x")).status, 200);
  });
});

Deno.test("a pattern judges a long header to its end", async () => {
  await using proxy = await startProxyWith({
    products: [{
      name: "site",
      default: true,
      rules: [
        {
          when: 'req_header_value_regmatch("X-Data", "attack$")',
          respond: { status: 403 },
        },
        { respond: { status: 200 } },
      ],
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  const padding = "a".repeat(10_000);
  const status = async (value: string) => {
    await client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Data: ${value}\r\n\r\n`);
    return (await client.response()).status;
  };

  assertEquals(await status(`${padding}attack`), 403);
  assertEquals(await status(`attack${padding}`), 200);
});

Deno.test("an unknown host is 404 in the form that the client accepts, with the request's id", async (t) => {
  await using proxy = await startProxyWith({
    products: [named("a", ["a.example"])],
  });
  using client = await HttpClient.connect(proxy.port());
  const get = async (accept: string) => {
    await client.send(
      `GET / HTTP/1.1\r\nHost: b.example\r\nAccept: ${accept}\r\n\r\n`,
    );
    const response = await client.response();
    assertEquals(response.status, 404);
    assertEquals(response.headers.get("cache-control"), "no-store");
    return response;
  };
  await t.step("text", async () => {
    const { headers, text } = await get("*/*");
    assertEquals(headers.get("content-type"), "text/plain; charset=utf-8");
    assertMatch(text, /^404 Not Found\nRequest \S+\n$/);
  });
  await t.step("HTML", async () => {
    const { headers, text } = await get("text/html,*/*;q=0.8");
    assertEquals(headers.get("content-type"), "text/html; charset=utf-8");
    assertMatch(text, /^<!doctype html>.*<p>Request \S+<\/p>\n$/);
  });
  await t.step("JSON", async () => {
    const { headers, text } = await get("application/json");
    assertEquals(headers.get("content-type"), "application/json");
    const { request, ...rest } = JSON.parse(text);
    assertEquals(rest, { status: 404, error: "Not Found", code: "no_product" });
    assertMatch(request, /^\S+$/);
  });
  await t.step("HEAD", async () => {
    await client.send("HEAD / HTTP/1.1\r\nHost: b.example\r\n\r\n");
    const { status, headers } = await client.response({ head: true });
    assertEquals(status, 404);
    assert(Number(headers.get("content-length")) > 0);
  });
});
