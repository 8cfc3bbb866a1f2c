/**
 * Rules that look into JSON bodies.
 *
 * @module
 */
import { serveEcho } from "../support/echo_backend.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin, inlinePlugin } from "../support/inline_plugin.ts";
import { type ProxyWith, startProxyWith } from "../support/proxy_with.ts";
import { RawClient } from "../support/raw_client.ts";
import { serveEach, serveScript } from "../support/scripted_backend.ts";

const SMALL = 'req_body_json_in("model", "small", false)';

/** A product that sends requests for the small model to one cluster, others to the other. */
function byModel(
  small: string,
  large: string,
  when = SMALL,
  parts: Partial<ProxyWith> & { readonly buffered?: object } = {},
): ProxyWith {
  const { buffered, ...rest } = parts;
  return {
    backends: [large],
    clusters: [{ name: "small", backends: [{ url: small }], ...buffered }],
    products: [{
      name: "chat",
      default: true,
      rules: [{ when, cluster: "small" }, { cluster: "main" }],
    }],
    ...rest,
  };
}

const JSON_TYPE = "Content-Type: application/json\r\n";

function post(body: string, fields = JSON_TYPE, path = "/"): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;
}

/** A backend that tells its name and what it got: framing and body. */
function serveWhole(name: string) {
  return serveEach(async (connection, { headers }) => {
    const length = headers.get("content-length");
    const body = length === null ? "" : await connection.body(Number(length));
    await connection.respond(200, `${name} ${length} ${body}`);
  });
}

Deno.test("rules go by a JSON body, and the backend gets it whole", async () => {
  await using small = serveWhole("small");
  await using large = serveWhole("large");
  await using proxy = await startProxyWith(byModel(small.url, large.url));
  using client = await HttpClient.connect(proxy.port());
  const rows = [
    ['{"model":"small"}', JSON_TYPE, "small"],
    ['{"model":"large"}', JSON_TYPE, "large"],
    ['{"model":"small"}', "Content-Type: text/plain\r\n", "large"],
    ['{"model":"small"}', "", "large"],
    [
      '{"model":"small"}',
      "Content-Type: application/vnd.x+JSON; charset=utf-8\r\n",
      "small",
    ],
    ['{"model":"small"}', `${JSON_TYPE}Content-Encoding: gzip\r\n`, "large"],
    ['{"model":"small"', JSON_TYPE, "large"],
    ['{"model":"large","model":"small"}', JSON_TYPE, "small"],
    ['"small"', JSON_TYPE, "large"],
    ["", JSON_TYPE, "large"],
    [`{"x":"${"y".repeat(300_000)}","model":"small"}`, JSON_TYPE, "small"],
  ] as const;
  for (const [body, fields, name] of rows) {
    await client.send(post(body, fields));
    const { text } = await client.response();
    assertEquals(text, `${name} ${body.length} ${body}`);
  }
  await client.send(
    `POST / HTTP/1.1\r\nHost: x\r\n${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n` +
      '8\r\n{"model"\r\n9\r\n:"small"}\r\n0\r\n\r\n',
  );
  // Its length is known by then.
  assertEquals((await client.response()).text, 'small 17 {"model":"small"}');
  assertEquals((await client.get()).text, "large null ");
});

Deno.test("a body is read only where a rule comes to ask for it", async () => {
  await using small = serveEcho("small");
  // Answers before the body has come.
  await using large = serveEach((connection) => connection.respond(200, "now"));
  await using proxy = await startProxyWith(
    byModel(small.url, large.url, `req_path_in("/chat", false) && ${SMALL}`),
  );
  using client = await RawClient.connect(proxy.port());
  await client.send(
    `POST /else HTTP/1.1\r\nHost: x\r\n${JSON_TYPE}Content-Length: 9999999\r\n\r\n`,
  );
  assertEquals((await client.response()).body, "now");
});

Deno.test("a body that is longer than rules look into is 413, before it is asked for", async () => {
  await using small = serveEcho("small");
  await using large = serveEcho("large");
  await using proxy = await startProxyWith(byModel(small.url, large.url));
  const length = (1 << 20) + 1;
  for (const expect of ["", "Expect: 100-continue\r\n"]) {
    using client = await RawClient.connect(proxy.port());
    await client.send(
      `POST / HTTP/1.1\r\nHost: x\r\n${JSON_TYPE}${expect}Content-Length: ${length}\r\n\r\n`,
    );
    assertEquals((await client.response()).status, 413);
  }
  using client = await HttpClient.connect(proxy.port());
  const chunk = `${(1 << 19).toString(16)}\r\n${"x".repeat(1 << 19)}\r\n`;
  await client.send(
    `POST / HTTP/1.1\r\nHost: x\r\n${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n`,
  );
  await client.send(`${chunk}${chunk}1\r\nx\r\n0\r\n\r\n`);
  assertEquals((await client.response()).status, 413);
  assertEquals([small.accepted, large.accepted], [0, 0]);
});

