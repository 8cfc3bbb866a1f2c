/**
 * Bodies through plugins' transforms, and what is left of the message around them.
 *
 * @module
 */
import type { BodyTransform, TransformOptions } from "../../core/plugin.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { runHostile } from "../support/hostile_transforms.ts";
import { type ClientResponse, HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveEach, serveScript } from "../support/scripted_backend.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What is in upper case behind it, with a `!` at its end. */
function shout(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform: (chunk, controller) =>
      controller.enqueue(encoder.encode(decoder.decode(chunk).toUpperCase())),
    flush: (controller) => controller.enqueue(encoder.encode("!")),
  });
}

/** A plugin that registers them at readResponse. */
function onResponse(
  ...transforms: [BodyTransform, TransformOptions?][]
): { readonly use: string } {
  return handlersPlugin("transformer", {
    readResponse: (request) => {
      for (const [transform, options] of transforms) {
        request!.transaction.transformResponse(transform, options);
      }
    },
  });
}

async function get(
  port: number,
  fields = "",
  method = "GET",
): Promise<ClientResponse> {
  using client = await HttpClient.connect(port);
  await client.send(`${method} / HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
  return await client.response();
}

Deno.test("transformResponse: the body changes, and the fields that told of its bytes", async () => {
  await using backend = serveHttpBackend(() =>
    new Response("hello", {
      headers: {
        etag: '"v1"',
        "accept-ranges": "bytes",
        "content-digest": "sha-256=:x:",
      },
    })
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [onResponse([shout])],
  });
  const { status, headers, text } = await get(proxy.port());
  assertEquals([status, text], [200, "HELLO!"]);
  assertEquals(
    [
      "etag",
      "accept-ranges",
      "content-digest",
      "content-length",
      "transfer-encoding",
    ].map((name) => headers.get(name)),
    ['W/"v1"', null, null, null, "chunked"],
  );
});

Deno.test("transformResponse: a declared length is sent, and a chain runs in its order", async () => {
  await using backend = serveHttpBackend(() => new Response("hello"));
  const dots = () =>
    new TransformStream<Uint8Array, Uint8Array>({
      flush: (controller) => controller.enqueue(encoder.encode("...")),
    });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [onResponse([shout], [dots, { length: 9 }])],
  });
  const { headers, text } = await get(proxy.port());
  assertEquals([text, headers.get("content-length")], ["HELLO!...", "9"]);
});

Deno.test("transformResponse: HEAD and 304 have the fields only, 204, 206 and no-transform stay as they are", async () => {
  await using backend = serveHttpBackend((request) => {
    const status = Number(request.headers.get("x-status") ?? 200);
    const none = status === 304 || status === 204;
    return new Response(none ? null : "hello", {
      status,
      headers: {
        etag: '"v1"',
        ...(request.headers.has("x-no") &&
          { "cache-control": "public, no-transform" }),
        ...(status === 206 && { "content-range": "bytes 0-4/10" }),
      },
    });
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [onResponse([shout])],
  });
  const cases: [string, string, string | null, string][] = [
    ["HEAD", "", 'W/"v1"', ""],
    ["GET", "X-Status: 304\r\n", 'W/"v1"', ""],
    ["GET", "X-Status: 204\r\n", '"v1"', ""],
    ["GET", "X-Status: 206\r\n", '"v1"', "hello"],
    ["GET", "X-No: 1\r\n", '"v1"', "hello"],
    ["GET", "Cache-Control: no-transform\r\n", '"v1"', "hello"],
  ];
  for (const [method, fields, etag, text] of cases) {
    using client = await HttpClient.connect(proxy.port());
    await client.send(`${method} / HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
    const response = await client.response({ head: method === "HEAD" });
    assertEquals([response.headers.get("etag"), response.text], [etag, text]);
  }
});

/** Transforms that fail before anything came out of them. */
const EARLY: Record<string, () => TransformStream<Uint8Array, Uint8Array>> = {
  "throws at the first chunk": () =>
    new TransformStream({
      transform: () => {
        throw new Error("no");
      },
    }),
  "throws in start": () =>
    new TransformStream({
      start: (controller) => controller.error(new Error("no")),
    }),
  "gives no bytes": () =>
    new TransformStream({
      transform: (_, controller) =>
        controller.enqueue("text" as unknown as Uint8Array),
    }),
  "stands still": () =>
    new TransformStream({ transform: () => new Promise(() => {}) }),
};

for (const [what, make] of Object.entries(EARLY)) {
  Deno.test(`transformResponse: one that ${what}: 500, and the connection goes on`, async () => {
    await using backend = serveHttpBackend(() => new Response("hello"));
    await using proxy = await startProxyWith({
      backends: [backend.url],
      plugins: [{ ...onResponse([make]), timeout: "200ms" }],
    });
    using client = await HttpClient.connect(proxy.port());
    assertEquals((await client.get()).status, 500);
    assertEquals((await client.get()).status, 500);
    const { metrics } = await proxy.report();
    assertEquals(
      metricValue(metrics, "headrace_handler_errors_total", {
        plugin: "transformer",
        point: "readResponse",
      }),
      2,
    );
  });
}

