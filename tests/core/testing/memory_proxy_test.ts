import type { Handlers, Plugin } from "../../../core/plugin.ts";
import {
  FakeClock,
  proxyInMemory,
  RefusedError,
} from "../../../core/testing.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../support/assert.ts";

function withHandlers(handlers: Handlers): { plugin: Plugin } {
  return { plugin: { name: "tested", setup: () => ({ handlers }) } };
}

Deno.test("proxyInMemory: a request passes every point of a transaction, without a socket", async () => {
  const points: string[] = [];
  const note = (point: string) => () => {
    points.push(point);
    return undefined;
  };
  const handlers: Handlers = {
    accept: note("accept"),
    transactionStart: note("transactionStart"),
    readRequestHeader: note("readRequestHeader"),
    beforeLocation: note("beforeLocation"),
    foundProduct: note("foundProduct"),
    afterLocation: note("afterLocation"),
    forward: note("forward"),
    resolve: note("resolve"),
    sendRequestHeader: note("sendRequestHeader"),
    readResponseHeader: note("readResponseHeader"),
    readResponse: note("readResponse"),
    sendResponseHeader: note("sendResponseHeader"),
    requestFinish: note("requestFinish"),
    transactionClose: note("transactionClose"),
    finish: note("finish"),
  };
  await using proxy = await proxyInMemory({
    plugins: [withHandlers(handlers)],
  });
  const response = await proxy.fetch("/path?q=1");
  assertEquals([response.status, await response.text()], [
    200,
    "GET /path?q=1",
  ]);
  await proxy[Symbol.asyncDispose]();
  assertEquals(points, Object.keys(handlers));
});

Deno.test("proxyInMemory: bodies and fields go there and back, of any size", async () => {
  const body = "x".repeat(300_000);
  await using proxy = await proxyInMemory({
    plugins: [withHandlers({
      readResponse: (_request, response) => {
        response.headers.set("x-plugin", "was here");
      },
    })],
    backend: async (request) =>
      new Response(await request.text(), {
        status: 201,
        headers: { "x-got": request.headers.get("x-sent") ?? "" },
      }),
  });
  for (const text of [body, ""]) {
    const response = await proxy.fetch("/", {
      method: "POST",
      body: text,
      headers: { "x-sent": "there" },
    });
    assertEquals(
      [
        response.status,
        response.headers.get("x-got"),
        response.headers.get("x-plugin"),
        await response.text(),
      ],
      [201, "there", "was here", text],
    );
  }
  const head = await proxy.fetch("/", { method: "HEAD" });
  assertEquals([head.status, await head.text()], [201, ""]);
});

Deno.test("proxyInMemory: handlers see the client that the test names", async () => {
  await using proxy = await proxyInMemory({
    plugins: [{
      plugin: {
        name: "who",
        setup: ({ verdict }) => ({
          handlers: {
            foundProduct: ({ clientAddress, host, session }) =>
              verdict.respond({
                status: 200,
                body: `${clientAddress} ${host} ${session.internal}`,
              }),
          },
        }),
      },
    }],
  });
  const plain = await proxy.fetch("/");
  assertEquals(await plain.text(), "192.0.2.1 example.com false");
  const named = await proxy.fetch("http://shop.test/", {
    client: "198.51.100.7",
  });
  assertEquals(await named.text(), "198.51.100.7 shop.test false");
});

Deno.test("proxyInMemory: a backend that dies is 502, and what it threw is in the log", async () => {
  await using proxy = await proxyInMemory({
    plugins: [],
    backend: () => {
      throw new Error("out of order");
    },
    config: {
      clusters: [{
        name: "main",
        backends: [{ url: "http://backend.test:80" }],
        retries: { max: 0 },
      }],
    },
  });
  const response = await proxy.fetch("/");
  await response.body?.cancel();
  assertEquals(response.status, 502);
  assertStringIncludes(proxy.logged.join("\n"), "out of order");
});

Deno.test("proxyInMemory: a handler that closes leaves no answer", async () => {
  await using proxy = await proxyInMemory({
    plugins: [{
      plugin: {
        name: "closer",
        setup: ({ verdict }) => ({
          handlers: { foundProduct: () => verdict.close },
        }),
      },
    }],
  });
  await assertRejects(() => proxy.fetch("/"), TypeError);
});

Deno.test("proxyInMemory: the config's keys, options and scopes hold, metrics count", async () => {
  const plugin: Plugin<string> = {
    name: "marker",
    setup: ({ options, metrics }) => {
      const seen = metrics.counter("seen_total", "Requests seen");
      return {
        handlers: {
          readResponse: (_request, response) => {
            seen.add();
            response.headers.append("x-mark", options);
          },
        },
      };
    },
  };
  await using proxy = await proxyInMemory({
    plugins: [
      { plugin, options: "second", entry: { order: 2, name: "b" } },
      { plugin, options: "first", entry: { order: 1, name: "a" } },
      { plugin, options: "never", entry: { products: ["shop"], name: "c" } },
    ],
    config: {
      products: [
        { name: "shop", hosts: ["shop.test"], rules: [{ cluster: "main" }] },
        { name: "rest", default: true, rules: [{ cluster: "main" }] },
      ],
    },
  });
  const response = await proxy.fetch("/");
  await response.body?.cancel();
  assertEquals(response.headers.get("x-mark"), "first, second");
  assertStringIncludes(await proxy.metrics(), "seen_total");
});

Deno.test("proxyInMemory: time is the test's", async () => {
  const clock = new FakeClock();
  const asked = Promise.withResolvers<void>();
  await using proxy = await proxyInMemory({
    clock,
    plugins: [{
      plugin: {
        name: "slow",
        setup: () => ({
          handlers: {
            foundProduct: () => {
              asked.resolve();
              return new Promise<undefined>(() => {});
            },
          },
        }),
      },
      entry: { timeout: "5s" },
    }],
  });
  const answer = proxy.fetch("/");
  await asked.promise;
  clock.advance(6_000);
  const response = await answer;
  await response.body?.cancel();
  assertEquals(response.status, 500);
});

Deno.test("proxyInMemory: what a start would refuse is refused", async () => {
  const setup = () => ({});
  const refusals = [
    { plugins: [{ plugin: { name: "a", setup }, entry: { ordr: 1 } }] },
    {
      plugins: [{
        plugin: {
          name: "a",
          setup: () => {
            throw new Error("not today");
          },
        },
      }],
    },
    {
      plugins: [{
        plugin: {
          name: "a",
          setup: () => ({ handlers: { accept: () => undefined } }),
        },
        entry: { products: ["default"] },
      }],
    },
  ];
  for (const options of refusals) {
    const error = await assertRejects(
      () => proxyInMemory(options),
      RefusedError,
    );
    assert(error.problems.length > 0);
  }
});
