/**
 * All built-in plugins at once: none of them fails, none stands in another's
 * way, and the metrics tell what each costs.
 *
 * @module
 */
import { SignJWT } from "jose";
import { builtins } from "../../plugins/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { serveEach } from "../support/scripted_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { pluginConfig } from "../support/plugin_site.ts";
import { startProxy } from "../support/proxy.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

/** Options of each; a name of its own is that of the plugin. */
function plugins(folder: string): readonly object[] {
  const use = (name: string, options: object = {}, more: object = {}) => ({
    use: `builtin:${name}`,
    options,
    ...more,
  });
  const site = { products: ["site"] };
  return [
    use("mirror", { cluster: "next", share: 0.2 }, { ...site, order: -100 }),
    use("request-id"),
    use("trace", { spans: ["session", "transaction", "attempt", "handler"] }),
    use("block", { block: { addresses: ["192.0.2.0/24"] } }),
    use("rate-limit", {
      rules: [{ name: "c", rate: { requests: 100_000 }, concurrent: 100 }],
    }, site),
    use("cors", { origins: ["https://a.example"] }, site),
    use("tag", { rules: [{ tags: { a: "1" } }] }, site),
    use("redirect", {
      rules: [{ pathReplace: { pattern: "^/old/(.*)$", with: "/new/$1" } }],
    }, site),
    use("secure-link", {
      when: 'req_path_prefix_in("/signed/", false)',
      secrets: [SECRET],
    }, site),
    use("auth-basic", {
      users: ["bob:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="],
      userHeader: "X-User",
      pass: true,
    }, site),
    use("auth-jwt", {
      keys: { secret: SECRET },
      algorithms: ["HS256"],
      from: { header: "X-Token" },
      requireExpiry: false,
    }, site),
    use("auth-request", { url: "http://auth.internal/" }, site),
    use("static", { root: folder, prefix: "/static/" }, site),
    use("rewrite", { rules: [{ stripPrefix: "/api" }] }, site),
    use("headers", { request: { set: { "X-Real-IP": "%{client_address}" } } }),
    use("errors", { pages: [{ statuses: ["403"], body: "page %{status}" }] }),
    use("compress", { minBytes: 1 }),
    use("cache-control", { rules: [{ set: { maxAge: "1m" } }] }),
    use("http-code"),
    use("access-log", { path: `${folder}/access.log` }),
  ];
}

for (const workers of [1, 2]) {
  Deno.test(`all built-in plugins work together (workers: ${workers})`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
    await Deno.writeTextFile(`${folder}/a.txt`, "a file");
    await using backend = serveEach((connection, { target, headers }) =>
      connection.respond(200, `${target} ${headers.get("x-user")}`)
    );
    const all = plugins(folder) as { use: string }[];
    assertEquals(
      all.map(({ use }) => use.slice("builtin:".length)).sort(),
      [...builtins.keys()].sort(),
    );
    await using proxy = await startProxy(
      pluginConfig(workers, {
        backends: [backend.url],
        products: [
          {
            name: "auth",
            hosts: ["auth.internal"],
            rules: [{ respond: { status: 204 } }],
          },
          { name: "site", default: true, rules: [{ cluster: "main" }] },
        ],
        clusters: [{ name: "next", backends: [{ id: "n", url: backend.url }] }],
        plugins: all,
      }),
    );
    const jwt = await new SignJWT({ sub: "u" })
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(SECRET));
    const fields = `Host: a\r\nAuthorization: Basic ${btoa("bob:myPassword")}` +
      `\r\nX-Token: ${jwt}\r\nOrigin: https://a.example\r\n`;
    const expected: readonly (readonly [string, number, string])[] = [
      ["GET /api/x?a=1", 200, "/x?a=1 bob"],
      ["GET /static/a.txt", 200, "a file"],
      ["GET /old/page", 302, "See /new/page\n"],
      ["GET /signed/x", 403, "page 403"],
    ];
    await Promise.all(Array.from({ length: 8 }, async () => {
      using client = await HttpClient.connect(proxy.port());
      for (let i = 0; i < 20; i++) {
        const [line, status, text] = expected[i % expected.length]!;
        await client.send(`${line} HTTP/1.1\r\n${fields}\r\n`);
        const response = await client.response();
        assertEquals([response.status, response.text], [status, text], line);
        assertEquals(
          response.headers.get("access-control-allow-origin"),
          "https://a.example",
        );
        assert(response.headers.has("x-request-id"));
      }
    }));
    const { metrics } = await proxy.report();
    assertEquals(metricValue(metrics, "headrace_handler_errors_total"), 0);
    const timed = metrics.metrics.find(({ name }) =>
      name === "headrace_handler_duration_seconds"
    );
    const told = new Set(timed?.series.map(({ labels }) => labels[0]));
    for (const name of builtins.keys()) assert(told.has(name), name);
    await Deno.remove(folder, { recursive: true });
  });
}
