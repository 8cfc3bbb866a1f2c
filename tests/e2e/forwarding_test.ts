/**
 * What a backend gets of a request: Host, target, forwarding fields; chains and
 * loops of proxies.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { type Echo, parseEcho, serveEcho } from "../support/echo_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import type { TestProxy } from "../support/proxy.ts";
import { startProxyWith } from "../support/proxy_with.ts";

/** The answer to `GET target` of a host over a connection of its own. */
async function ask(proxy: TestProxy, host: string, target = "/") {
  using client = await HttpClient.connect(proxy.port());
  return await client.get(target, host);
}

/** What a backend gets of a request sent as it stands. */
async function forwarded(
  cluster: object,
  request: string,
  options: { readonly prefix?: string; readonly listener?: object } = {},
): Promise<Echo & { readonly port: number; readonly proxyPort: number }> {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url + (options.prefix ?? "")],
    cluster,
    ...options.listener && { listener: options.listener },
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(request);
  const response = await client.response();
  assertEquals(response.status, 200, response.text);
  return {
    ...parseEcho(response.text),
    port: Number(new URL(backend.url).port),
    proxyPort: proxy.port(),
  };
}

const GET = "GET / HTTP/1.1\r\nHost: Shop.example:81\r\n\r\n";

Deno.test("hostHeader: client leaves the Host as it came", async () => {
  const { headers } = await forwarded({ hostHeader: "client" }, GET);

  assertEquals(headers["host"], "Shop.example:81");
});

Deno.test("hostHeader: backend names the backend", async () => {
  const { headers, port } = await forwarded({ hostHeader: "backend" }, GET);

  assertEquals(headers["host"], `127.0.0.1:${port}`);
  assertEquals(headers["x-forwarded-host"], "Shop.example:81");
});

Deno.test("hostHeader: a name is what the backend gets", async () => {
  const { headers } = await forwarded({ hostHeader: "api.internal" }, GET);

  assertEquals(headers["host"], "api.internal");
  assertEquals(headers["x-forwarded-host"], "Shop.example:81");
});

Deno.test("a client of HTTP/1.0 without a Host gets the backend's", async () => {
  const { headers, port } = await forwarded({}, "GET / HTTP/1.0\r\n\r\n");

  assertEquals(headers["host"], `127.0.0.1:${port}`);
  assertEquals(headers["x-forwarded-host"], undefined);
});

