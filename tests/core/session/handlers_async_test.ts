/**
 * Handlers that take their time: deadlines, signals, and what waits for them.
 *
 * @module
 */
import { verdicts } from "../../../core/verdict.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { eventually } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { startProxyWith } from "../../support/proxy_with.ts";
import { serveEach } from "../../support/scripted_backend.ts";
import { firing } from "../../support/signals.ts";
import { tracedProxy } from "../../support/traced_proxy.ts";
import { answered } from "../../support/tracer.ts";

const HELLO = [{
  name: "all",
  default: true,
  rules: [{ respond: { status: 200, body: "hello" } }],
}];

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

function serveOk() {
  return serveEach((connection) => connection.respond(200, "ok"));
}

Deno.test("async handlers at every point: the sequence stays", async () => {
  await using backend = serveOk();
  const ran: string[] = [];
  const slow = (name: string) => async () => {
    await new Promise((resolve) => setTimeout(resolve));
    ran.push(name);
    return undefined;
  };
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("slow", {
      accept: slow("accept"),
      transactionStart: slow("transactionStart"),
      readRequestHeader: slow("readRequestHeader"),
      beforeLocation: slow("beforeLocation"),
      foundProduct: slow("foundProduct"),
      afterLocation: slow("afterLocation"),
      cacheLookupComplete: slow("cacheLookupComplete"),
      forward: slow("forward"),
      resolve: slow("resolve"),
      sendRequestHeader: slow("sendRequestHeader"),
      readResponseHeader: slow("readResponseHeader"),
      readResponse: slow("readResponse"),
      sendResponseHeader: slow("sendResponseHeader"),
      requestFinish: slow("requestFinish"),
      transactionClose: slow("transactionClose"),
      finish: slow("finish"),
    })],
  });
  for (let i = 0; i < 2; i++) {
    assertEquals((await t.client.get()).text, "ok");
    await t.tracer.seen("transactionClose 200", i + 1);
  }
  const points = await t.finished();
  assertEquals(points, [
    "accept",
    ...answered(200),
    ...answered(200),
    "finish",
  ]);
});

Deno.test("a verdict that comes later counts as one that comes at once", async () => {
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [handlersPlugin("later", ({ verdict }) => ({
      foundProduct: async () => {
        await Promise.resolve();
        return verdict.respond({ status: 418, body: "later" });
      },
    }))],
  });
  using client = await HttpClient.connect(proxy.port());
  const response = await client.get();
  assertEquals([response.status, response.text], [418, "later"]);
});

Deno.test("a handler that is late: 500, its signal fires, both are told and counted", async () => {
  const reason = Promise.withResolvers<unknown>();
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [{
      ...handlersPlugin("late", {
        foundProduct: async (request) => {
          reason.resolve(await firing(request.signal));
          return undefined;
        },
      }),
      timeout: "50ms",
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).status, 500);
  assertEquals(
    (await reason.promise as { code: string }).code,
    "handler_timeout",
  );
  const log = proxy.logged.find((line) => line.includes("A handler failed"));
  assert(log !== undefined);
  assert(log.includes("foundProduct") && log.includes('"late"'), log);
});

