/**
 * Requests that plugins make: they enter as a client's do, and end.
 *
 * @module
 */
import type { PluginContext } from "../../../core/plugin.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { eventually, inTime } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { type ProxyWith, startProxyWith } from "../../support/proxy_with.ts";
import { serveEach, serveScript } from "../../support/scripted_backend.ts";
import { answered, delivered, LOCATED, Tracer } from "../../support/tracer.ts";

/** A proxy with a plugin whose `request` a test calls. */
async function withRequest(parts: ProxyWith) {
  let context: PluginContext<unknown> | undefined;
  const tracer = new Tracer();
  const proxy = await startProxyWith({
    ...parts,
    plugins: [
      handlersPlugin("asks", (given) => {
        context = given;
        return {};
      }),
      tracer.plugin,
      ...parts.plugins ?? [],
    ],
  });
  return {
    proxy,
    tracer,
    request: context!.request,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

const HELLO = [{
  name: "all",
  default: true,
  rules: [{ respond: { status: 200, body: "hello" } }],
}];

Deno.test("request() passes the points that a client's passes", async () => {
  await using backend = serveEach((connection, { target, headers }) =>
    connection.respond(200, `${target} ${headers.get("host")}`)
  );
  await using t = await withRequest({ backends: [backend.url] });
  const response = await t.request("http://inner.example/path?q=1");
  assertEquals(response.status, 200);
  assertEquals(await response.text(), "/path?q=1 inner.example");
  await t.tracer.seen("finish");
  assertEquals(t.tracer.take(), ["accept", ...answered(200), "finish"]);
});

Deno.test("request() is told apart by session.internal", async () => {
  const internal: boolean[] = [];
  await using t = await withRequest({
    products: HELLO,
    plugins: [handlersPlugin("reads", {
      accept: (session) => void internal.push(session.internal),
      foundProduct: (request) => void internal.push(request.session.internal),
    })],
  });
  await (await t.request("http://x/")).body?.cancel();
  using client = await HttpClient.connect(t.proxy.port());
  await client.get();
  assertEquals(internal, [true, true, false, false]);
});

Deno.test("request() takes method, headers and a streaming body", async () => {
  await using backend = serveEach(async (connection, { method, headers }) => {
    assertEquals(headers.get("transfer-encoding"), "chunked");
    let body = "";
    while (!body.endsWith("0\r\n\r\n")) body += await connection.body(1);
    await connection.respond(200, `${method} ${headers.get("x-a")} ${body}`);
  });
  await using t = await withRequest({ backends: [backend.url] });
  const pieces = ["one", "two"];
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(piece));
    },
  });
  const response = await t.request("http://x/", {
    method: "PUT",
    headers: { "x-a": "1" },
    body,
  });
  const text = (await response.text()).replaceAll("\r\n", "|");
  assertEquals(text, "PUT 1 3|one|3|two|0||");
});

Deno.test("request() brings a body of 10 MB, piece by piece", async () => {
  const length = 10_000_000;
  await using backend = serveEach((connection) =>
    connection.respond(200, "x".repeat(length))
  );
  await using t = await withRequest({ backends: [backend.url] });
  const response = await t.request("http://x/");
  let count = 0;
  let pieces = 0;
  for await (const piece of response.body!) {
    count += piece.length;
    pieces++;
  }
  assertEquals(count, length);
  assert(pieces > 10);
});

Deno.test("request() gets Headrace's own failures as responses", async () => {
  await using t = await withRequest({ backends: [] });
  const response = await t.request("http://x/");
  assertEquals(response.status, 503);
  await response.body?.cancel();
});

Deno.test("request() names a listener", async () => {
  const listeners: string[] = [];
  await using t = await withRequest({
    products: HELLO,
    listeners: [
      { name: "raw", address: "127.0.0.1:0", protocol: "tcp", cluster: "main" },
      { name: "side", address: "127.0.0.1:0" },
    ],
    plugins: [handlersPlugin("reads", {
      accept: (session) => void listeners.push(session.listener),
    })],
  });
  for (const init of [{}, { listener: "side" }]) {
    assertEquals(await (await t.request("http://x/", init)).text(), "hello");
  }
  assertEquals(listeners, ["web", "side"]);
  for (const listener of ["nobody", "raw"]) {
    await assertRejects(
      () => t.request("http://x/", { listener }),
      TypeError,
      listener,
    );
  }
});

Deno.test("request() rejects with the signal's reason, before and during", async () => {
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  await using backend = serveScript(async (connection) => {
    await connection.request();
    asked.resolve();
    await go.promise;
  });
  await using t = await withRequest({ backends: [backend.url] });
  const early = AbortSignal.abort(new RangeError("early"));
  await assertRejects(
    () => t.request("http://x/", { signal: early }),
    RangeError,
    "early",
  );
  const controller = new AbortController();
  const response = t.request("http://x/", { signal: controller.signal });
  await asked.promise;
  controller.abort(new RangeError("during"));
  await assertRejects(() => response, RangeError, "during");
  go.resolve();
  await t.tracer.seen("finish");
});

Deno.test("request() whose response is given up ends its session", async () => {
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.send(
      "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n",
    );
    try {
      for (;;) await connection.send("x".repeat(64 << 10));
    } catch {
      // The proxy ended the connection, as nobody wants the rest.
    }
  });
  await using t = await withRequest({ backends: [backend.url] });
  const response = await t.request("http://x/");
  await response.body!.cancel();
  await t.tracer.seen("finish");
});