Deno.test("a base path is joined with one slash, path and query are kept", async (t) => {
  const rows: readonly (readonly [string, string, string])[] = [
    ["", "/", "/"],
    ["", "/a//b/../c%2f?x=1&y=%20?", "/a//b/../c%2f?x=1&y=%20?"],
    ["/", "/a", "/a"],
    ["/base", "/", "/base/"],
    ["/base", "/a?q", "/base/a?q"],
    ["/base/", "/a", "/base/a"],
    ["/base/v1//", "//a", "/base/v1//a"],
    ["/base", "/?q", "/base/?q"],
  ];
  for (const [prefix, target, expected] of rows) {
    await t.step(`${prefix} + ${target}`, async () => {
      const request = `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
      assertEquals((await forwarded({}, request, { prefix })).target, expected);
    });
  }
  await t.step("an absolute target without a path", async () => {
    const request = "GET http://a?q=1 HTTP/1.1\r\nHost: a\r\n\r\n";
    const { target } = await forwarded({}, request, { prefix: "/base" });
    assertEquals(target, "/base/?q=1");
  });
});

Deno.test("OPTIONS * stays as it is, whatever the base path", async () => {
  const request = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
  const { method, target } = await forwarded({}, request, { prefix: "/base" });

  assertEquals([method, target], ["OPTIONS", "*"]);
});

Deno.test("OPTIONS * of an absolute target reaches the backend as *", async () => {
  const request = "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n";

  assertEquals((await forwarded({}, request)).target, "*");
});

// ---------------------------------------------------------- forwarding fields

const FORGED = "GET / HTTP/1.1\r\nHost: a.example\r\n" +
  "X-Forwarded-For: 192.0.2.7, 192.0.2.8\r\nX-Forwarded-For: 192.0.2.9\r\n" +
  "X-Forwarded-Proto: https\r\nX-Forwarded-Host: forged.example\r\n" +
  "X-Forwarded-Port: 443\r\nForwarded: for=192.0.2.6;proto=https\r\n" +
  "Via: 1.0 fred, 1.1 proxy.example (comment)\r\n\r\n";

Deno.test("a plain request gets X-Forwarded-For, -Proto, -Host, Forwarded and Via", async () => {
  const { headers } = await forwarded({}, GET);

  assertEquals(
    headers["forwarded"],
    'for=127.0.0.1;host="Shop.example:81";proto=http',
  );
  assertEquals(headers["x-forwarded-for"], "127.0.0.1");
  assertEquals(headers["x-forwarded-proto"], "http");
  assertEquals(headers["x-forwarded-host"], "Shop.example:81");
  assertMatch(headers["via"] ?? "", /^1\.1 headrace-[0-9a-z]+$/);
});

Deno.test("an untrusted client's forwarding fields: For and Via are added to, the others replaced", async () => {
  const { headers } = await forwarded({}, FORGED);

  assertEquals(
    headers["x-forwarded-for"],
    "192.0.2.7, 192.0.2.8, 192.0.2.9, 127.0.0.1",
  );
  assertEquals(headers["x-forwarded-proto"], "http");
  assertEquals(headers["x-forwarded-host"], "a.example");
  assertEquals(headers["x-forwarded-port"], undefined);
  assertEquals(headers["forwarded"], "for=127.0.0.1;host=a.example;proto=http");
  assertMatch(
    headers["via"] ?? "",
    /^1\.0 fred, 1\.1 proxy\.example \(comment\), 1\.1 headrace-\w+$/,
  );
});

Deno.test("a trusted peer's forwarding fields are kept, For is added to", async () => {
  const listener = { trusted: ["127.0.0.0/8"] };
  const { headers } = await forwarded({}, FORGED, { listener });

  assertEquals(
    headers["x-forwarded-for"],
    "192.0.2.7, 192.0.2.8, 192.0.2.9, 127.0.0.1",
  );
  assertEquals(headers["x-forwarded-proto"], "https");
  assertEquals(headers["x-forwarded-host"], "forged.example");
  assertEquals(headers["x-forwarded-port"], "443");
  // It names another client than X-Forwarded-For: the peer has not written it.
  assertEquals(headers["forwarded"], undefined);
});

Deno.test("a trusted peer's Forwarded is added to, and X-Forwarded-* made from it", async () => {
  const { headers } = await forwarded(
    {},
    "GET / HTTP/1.1\r\nHost: inner\r\nForwarded: for=192.0.2.8\r\n" +
      'forwarded: for="[2001:db8::9]:1";proto=https;host="shop.example:81"\r\n\r\n',
    { listener: { trusted: ["127.0.0.1"] } },
  );

  assertEquals(
    headers["forwarded"],
    'for=192.0.2.8, for="[2001:db8::9]:1";proto=https;host="shop.example:81", ' +
      "for=127.0.0.1;host=inner;proto=http",
  );
  assertEquals(headers["x-forwarded-for"], "192.0.2.8, 2001:db8::9, 127.0.0.1");
  assertEquals(headers["x-forwarded-proto"], "https");
  assertEquals(headers["x-forwarded-host"], "shop.example:81");
});

Deno.test("a trusted peer's Forwarded beside X-Forwarded-For stands where both agree", async () => {
  const { headers } = await forwarded(
    {},
    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\n" +
      "Forwarded: for=192.0.2.9;proto=https\r\n\r\n",
    { listener: { trusted: ["127.0.0.1"] } },
  );

  assertEquals(
    headers["forwarded"],
    "for=192.0.2.9;proto=https, for=127.0.0.1;host=a;proto=http",
  );
  assertEquals(headers["x-forwarded-for"], "192.0.2.9, 127.0.0.1");
  assertEquals(headers["x-forwarded-proto"], "https");
});

Deno.test("requests of one connection that come different ways are told apart", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    listener: { trusted: ["127.0.0.1"] },
    backends: [backend.url],
  });
  using client = await HttpClient.connect(proxy.port());
  const chains = [];
  for (
    const fields of [
      "",
      "Forwarded: for=192.0.2.1\r\n",
      "",
      "X-Forwarded-For: 192.0.2.2\r\n",
      "Forwarded: for=192.0.2.3\r\n",
    ]
  ) {
    await client.send(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    const { headers } = parseEcho((await client.response()).text);
    chains.push([headers["x-forwarded-for"], headers["forwarded"]]);
  }
  const own = "for=127.0.0.1;host=a;proto=http";

  assertEquals(chains, [
    ["127.0.0.1", own],
    ["192.0.2.1, 127.0.0.1", `for=192.0.2.1, ${own}`],
    ["127.0.0.1", own],
    ["192.0.2.2, 127.0.0.1", undefined],
    ["192.0.2.3, 127.0.0.1", `for=192.0.2.3, ${own}`],
  ]);
});

Deno.test("a trusted peer's missing forwarding fields are added", async () => {
  const listener = { trusted: ["127.0.0.1"] };
  const { headers } = await forwarded({}, GET, { listener });

  assertEquals(headers["x-forwarded-for"], "127.0.0.1");
  assertEquals(headers["x-forwarded-proto"], "http");
  assertEquals(headers["x-forwarded-host"], "Shop.example:81");
});

/** A product that answers with whether a client of 192.0.2.N came over https. */
function clientProduct() {
  const rules = [7, 8, 9].flatMap((n) => [{
    when: `req_cip_range("192.0.2.${n}", "192.0.2.${n}") && req_proto_secure()`,
    respond: { status: 200, body: `${n} secure` },
  }, {
    when: `req_cip_range("192.0.2.${n}", "192.0.2.${n}")`,
    respond: { status: 200, body: `${n}` },
  }]);
  return {
    name: "site",
    default: true,
    rules: [...rules, { respond: { status: 200, body: "peer" } }],
  };
}

Deno.test("rules see the client behind so many trusted hops", async (t) => {
  const rows: readonly (readonly [object, string])[] = [
    [{}, "peer"],
    [{ trusted: ["10.0.0.0/8"] }, "peer"],
    [{ trusted: ["127.0.0.1"] }, "9 secure"],
    [{ trusted: ["127.0.0.1"], hops: 2 }, "8 secure"],
    [{ trusted: ["127.0.0.1"], hops: 3 }, "7 secure"],
    [{ trusted: ["127.0.0.1"], hops: 9 }, "7 secure"],
  ];
  const asForwarded = "GET / HTTP/1.1\r\nHost: a\r\n" +
    "Forwarded: for=192.0.2.7;proto=https, for=192.0.2.8;proto=https, " +
    "for=192.0.2.9;proto=https\r\n\r\n";
  for (const [listener, expected] of rows) {
    await t.step(JSON.stringify(listener), async () => {
      await using proxy = await startProxyWith({
        listener,
        products: [clientProduct()],
      });
      using client = await HttpClient.connect(proxy.port());
      for (const request of [FORGED, asForwarded]) {
        await client.send(request);
        assertEquals((await client.response()).text, expected);
      }
    });
  }
});

// -------------------------------------------------------------- several hops

Deno.test("two proxies chained: the backend sees both", async () => {
  await using backend = serveEcho();
  await using inner = await startProxyWith({
    backends: [backend.url],
    listener: { trusted: ["127.0.0.1"] },
  });
  await using outer = await startProxyWith({ backends: [inner.url("")] });
  const { status, text } = await ask(outer, "a.example");
  assertEquals(status, 200);
  const { headers } = parseEcho(text);

  assertEquals(headers["x-forwarded-for"], "127.0.0.1, 127.0.0.1");
  assertEquals(
    headers["forwarded"],
    "for=127.0.0.1;host=a.example;proto=http, for=127.0.0.1;host=a.example;proto=http",
  );
  assertEquals(headers["x-forwarded-host"], "a.example");
  const [first, second, ...others] = (headers["via"] ?? "").split(", ");
  assertEquals(others, []);
  assert(first !== second);
});

Deno.test("a proxy that leads to itself answers 508 at the second round", async () => {
  await using proxy = await startProxyWith({ backends: [] });
  await proxy.reload(JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{ name: "main", backends: [{ url: proxy.url("") }] }],
    workers: 1,
  }));
  const { status, text } = await ask(proxy, "a.example");

  assertEquals(status, 508);
  assertMatch(text, /^508 Loop Detected\nRequest \S+\n$/);
  const { sessions } = await proxy.report();
  // The client's, and the one of the round that was refused.
  assert(sessions.length <= 2, JSON.stringify(sessions));
});

Deno.test("two proxies that lead to each other answer 508", async () => {
  await using a = await startProxyWith({ backends: [] });
  await using b = await startProxyWith({ backends: [a.url("")] });
  await a.reload(JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{ name: "main", backends: [{ url: b.url("") }] }],
    workers: 1,
  }));

  assertEquals((await ask(a, "a.example")).status, 508);
});

Deno.test("a Via that only begins like our own is no loop", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await HttpClient.connect(proxy.port());
  const first = parseEcho((await client.get()).text);
  const own = (first.headers["via"] ?? "").replace("1.1 ", "");
  const status = async (via: string) => {
    await client.send(`GET / HTTP/1.1\r\nHost: a\r\nVia: ${via}\r\n\r\n`);
    return (await client.response()).status;
  };

  assertEquals(await status(`1.1 ${own}x`), 200);
  assertEquals(await status(`1.1 x-${own} (${own})`), 200);
  assertEquals(await status(`1.0 fred,1.1  ${own} (comment)`), 508);
});

Deno.test("a client's IPv6 address is told without brackets, and can be trusted", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    listener: { address: "[::1]:0", trusted: ["::1"] },
    backends: [backend.url],
  });
  using client = await HttpClient.connect({
    hostname: "::1",
    port: proxy.port(),
  });
  await client.send(FORGED);
  const { headers } = parseEcho((await client.response()).text);

  assertMatch(headers["x-forwarded-for"] ?? "", /, 192\.0\.2\.9, ::1$/);
  const { headers: own } = parseEcho((await client.get()).text);
  assertMatch(own["forwarded"] ?? "", /^for="\[::1\]";host=/);
  assertEquals(headers["x-forwarded-proto"], "https");
});

Deno.test("a client of a unix socket has no address to tell", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const path = `${folder}/web.sock`;
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    listener: { address: `unix:${path}` },
    backends: [backend.url],
  });
  using client = await HttpClient.connect({ transport: "unix", path });
  const first = parseEcho((await client.get()).text);
  await client.send(FORGED);
  const second = parseEcho((await client.response()).text);

  assertEquals(first.headers["x-forwarded-for"], undefined);
  assertEquals(first.headers["x-forwarded-proto"], "http");
  assertMatch(first.headers["forwarded"] ?? "", /^for=unknown;host=/);
  assertEquals(
    second.headers["x-forwarded-for"],
    "192.0.2.7, 192.0.2.8, 192.0.2.9",
  );
  await proxy.supervisor.stop();
  await Deno.remove(folder, { recursive: true });
});