Deno.test("a handler that is late with onError ignore: the request goes on", async () => {
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [{
      ...handlersPlugin("late", {
        foundProduct: async (request) => {
          await firing(request.signal);
          return undefined;
        },
      }),
      timeout: "50ms",
      onError: "ignore",
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "hello");
});

Deno.test("what a late handler answers in the end is not heard", async () => {
  const answer = Promise.withResolvers<void>();
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [{
      ...handlersPlugin("late", ({ verdict }) => ({
        foundProduct: async () => {
          await answer.promise;
          return verdict.respond({ status: 418 });
        },
      })),
      timeout: "50ms",
      onError: "ignore",
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "hello");
  answer.resolve();
  await answer.promise;
});

Deno.test("requestFinish delays the next request, transactionClose does not", async () => {
  const finishing = Promise.withResolvers<void>();
  const closing = Promise.withResolvers<void>();
  await using t = await tracedProxy({
    products: HELLO,
    plugins: [handlersPlugin("slow", {
      requestFinish: async (request) => {
        if (request!.transaction.number === 1) await finishing.promise;
        return undefined;
      },
      transactionClose: async (transaction) => {
        if (transaction.number === 1) await closing.promise;
        return undefined;
      },
    })],
  });
  await t.client.send(GET + GET);
  assertEquals((await t.client.response()).status, 200);
  await t.tracer.seen("requestFinish 200");
  // The second request came with the first, and has to wait.
  assertEquals(t.tracer.events.at(-1), "requestFinish 200");
  finishing.resolve();
  assertEquals((await t.client.response()).status, 200);
  await t.tracer.seen("transactionClose 200", 2);
  closing.resolve();
});

Deno.test("finish delays nothing: the connection is closed before", async () => {
  const go = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  await using proxy = await startProxyWith({
    products: HELLO,
    plugins: [handlersPlugin("slow", {
      finish: async () => {
        await go.promise;
        ended.resolve();
        return undefined;
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assertEquals((await client.response()).status, 200);
  await client.end();
  go.resolve();
  await ended.promise;
});

Deno.test("a handler that is late at transactionClose is told of, nothing more", async () => {
  await using t = await tracedProxy({
    products: HELLO,
    plugins: [{
      ...handlersPlugin("late", {
        transactionClose: async (transaction) => {
          await firing(transaction.signal);
          return undefined;
        },
      }),
      timeout: "50ms",
    }],
  });
  assertEquals((await t.client.get()).status, 200);
  assertEquals((await t.client.get()).status, 200);
  await eventually(
    "both failures in the log",
    () =>
      t.proxy.logged.filter((line) => line.includes("A handler failed"))
        .length === 2,
  );
});

Deno.test("views can be read in an async handler, also at transactionClose", async () => {
  await using backend = serveEach((connection) =>
    connection.send(
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-From: backend\r\n\r\n",
    )
  );
  const read = Promise.withResolvers<unknown[]>();
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("reads", {
      transactionClose: async (transaction) => {
        const { request, response } = transaction;
        if (transaction.number > 1) return;
        await t.tracer.seen("transactionClose 200", 2);
        read.resolve([
          request?.path,
          request?.headers.get("host"),
          response?.headers.get("x-from"),
          transaction.attempts[0]?.connection?.reused,
        ]);
      },
    })],
  });
  await t.client.get("/first", "first.example");
  await t.client.get("/second", "second.example");
  assertEquals(await read.promise, [
    "/first",
    "first.example",
    "backend",
    false,
  ]);
});

for (
  const { what, answer } of [
    { what: "goes on", answer: () => undefined },
    { what: "closes", answer: () => verdicts.close },
    {
      what: "throws",
      answer: () => {
        throw new Error("too late");
      },
    },
  ]
) {
  Deno.test(`a stop while accept's handler works, which then ${what}: the session ends once`, async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<void>();
    let count = 0;
    const proxy = await startProxyWith({
      products: HELLO,
      plugins: [handlersPlugin("slow", {
        accept: async () => {
          begun.resolve();
          await go.promise;
          return answer();
        },
        finish: () => {
          count++;
          finished.resolve();
          return undefined;
        },
      })],
    });
    using client = await HttpClient.connect(proxy.port());
    await begun.promise;
    const stopped = proxy[Symbol.asyncDispose]();
    assert(await client.ended());
    go.resolve();
    await finished.promise;
    await stopped;
    assertEquals(count, 1);
  });
}

Deno.test("a handler's deadline does not end another one that works at the same time", async () => {
  await using backend = serveOk();
  const go = Promise.withResolvers<void>();
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [
      {
        ...handlersPlugin("late", {
          forward: async (request) => {
            await firing(request.signal);
            return undefined;
          },
        }),
        timeout: "50ms",
        onError: "ignore",
      },
      handlersPlugin("slow", {
        resolve: async () => {
          await go.promise;
          return undefined;
        },
      }),
    ],
  });
  await t.client.send(GET);
  await t.tracer.seen("resolve 1");
  go.resolve();
  assertEquals((await t.client.response()).text, "ok");
  assertEquals(await t.finished(), ["accept", ...answered(200), "finish"]);
});
