/**
 * Request bodies that are read whole before a backend is chosen.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveEach, serveScript } from "../support/scripted_backend.ts";

function put(body: string, fields = ""): string {
  return `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;
}

Deno.test("requestBuffer: no backend hears of a request before its body is whole, and its length is known then", async () => {
  await using backend = serveHttpBackend(async (request) =>
    new Response(
      `${request.headers.get("content-length")} ${await request.text()}`,
    )
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: { requestBuffer: { bytes: "1KiB" } },
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(backend.requests, 0);
  await client.send("1\r\n!\r\n0\r\n\r\n");
  assertEquals((await client.response()).text, "6 hello!");
  assertEquals((await client.get()).text, "null ");
});

Deno.test("requestBuffer: what memory does not hold goes to disk, up to its bound", async () => {
  await using backend = serveHttpBackend(async (request) =>
    new Response((await request.text()).length.toString())
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: { requestBuffer: { bytes: "1KiB", disk: "1MiB" } },
  });
  using client = await HttpClient.connect(proxy.port());
  for (const length of [1_024, 1_025, 300_000, (1 << 20) + 1_000]) {
    await client.send(put("x".repeat(length)));
    assertEquals((await client.response()).text, String(length));
  }
  await client.send(put("x".repeat((1 << 20) + 1_025)));
  assertEquals((await client.response()).status, 413);
});

Deno.test("requestBuffer: an upload of any method and size is sent again to another backend", async () => {
  await using dying = serveScript(async (connection) => {
    const request = await connection.request();
    await connection.body(Number(request!.headers.get("content-length")));
  });
  await using well = serveEach(async (connection, { headers }) => {
    const body = await connection.body(Number(headers.get("content-length")));
    await connection.respond(200, String(body.length));
  });
  await using proxy = await startProxyWith({
    backends: [dying.url, well.url],
    cluster: { requestBuffer: { bytes: "1KiB", disk: "1MiB" } },
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(put("x".repeat(200_000)));
  assertEquals((await client.response()).text, "200000");
});

Deno.test("requestBuffered: handlers read the body, route by it, or answer", async () => {
  await using a = serveHttpBackend(() => new Response("a"));
  await using b = serveHttpBackend(() => new Response("b"));
  const seen: string[] = [];
  await using proxy = await startProxyWith({
    backends: [a.url],
    cluster: { requestBuffer: { bytes: "8", disk: "1KiB" } },
    clusters: [{ name: "other", backends: [{ id: "o", url: b.url }] }],
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
    plugins: [
      handlersPlugin("reader", ({ verdict }) => ({
        afterLocation: (request) => {
          try {
            request.body.read();
          } catch (thrown) {
            seen.push((thrown as Error).name);
          }
        },
        requestBuffered: async (request) => {
          const text = new TextDecoder().decode(await request.body.read());
          seen.push(`${request.body.length} ${text}`);
          if (text.includes("other")) request.cluster = "other";
          return text.includes("stop")
            ? verdict.respond({ status: 418, body: "no" })
            : undefined;
        },
      })),
    ],
  });
  using client = await HttpClient.connect(proxy.port());
  const answers: string[] = [];
  for (const body of ["for a", "for the other one", "please stop"]) {
    await client.send(put(body));
    answers.push((await client.response()).text);
  }
  assertEquals(answers, ["a", "b", "no"]);
  assertEquals(seen, [
    "TypeError",
    "5 for a",
    "TypeError",
    "17 for the other one",
    "TypeError",
    "11 please stop",
  ]);
});

Deno.test("requestBuffer: a client that waits for a 100 gets it from here, and the backend is not asked for one", async () => {
  let expected: string | null = "";
  await using backend = serveHttpBackend(async (request) => {
    expected = request.headers.get("expect");
    return new Response(await request.text());
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: { requestBuffer: { bytes: "1KiB" } },
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
  );
  assertEquals((await client.response()).status, 100);
  await client.send("hi");
  assertEquals((await client.response()).text, "hi");
  assertEquals(expected, null);
});

Deno.test("requestBuffer: a client that leaves within its body is heard of by nobody else", async () => {
  await using backend = serveHttpBackend(() => new Response("a"));
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: { requestBuffer: { bytes: "1KiB", disk: "1MiB" } },
  });
  {
    using client = await HttpClient.connect(proxy.port());
    await client.send(
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" +
        "x".repeat(50_000),
    );
  }
  using other = await HttpClient.connect(proxy.port());
  assertEquals((await other.get()).text, "a");
  assertEquals(backend.requests, 1);
});

Deno.test("requestBuffer: a body that says it is too long is refused before it is asked for", async () => {
  await using backend = serveHttpBackend(() => new Response("a"));
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: { requestBuffer: { bytes: "1KiB", disk: "1KiB" } },
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2049\r\nExpect: 100-continue\r\n\r\n",
  );
  assertEquals((await client.response()).status, 413);
  assertEquals(backend.requests, 0);
});