Deno.test("request() that is given up ends its session, though its backend says nothing more", async () => {
  const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
  for (const [head, cancels] of [["", false], [HEAD, false], [HEAD, true]]) {
    const ended = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await using backend = serveScript(async (connection) => {
      await connection.request();
      await connection.send(head as string);
      asked.resolve();
      await connection.ended();
      ended.resolve();
    });
    await using t = await withRequest({ backends: [backend.url] });
    const controller = new AbortController();
    const sent = t.request("http://x/", { signal: controller.signal });
    await asked.promise;
    if (head === "") {
      controller.abort(new RangeError("over"));
      await assertRejects(() => sent, RangeError, "over");
    } else {
      const { body } = await sent;
      if (cancels) await body!.cancel();
      else {
        const reader = body!.getReader();
        await reader.read();
        const rest = reader.read();
        controller.abort(new RangeError("over"));
        await assertRejects(() => rest);
      }
    }
    await inTime("the backend is left", ended.promise);
    await t.tracer.seen("finish");
  }
});

Deno.test("request() where a handler closes: rejects", async () => {
  await using t = await withRequest({
    products: HELLO,
    plugins: [handlersPlugin("closes", ({ verdict }) => ({
      accept: (session) => session.internal ? verdict.close : undefined,
    }))],
  });
  await assertRejects(() => t.request("http://x/"), TypeError);
});

Deno.test("request() to what is no URL rejects", async () => {
  await using t = await withRequest({ products: HELLO });
  await assertRejects(() => t.request("no url"), TypeError);
});

Deno.test("a handler answers with what its own request brought", async () => {
  await using backend = serveEach((connection, { target }) =>
    connection.respond(200, `backend ${target}`)
  );
  const tracer = new Tracer();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [
      tracer.plugin,
      handlersPlugin("composes", ({ request, verdict }) => ({
        foundProduct: async ({ path, session }) =>
          session.internal
            ? undefined
            : verdict.respond(await request(`http://x/inner${path}`)),
      })),
    ],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get("/a")).text, "backend /inner/a");
  client.close();
  await tracer.seen("finish", 2);
  const events = tracer.take();
  assertEquals(events.filter((event) => event === "accept").length, 2);
  assertEquals(events.filter((event) => event === "forward 1").length, 1);
});

Deno.test("a plugin that asks itself for ever: ends with an error that says so", async () => {
  let calls = 0;
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [{
      ...handlersPlugin("endless", ({ request, verdict }) => ({
        foundProduct: async () => {
          calls++;
          // Whatever it waits for in between: what it is within goes along.
          await new Promise((resolve) => setTimeout(resolve, 1));
          return verdict.respond(await request("http://x/again"));
        },
      })),
      timeout: "10s",
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  for (let i = 1; i <= 2; i++) {
    const response = await inTime("an answer", client.get(), 30_000);
    assertEquals([response.status, calls], [500, 9 * i]);
  }
  assert(proxy.logged.some((line) => line.includes("within 8 others")));
  await eventually(
    "only the client's session is left",
    async () => (await proxy.report()).sessions.length === 1,
  );
});

Deno.test("transforms and streams that ask themselves for ever end, too", async () => {
  const { promise: refused, resolve: refuse } = Promise.withResolvers<Error>();
  let made = 0;
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [handlersPlugin("endless", ({ request }) => ({
      readResponse: (asked) => {
        asked!.transaction.transformResponse(() =>
          new TransformStream({
            async flush(controller) {
              made++;
              try {
                const inner = await request("http://x/again");
                controller.enqueue(new Uint8Array(await inner.arrayBuffer()));
              } catch (thrown) {
                refuse(thrown as Error);
              }
            },
          })
        );
      },
    }))],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "hello".repeat(9));
  assertEquals(made, 9);
  assert((await refused).message.includes("within 8 others"));
});

Deno.test("request(): each chain has a depth of its own, many at once are no loop", async () => {
  await using t = await withRequest({ products: HELLO });
  const responses = await Promise.all(
    Array.from({ length: 100 }, () => t.request("http://x/")),
  );
  for (const response of responses) {
    assertEquals(await response.text(), "hello");
  }
});

Deno.test("request() refuses the 1,001st at once, and takes more when one is over", async () => {
  const gate = Promise.withResolvers<void>();
  await using t = await withRequest({
    products: HELLO,
    plugins: [handlersPlugin("holds", {
      foundProduct: () => gate.promise as Promise<undefined>,
    })],
  });
  const open = Array.from({ length: 1_000 }, () => t.request("http://x/"));
  await assertRejects(() => t.request("http://x/"), TypeError, "1000");
  gate.resolve();
  for (const response of await Promise.all(open)) await response.text();
  assertEquals(await (await t.request("http://x/")).text(), "hello");
});

Deno.test("points of a request() that has no product", async () => {
  await using t = await withRequest({
    products: [{ name: "p", hosts: ["p"], rules: [{ cluster: "main" }] }],
  });
  assertEquals(
    (await (await t.request("http://x/")).text()).slice(0, 3),
    "404",
  );
  await t.tracer.seen("finish");
  assertEquals(t.tracer.take(), [
    "accept",
    "transactionStart",
    ...LOCATED.slice(0, 2),
    ...delivered(404),
    "finish",
  ]);
});