Deno.test("transformResponse: one that fails within the body breaks the response off, no later one gets its bytes", async () => {
  await using backend = serveHttpBackend(() => new Response("hello"));
  const late: [BodyTransform, TransformOptions?][] = [
    [() =>
      new TransformStream({
        transform: (chunk, controller) => controller.enqueue(chunk),
        flush: () => {
          throw new Error("at the end");
        },
      })],
    [() => new TransformStream(), { length: 4 }],
    [() => new TransformStream(), { length: 6 }],
  ];
  for (const each of late) {
    await using proxy = await startProxyWith({
      backends: [backend.url],
      plugins: [onResponse(each)],
    });
    using client = await HttpClient.connect(proxy.port());
    let broken = false;
    try {
      const { status } = await client.get();
      broken = status === 500;
    } catch {
      broken = true;
    }
    assert(broken);
  }
});

Deno.test("transformResponse: one that ends early is a complete message of its own length", async () => {
  await using backend = serveHttpBackend(() =>
    new Response("x".repeat(1 << 20))
  );
  const first = () =>
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        controller.enqueue(chunk.slice(0, 3));
        controller.terminate();
      },
    });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [onResponse([first])],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "xxx");
  assertEquals((await client.get()).text, "xxx");
});

Deno.test("transformResponse: registered too late it throws", async () => {
  const thrown: string[] = [];
  await using backend = serveHttpBackend(() => new Response("hello"));
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [
      handlersPlugin("late", {
        sendResponseHeader: (request) => {
          try {
            request!.transaction.transformResponse(shout);
          } catch (error) {
            thrown.push((error as Error).message);
          }
        },
      }),
    ],
  });
  assertEquals((await get(proxy.port())).text, "hello");
  assert(thrown[0]!.includes("its head is out"), thrown[0]);
});

Deno.test("transformRequest: the backend gets what comes out, in chunks or of the declared length", async () => {
  await using backend = serveHttpBackend(async (request) =>
    new Response(
      `${request.headers.get("content-length")} ${await request.text()}`,
    )
  );
  for (
    const [options, text] of [[undefined, "null HELLO!"], [
      { length: 6 },
      "6 HELLO!",
    ]] as const
  ) {
    await using proxy = await startProxyWith({
      backends: [backend.url],
      plugins: [
        handlersPlugin("up", {
          afterLocation: (request) => {
            request.transaction.transformRequest(shout, options);
          },
        }),
      ],
    });
    using client = await HttpClient.connect(proxy.port());
    for (let i = 0; i < 2; i++) {
      await client.send(
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
      );
      assertEquals((await client.response()).text, text);
    }
    assertEquals((await client.get()).text, "null ");
  }
});

Deno.test("transformRequest: what told of other bytes goes, for the backend only", async () => {
  const digests = ["content-md5", "digest", "content-digest", "repr-digest"];
  const names = [...digests, "x-other"];
  await using backend = serveHttpBackend((request) =>
    new Response(names.filter((name) => request.headers.has(name)).join())
  );
  let left: string[] = [];
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [
      handlersPlugin("up", {
        afterLocation: (request) => {
          if (request.path === "/") request.transaction.transformRequest(shout);
        },
        requestFinish: (request) => {
          left = names.filter((name) => request!.headers.has(name));
        },
      }),
    ],
  });
  using client = await HttpClient.connect(proxy.port());
  for (const [path, text] of [["/", "x-other"], ["/as-is", names.join()]]) {
    await client.send(
      `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n${
        names.map((name) => `${name}: sha-256=:eA==:\r\n`).join("")
      }\r\nhello`,
    );
    assertEquals((await client.response()).text, text);
    assertEquals(left, names);
  }
});

Deno.test("transformRequest: made anew for each attempt; a stream can't be used twice", async () => {
  for (const [again, status] of [[true, 200], [false, 502]] as const) {
    await using dying = serveScript(async (connection) => {
      await connection.request();
    });
    await using well = serveEach(async (connection) => {
      await connection.respond(200, await connection.body(6));
    });
    await using proxy = await startProxyWith({
      backends: [dying.url, well.url],
      plugins: [
        handlersPlugin("up", {
          afterLocation: (request) => {
            request.transaction.transformRequest(again ? shout : shout(), {
              length: 6,
            });
          },
        }),
      ],
    });
    using client = await HttpClient.connect(proxy.port());
    await client.send(
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    );
    const response = await client.response();
    assertEquals(response.status, status);
    if (again) assertEquals(response.text, "HELLO!");
  }
});

Deno.test("transforms: what an attempt's handler registers is for that attempt", async () => {
  await using dying = serveScript(async (connection) => {
    await connection.request();
  });
  await using well = serveHttpBackend(() => new Response("hello"));
  await using proxy = await startProxyWith({
    backends: [dying.url, well.url],
    plugins: [
      handlersPlugin("each", {
        sendRequestHeader: (request) => {
          request.transaction.transformResponse(shout);
        },
      }),
    ],
  });
  assertEquals((await get(proxy.port())).text, "HELLO!");
});

Deno.test("transforms: every misuse on kept connections, and no wrong byte on other requests", async () => {
  const { plain, broken } = await runHostile(600);
  assert(plain > 250 && broken > 0, `${plain} plain, ${broken} broken`);
});
