/**
 * What transactions ask of their client's connection and of backends' ones,
 * beyond plain messages.
 *
 * @module
 */
import { assert, assertEquals } from "../../support/assert.ts";
import { eventually } from "../../support/eventually.ts";
import { getWith } from "../../support/get_with.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { serveNamed } from "../../support/named_backend.ts";
import { startProxyWith } from "../../support/proxy_with.ts";
import { ResettableConn } from "../../support/resettable_conn.ts";
import { serveScript } from "../../support/scripted_backend.ts";
import { tracedProxy } from "../../support/traced_proxy.ts";
import { answered } from "../../support/tracer.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

Deno.test("finish at requestFinish closes before a pipelined request", async () => {
  await using backend = serveNamed("a");
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("judge", ({ verdict }) => ({
      requestFinish: () => verdict.finish(),
    }))],
  });
  await t.client.send(GET + GET);
  assertEquals((await t.client.response()).text, "a");
  assert(await t.client.ended());
  assertEquals(await t.finished(), ["accept", ...answered(200), "finish"]);
});

Deno.test("a request's head that outgrows its buffer by edits: 500", async () => {
  await using backend = serveNamed("a");
  const response = await getWith({
    foundProduct: ({ headers }) => {
      for (let i = 0; i < 40; i++) headers.set(`x-${i}`, "x".repeat(8_000));
    },
  }, { backends: [backend.url] });
  assertEquals(response.status, 500);
  assertEquals(backend.asked.length, 0);
});

Deno.test("a response's head that outgrows its buffer by edits: 502, the connection stays", async () => {
  await using backend = serveNamed("a");
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("edits", {
      readResponse: (request, { headers }) => {
        if (request!.path !== "/large") return;
        for (let i = 0; i < 40; i++) headers.set(`x-${i}`, "x".repeat(8_000));
      },
    })],
  });
  assertEquals((await t.client.get("/large")).status, 502);
  assertEquals((await t.client.get("/small")).status, 200);
});

Deno.test("a HEAD that a handler made a GET: the body that nobody wants is in no other response", async () => {
  await using backend = serveScript(async (connection) => {
    const request = await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
    // The body takes its time: on a connection that was kept the next request is first.
    if (request?.method === "GET" && request.target === "/head") {
      if (await connection.request() === undefined) return;
    }
    await connection.send("a body");
    await connection.ended();
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("edits", {
      foundProduct: (request) => {
        request.method = "GET";
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send("HEAD /head HTTP/1.1\r\nHost: x\r\n\r\n");
  assertEquals((await client.response({ head: true })).status, 200);
  assertEquals((await client.get("/next")).text, "a body");
  assertEquals(backend.accepted, 2);
});

Deno.test("a client that has sent its body and resets while the backend works is noticed", async () => {
  const length = 1_000_000;
  const asked = Promise.withResolvers<void>();
  const dropped = Promise.withResolvers<void>();
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.body(length);
    asked.resolve();
    await connection.ended();
    dropped.resolve();
  });
  await using t = await tracedProxy({ backends: [backend.url] });
  const conn = await ResettableConn.connect(t.proxy.port());
  using client = new HttpClient(conn);
  await client.send(
    `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`,
  );
  await client.send("x".repeat(length));
  await asked.promise;
  await conn.reset();
  await dropped.promise;
  await t.tracer.seen("finish");
  assertEquals(t.tracer.events.slice(-3), [
    "requestFinish none",
    "transactionClose 499",
    "finish",
  ]);
});

Deno.test("a slow requestFinish is no slow write", async () => {
  await using backend = serveNamed("a");
  const finished = Promise.withResolvers<void>();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: { timeouts: { write: "100ms" } },
    plugins: [handlersPlugin("slow", {
      requestFinish: async () => {
        await finished.promise;
        return undefined;
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "a");
  // Longer than a write may take.
  await new Promise((resolve) => setTimeout(resolve, 500));
  finished.resolve();
  assertEquals((await client.get()).text, "a");
});

Deno.test("a retry that is refused is told in the log", async () => {
  await using backend = serveNamed("a");
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("judge", ({ verdict }) => ({
      readResponseHeader: () => verdict.retry,
    }))],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "a");
  await eventually(
    "the refusal in the log",
    () => proxy.logged.some((line) => line.includes("retry")),
  );
});
