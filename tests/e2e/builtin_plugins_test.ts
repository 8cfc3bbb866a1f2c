/**
 * The built-in plugins at work: headers on both messages, and the samples of
 * all doc headers as they stand. What access-log writes is a test of its own.
 *
 * @module
 */
import { assertEquals, assertMatch } from "../support/assert.ts";
import { docSample } from "../support/doc_sample.ts";
import { drainAndStop } from "../support/drain_and_stop.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { pluginConfig } from "../support/plugin_site.ts";
import { startProxy } from "../support/proxy.ts";
import { serveScript } from "../support/scripted_backend.ts";

// -------------------------------------------------------------------- headers

Deno.test("headers sets, adds and removes on requests, with variables", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxy(
    pluginConfig(1, {
      backends: [backend.url],
      products: [{ name: "site", default: true, rules: [{ cluster: "main" }] }],
      plugins: [{
        use: "builtin:headers",
        options: {
          request: {
            remove: ["X-Debug", "Cookie"],
            set: {
              Host: "api.internal",
              "X-From": "%{client_address}",
              "X-Way": "%{listener}/%{product}/%{cluster}/%{backend}",
              "X-Target": "%{method} %{scheme}://%{host}%{path}?%{query}",
              "X-Id": "%{transaction_id}",
              "X-Empty": "%{header:x-missing}",
              "X-Percent": "100%%",
            },
            add: { "X-Tag": "%{header:user-agent}", "X-Cookie": "%{cookie:b}" },
          },
        },
      }],
    }),
  );
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET /p?q=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl\r\n" +
      "X-Tag: own\r\nX-Debug: 1\r\nx-debug: 2\r\nX-From: forged\r\n" +
      "X-Empty: forged\r\nCookie: a=1; b=2\r\n\r\n",
  );
  const { headers } = parseEcho((await client.response()).text);

  assertEquals(headers["host"], "api.internal");
  assertEquals(headers["x-from"], "127.0.0.1");
  assertEquals(headers["x-way"], "web/site/main/a");
  assertEquals(headers["x-percent"], "100%");
  assertEquals(headers["x-tag"], "own, curl");
  assertMatch(headers["x-id"] ?? "", /^\S+$/);
  for (const name of ["x-debug", "cookie", "x-empty", "x-cookie"]) {
    assertEquals(headers[name], undefined, name);
  }
  // As it stands once the fields before it are set.
  assertEquals(headers["x-target"], "GET http://api.internal/p?q=1");
});

Deno.test("headers sets, adds and removes on responses, errors among them", async (t) => {
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.send(
      "HTTP/1.1 200 OK\r\nServer: secret\r\nX-Tag: own\r\nSet-Cookie: a=1\r\n" +
        "Content-Length: 2\r\n\r\nok",
    );
    await connection.request();
  });
  await using proxy = await startProxy(
    pluginConfig(1, {
      backends: [backend.url],
      products: [{
        name: "site",
        hosts: ["a.example"],
        rules: [
          { when: 'req_path_in("/ok", false)', cluster: "main" },
          { when: 'req_path_in("/old", false)', redirect: { to: "/new" } },
          { when: 'req_path_in("/down", false)', cluster: "down" },
        ],
      }],
      clusters: [{ name: "down", backends: [{ url: "http://127.0.0.1:1" }] }],
      plugins: [{
        use: "builtin:headers",
        options: {
          response: {
            remove: ["Server"],
            set: {
              "X-Served": "%{status} %{product} %{cluster}",
              "X-Host": "%{host}",
            },
            add: { "X-Tag": "edge", "Set-Cookie": "b=2" },
          },
        },
      }],
    }),
  );
  const ask = async (request: string) => {
    using client = await HttpClient.connect(proxy.port());
    await client.send(request);
    return await client.response();
  };
  const get = (path: string, host = "a.example") =>
    ask(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

  await t.step("a backend's", async () => {
    const { headers, text } = await get("/ok");
    assertEquals(text, "ok");
    assertEquals(headers.get("server"), null);
    assertEquals(headers.get("x-tag"), "own, edge");
    assertEquals(headers.getSetCookie(), ["a=1", "b=2"]);
    assertEquals(headers.get("x-served"), "200 site main");
  });
  const rows: readonly (readonly [string, string, string, string | null])[] = [
    ["/old", "a.example", "302 site", "a.example"],
    ["/none", "a.example", "404 site", "a.example"],
    ["/", "b.example", "404", "b.example"],
    ["/down", "a.example", "502 site down", "a.example"],
  ];
  for (const [path, host, served, xHost] of rows) {
    await t.step(`${host}${path}`, async () => {
      const { headers } = await get(path, host);
      assertEquals(headers.get("x-served"), served);
      assertEquals(headers.get("x-host"), xHost);
      assertEquals(headers.get("x-tag"), "edge");
    });
  }
  await t.step("a malformed request's", async () => {
    const { status, headers } = await ask("BROKEN\r\n\r\n");
    assertEquals(status, 400);
    assertEquals(headers.get("x-served"), "400");
    assertEquals(headers.get("x-host"), null);
    assertEquals(headers.get("x-tag"), "edge");
  });
});

// -------------------------------------------------------------------- samples

Deno.test("the sample of access-log writes its log", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const path = `${folder}/access.log`;
  const sample = await docSample("access_log");
  await using proxy = await startProxy(
    sample.replace("127.0.0.1:8080", "127.0.0.1:0")
      .replace("path: access.log", `path: ${path}`) + "\nworkers: 1\n",
  );
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get("/x")).text, "hello\n");
  client.close();
  await drainAndStop(proxy);
  const [line = "", ...others] = (await Deno.readTextFile(path)).trimEnd()
    .split("\n");
  await Deno.remove(folder, { recursive: true });

  assertMatch(line, / "GET \/x HTTP\/1\.1" 200 \d+ "-" "-"$/);
  assertEquals(others, []);
});

Deno.test("the sample of headers does what it says", async () => {
  const sample = await docSample("headers");
  await using proxy = await startProxy(
    sample.replace("127.0.0.1:8080", "127.0.0.1:0") + "\nworkers: 1\n",
  );
  using client = await HttpClient.connect(proxy.port());
  const { text, headers } = await client.get("/x");

  assertEquals(text, "hello\n");
  assertEquals(headers.get("strict-transport-security"), "max-age=31536000");
  assertMatch(headers.get("x-request-id") ?? "", /^\S+$/);
});

Deno.test("headers may set the forwarding fields that a backend gets", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxy(
    pluginConfig(1, {
      backends: [backend.url],
      products: [{ name: "site", default: true, rules: [{ cluster: "main" }] }],
      plugins: [{
        use: "builtin:headers",
        options: {
          request: {
            set: {
              "X-Forwarded-Proto": "https",
              "X-Forwarded-Host": "public.example",
            },
          },
        },
      }],
    }),
  );
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: forged\r\n\r\n",
  );
  const { headers } = parseEcho((await client.response()).text);

  assertEquals(headers["x-forwarded-proto"], "https");
  assertEquals(headers["x-forwarded-host"], "public.example");
});