Deno.test("who waits for 100 Continue is told once, and the backend is not asked for it", async () => {
  await using small = serveEach(async (connection, { headers }) => {
    const body = await connection.body(Number(headers.get("content-length")));
    await connection.respond(200, `${headers.has("expect")} ${body}`);
  });
  for (const buffered of [{}, { requestBuffer: { bytes: "1KiB" } }]) {
    await using proxy = await startProxyWith(
      byModel(small.url, small.url, SMALL, { buffered }),
    );
    using client = await RawClient.connect(proxy.port());
    await client.send(
      `POST / HTTP/1.1\r\nHost: x\r\n${JSON_TYPE}Expect: 100-continue\r\nContent-Length: 17\r\n\r\n`,
    );
    await client.until("a head", () => client.received.includes("\r\n\r\n"));
    await client.send('{"model":"small"}');
    const responses = await client.responses(1);
    assertEquals(responses.map(({ status }) => status), [100, 200]);
    assertEquals(responses[1]!.body, 'false {"model":"small"}');
  }
});

Deno.test("requestBuffer's own bound and point hold for a body that rules had read", async () => {
  await using backend = serveWhole("b");
  const seen: string[] = [];
  await using proxy = await startProxyWith(
    byModel(backend.url, backend.url, SMALL, {
      buffered: { requestBuffer: { bytes: 64 } },
      plugins: [handlersPlugin("reads", {
        requestBuffered: async ({ body }) => {
          const bytes = await body.read();
          seen.push(new TextDecoder().decode(bytes), typeof body.json());
        },
      })],
    }),
  );
  using client = await HttpClient.connect(proxy.port());
  await client.send(post('{"model":"small"}'));
  assertEquals((await client.response()).text, 'b 17 {"model":"small"}');
  assertEquals(seen, ['{"model":"small"}', "object"]);
  // The cluster without requestBuffer has no bound, and no such point.
  await client.send(post(`{"x":"${"y".repeat(100)}"}`));
  assertEquals((await client.response()).status, 200);
  assertEquals(seen.length, 2);
  await client.send(post(`{"x":"${"y".repeat(100)}","model":"small"}`));
  assertEquals((await client.response()).status, 413);
});

Deno.test("a body that rules had read is sent again to another backend", async () => {
  await using dying = serveScript(async (connection) => {
    const request = await connection.request();
    await connection.body(Number(request!.headers.get("content-length")));
  });
  await using well = serveWhole("well");
  await using proxy = await startProxyWith({
    ...byModel(dying.url, dying.url),
    clusters: [{
      name: "small",
      balance: "first",
      backends: [{ url: dying.url }, { url: well.url }],
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(post('{"model":"small"}').replace("POST", "PUT"));
  assertEquals((await client.response()).text, 'well 17 {"model":"small"}');
});

Deno.test("a client that leaves in the middle of its body, and one that is too slow, end there", async () => {
  await using backend = serveEcho("b");
  await using proxy = await startProxyWith({
    ...byModel(backend.url, backend.url),
    listener: { timeouts: { body: "100ms" } },
  });
  const head =
    `POST / HTTP/1.1\r\nHost: x\r\n${JSON_TYPE}Content-Length: 17\r\n\r\n{"m`;
  using slow = await RawClient.connect(proxy.port());
  await slow.send(head);
  assertEquals((await slow.response()).status, 408);
  using client = await RawClient.connect(proxy.port());
  await client.send(head);
  client.close();
  using other = await HttpClient.connect(proxy.port());
  assertEquals((await other.get()).status, 200);
  assertEquals(backend.accepted, 1);
});

Deno.test("a plugin's condition reads the body, too; a handler is told that it comes too early", async () => {
  await using small = serveWhole("small");
  await using large = serveWhole("large");
  const failures: unknown[] = [];
  const own = inlinePlugin({
    name: "own",
    setup: () => ({
      conditions: {
        own_model: (model) => ({ body }) =>
          (body.json() as { model?: unknown } | undefined)?.model === model,
      },
      handlers: {
        foundProduct: ({ body }) => {
          try {
            body.json();
          } catch (thrown) {
            failures.push((thrown as Error).message);
          }
        },
      },
    }),
  });
  await using proxy = await startProxyWith(
    byModel(small.url, large.url, 'own_model("small")', {
      plugins: [{ use: own }],
    }),
  );
  using client = await HttpClient.connect(proxy.port());
  await client.send(post('{"model":"small"}'));
  assertEquals((await client.response()).text, 'small 17 {"model":"small"}');
  assert(String(failures[0]).startsWith("Cannot read the request's body"));
  assertEquals(failures.length, 1);
});
