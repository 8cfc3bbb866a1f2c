/**
 * The AbortSignals that handlers ask for.
 *
 * @module
 */
import type { HttpRequest } from "../../../core/plugin.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { startProxyWith } from "../../support/proxy_with.ts";
import { ResettableConn } from "../../support/resettable_conn.ts";
import { serveEach } from "../../support/scripted_backend.ts";
import { firing } from "../../support/signals.ts";
import { tracedProxy } from "../../support/traced_proxy.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

const HELLO = [{
  name: "all",
  default: true,
  rules: [{ respond: { status: 200, body: "hello" } }],
}];

function serveOk() {
  return serveEach((connection) => connection.respond(200, "ok"));
}

Deno.test("each handler has a signal and a deadline of its own", async () => {
  const signals: AbortSignal[] = [];
  const late = (name: string) => ({
    ...handlersPlugin(name, {
      foundProduct: async (request: HttpRequest) => {
        signals.push(request.signal);
        await firing(request.signal);
        return undefined;
      },
    }),
    timeout: "50ms",
    onError: "ignore",
  });
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [late("one"), late("two")],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "hello");
  assertEquals(signals.map(({ aborted }) => aborted), [true, true]);
  assert(signals[0] !== signals[1]);
});

Deno.test("request.signal, transaction.signal are one; it does not fire where all is well", async () => {
  const signals: AbortSignal[] = [];
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [handlersPlugin("asks", {
      foundProduct: (request) => {
        signals.push(request.signal, request.transaction.signal);
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).status, 200);
  assertEquals((await client.get()).status, 200);
  assert(signals[0] === signals[1]);
  assert(signals[0] !== signals[2]);
  assert(signals.every(({ aborted }) => !aborted));
});

for (
  const point of ["foundProduct", "forward", "readResponse"] as const
) {
  Deno.test(`the signal fires at ${point} when the client leaves`, async () => {
    await using backend = serveOk();
    const begun = Promise.withResolvers<void>();
    const reason = Promise.withResolvers<unknown>();
    const wait = async (request: HttpRequest | undefined) => {
      const fired = firing(request!.signal);
      begun.resolve();
      reason.resolve(await fired);
      return undefined;
    };
    await using t = await tracedProxy({
      backends: [backend.url],
      plugins: [{
        ...handlersPlugin("waits", { [point]: wait }),
        timeout: "60s",
      }],
    });
    const conn = await ResettableConn.connect(t.proxy.port());
    using client = new HttpClient(conn);
    await client.send(GET);
    await begun.promise;
    await conn.reset();
    assertEquals(
      (await reason.promise as { code: string }).code,
      "client_closed",
    );
    await t.tracer.seen("finish");
    const last = point === "readResponse" ? 200 : "none";
    assertEquals(t.tracer.events.slice(-3), [
      `requestFinish ${last}`,
      "transactionClose 499",
      "finish",
    ]);
  });
}

Deno.test("a request's body survives the watch over its client", async () => {
  await using backend = serveEach(async (connection, { headers }) => {
    const length = Number(headers.get("content-length"));
    await connection.respond(
      200,
      String((await connection.body(length)).length),
    );
  });
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("waits", {
      foundProduct: async () => {
        begun.resolve();
        await go.promise;
        return undefined;
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
  );
  await begun.promise;
  const sent = client.send("x".repeat(100_000));
  // Longer than a watch takes to begin.
  await new Promise((resolve) => setTimeout(resolve, 500));
  go.resolve();
  await sent;
  assertEquals((await client.response()).text, "100000");
});

Deno.test("session.signal fires at the deadline of a transaction's handler, and when the client leaves", async () => {
  const reasons: string[] = [];
  const begun = Promise.withResolvers<void>();
  const wait = (handlers: string, timeout: string) => ({
    ...handlersPlugin(handlers, {
      foundProduct: async (request: HttpRequest) => {
        if (request.path !== `/${handlers}`) return;
        const fired = firing(request.session.signal);
        begun.resolve();
        reasons.push((await fired as { code: string }).code);
      },
    }),
    timeout,
  });
  await using t = await tracedProxy({
    products: HELLO,
    plugins: [wait("leaves", "60s"), wait("late", "50ms")],
  });
  assertEquals((await t.client.get("/late")).status, 500);
  const conn = await ResettableConn.connect(t.proxy.port());
  using client = new HttpClient(conn);
  await client.send("GET /leaves HTTP/1.1\r\nHost: x\r\n\r\n");
  await t.tracer.seen("foundProduct", 2);
  await begun.promise;
  await conn.reset();
  await t.tracer.seen("finish");
  assertEquals(reasons, ["handler_timeout", "client_closed"]);
});
