/**
 * Responses that handlers and rules make, as they reach the client.
 *
 * @module
 */
import type { HandlerResponse } from "../../../core/plugin.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inTime } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { startProxyWith } from "../../support/proxy_with.ts";
import { serveEach, serveScript } from "../../support/scripted_backend.ts";
import { tracedProxy } from "../../support/traced_proxy.ts";

/** A plugin that answers every request. */
function responder(
  make: (path: string) => HandlerResponse,
  point: "foundProduct" | "readResponse" = "foundProduct",
) {
  return handlersPlugin("responder", ({ verdict }) => ({
    [point]: (request: { readonly path: string }) =>
      verdict.respond(make(request.path)),
  }));
}

/** A client of a proxy that answers by `make`. */
async function clientOf(make: (path: string) => HandlerResponse) {
  const proxy = await startProxyWith({ plugins: [responder(make)] });
  const client = await HttpClient.connect(proxy.port());
  return {
    proxy,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

const ADDED: readonly string[] = ["content-length", "date"];

Deno.test("respond with text, bytes or nothing: the length is told", async () => {
  const bodies: readonly (string | Uint8Array | undefined)[] = [
    "grüße",
    new Uint8Array([104, 105]),
    undefined,
  ];
  await using t = await clientOf((path) => {
    const body = bodies[Number(path.slice(1))];
    return { status: 200, ...body !== undefined && { body } };
  });
  const answers: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    const { text, headers } = await t.client.get(`/${i}`);
    answers.push([
      text,
      headers.get("content-length"),
      headers.get("content-type"),
    ]);
  }
  assertEquals(answers, [
    ["grüße", "7", "text/plain; charset=utf-8"],
    ["hi", "2", null],
    ["", "0", null],
  ]);
});

Deno.test("respond with fields: as an object, with lists, as pairs", async () => {
  await using t = await clientOf((path) => ({
    status: 200,
    headers: path === "/object"
      ? { "x-a": "1", "set-cookie": ["a=1", "b=2"] }
      : [["x-a", "1"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
  }));
  for (const path of ["/object", "/pairs"]) {
    const { headers } = await t.client.get(path);
    assertEquals(headers.get("x-a"), "1");
    assertEquals(headers.getSetCookie(), ["a=1", "b=2"]);
  }
});

Deno.test("respond: fields that frame the message are Headrace's own", async () => {
  await using t = await clientOf(() => ({
    status: 200,
    headers: {
      "content-length": "99",
      "transfer-encoding": "gzip",
      connection: "close",
      "keep-alive": "timeout=1",
    },
    body: "hello",
  }));
  const { headers, text } = await t.client.get();
  assertEquals(text, "hello");
  assertEquals([...headers.keys()].filter((name) => !ADDED.includes(name)), [
    "content-type",
  ]);
  assertEquals((await t.client.get()).text, "hello");
});

Deno.test("respond with a web Response: once each, its cookies stay apart", async () => {
  await using t = await clientOf(() => {
    const response = new Response("from the web", { status: 201 });
    response.headers.append("set-cookie", "a=1");
    response.headers.append("set-cookie", "b=2");
    return response;
  });
  for (let i = 0; i < 2; i++) {
    const { status, text, headers } = await t.client.get();
    assertEquals([status, text], [201, "from the web"]);
    assertEquals(headers.getSetCookie(), ["a=1", "b=2"]);
    assertEquals(headers.get("transfer-encoding"), "chunked");
  }
});

Deno.test("respond with a web Response a second time: 500", async () => {
  const once = new Response("once");
  await using t = await clientOf(() => once);
  assertEquals((await t.client.get()).text, "once");
  assertEquals((await t.client.get()).status, 500);
});

Deno.test("respond with one object of text again and again", async () => {
  const answer = Object.freeze({ status: 200, body: "again" });
  await using t = await clientOf(() => answer);
  for (let i = 0; i < 3; i++) {
    assertEquals((await t.client.get()).text, "again");
  }
});

Deno.test("respond with a stream: in chunks, as it comes", async () => {
  const source = Promise.withResolvers<
    ReadableStreamDefaultController<Uint8Array>
  >();
  await using t = await clientOf(() => ({
    status: 200,
    body: new ReadableStream({ start: source.resolve }),
  }));
  await t.client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const controller = await source.promise;
  controller.enqueue(new TextEncoder().encode("one"));
  const buffer = new Uint8Array(1_000);
  let text = "";
  while (!text.endsWith("3\r\none\r\n")) {
    const count = await inTime("the first piece", t.client.conn.read(buffer));
    assert(count !== null);
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  controller.enqueue(new TextEncoder().encode("two!"));
  controller.close();
  text = "";
  while (!text.endsWith("0\r\n\r\n")) {
    text += new TextDecoder().decode(
      buffer.subarray(0, await t.client.conn.read(buffer) ?? 0),
    );
  }
  assertEquals(text, "4\r\ntwo!\r\n0\r\n\r\n");
});

Deno.test("respond with a stream that fails: the client can tell", async () => {
  await using t = await clientOf(() => ({
    status: 200,
    body: new ReadableStream({
      pull(controller) {
        controller.error(new Error("broken"));
      },
    }),
  }));
  await t.client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  let whole = true;
  try {
    await t.client.response();
  } catch {
    whole = false;
  }
  assert(!whole);
});

Deno.test("respond with a file", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "from a file");
    // A handler may be async; the file is Headrace's to close.
    await using proxy = await startProxyWith({
      plugins: [handlersPlugin("files", ({ verdict }) => ({
        foundProduct: async () =>
          verdict.respond({ status: 200, body: await Deno.open(path) }),
      }))],
    });
    using client = await HttpClient.connect(proxy.port());
    assertEquals((await client.get()).text, "from a file");
    await client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.response({ head: true });
    assertEquals((await client.get()).text, "from a file");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("respond to HEAD: the length is told, nothing follows, a stream is given up", async () => {
  const cancelled = Promise.withResolvers<void>();
  await using t = await clientOf((path) => ({
    status: 200,
    body: path === "/text"
      ? "hello"
      : new ReadableStream({ cancel: () => cancelled.resolve() }),
  }));
  await t.client.send("HEAD /text HTTP/1.1\r\nHost: x\r\n\r\n");
  const text = await t.client.response({ head: true });
  assertEquals(text.headers.get("content-length"), "5");
  await t.client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  const stream = await t.client.response({ head: true });
  assertEquals(stream.headers.get("content-length"), null);
  await cancelled.promise;
  assertEquals((await t.client.get("/text")).text, "hello");
});

Deno.test("respond to a HEAD that a handler made a GET: nothing follows all the same", async () => {
  await using proxy = await startProxyWith({
    plugins: [handlersPlugin("edits", ({ verdict }) => ({
      foundProduct: (request) => {
        if (request.method === "HEAD") request.method = "GET";
        return verdict.respond({ status: 200, body: "hello" });
      },
    }))],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  assertEquals((await client.response({ head: true })).status, 200);
  assertEquals((await client.get()).text, "hello");
});

Deno.test("Headrace's own 404 to a HEAD that a handler made a GET: nothing follows", async () => {
  await using proxy = await startProxyWith({
    products: [{ name: "p", hosts: ["p"], rules: [{ cluster: "main" }] }],
    plugins: [handlersPlugin("edits", {
      readRequestHeader: (request) => {
        request.method = "GET";
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  assertEquals((await client.response({ head: true })).status, 404);
  assertEquals((await client.get()).status, 404);
});

for (const status of [204, 304]) {
  Deno.test(`respond with ${status}: no body, no length, the connection is in step`, async () => {
    await using t = await clientOf((path) =>
      path === "/next" ? { status: 200, body: "next" } : { status }
    );
    const { headers } = await t.client.get();
    assertEquals(headers.get("content-length"), null);
    assertEquals(headers.get("transfer-encoding"), null);
    assertEquals((await t.client.get("/next")).text, "next");
  });

  Deno.test(`respond with ${status} and a body: the body is dropped`, async () => {
    await using t = await clientOf((path) =>
      path === "/next"
        ? { status: 200, body: "next" }
        : { status, body: "surplus" }
    );
    assertEquals((await t.client.get()).status, status);
    assertEquals((await t.client.get("/next")).text, "next");
  });
}

Deno.test("respond while a backend's response is at hand: the backend's is dropped", async () => {
  await using backend = serveEach((connection) =>
    connection.respond(200, "x".repeat(500_000))
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [responder(() => ({ status: 418, body: "mine" }), "readResponse")],
  });
  using client = await HttpClient.connect(proxy.port());
  for (let i = 0; i < 3; i++) {
    const { status, text } = await client.get();
    assertEquals([status, text], [418, "mine"]);
  }
});

Deno.test("redirect to what is not ASCII: encoded, what is encoded stays", async () => {
  await using proxy = await startProxyWith({
    plugins: [handlersPlugin("redirects", ({ verdict }) => ({
      foundProduct: () => verdict.redirect("/grüße €?a=%20b c"),
    }))],
  });
  using client = await HttpClient.connect(proxy.port());
  const { status, headers } = await client.get();
  assertEquals(status, 302);
  assertEquals(
    headers.get("location"),
    "/gr%C3%BC%C3%9Fe%20%E2%82%AC?a=%20b%20c",
  );
});

Deno.test("response.from: handler for a verdict's, proxy for a rule's and a failure's", async () => {
  const from: string[] = [];
  await using proxy = await startProxyWith({
    products: [
      {
        name: "rules",
        default: true,
        rules: [
          { when: 'req_path_in("/respond", false)', respond: { status: 200 } },
          { when: 'req_path_in("/redirect", false)', redirect: { to: "/" } },
          { cluster: "main" },
        ],
      },
    ],
    plugins: [handlersPlugin("reads", ({ verdict }) => ({
      foundProduct: (request) =>
        request.path === "/handler"
          ? verdict.respond({ status: 200 })
          : request.path === "/elsewhere"
          ? verdict.redirect("/")
          : undefined,
      readResponse: (_request, response) => void from.push(response.from),
    }))],
  });
  using client = await HttpClient.connect(proxy.port());
  const paths = ["/respond", "/redirect", "/503", "/handler", "/elsewhere"];
  for (const path of paths) await client.get(path);
  assertEquals(from, ["proxy", "proxy", "proxy", "handler", "handler"]);
});

// ------------------------------------------------------ unread request bodies

for (
  const { what, length, body, stays } of [
    { what: "that came", length: 5, body: "hello", stays: true },
    {
      what: "of 64 KiB",
      length: 64 << 10,
      body: "x".repeat(64 << 10),
      stays: true,
    },
    { what: "beyond 64 KiB", length: (64 << 10) + 1, body: "x", stays: false },
  ]
) {
  Deno.test(`respond with an unread request body ${what}: the connection ${stays ? "stays" : "closes"}`, async () => {
    await using t = await clientOf(() => ({ status: 403, body: "no" }));
    await t.client.send(
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`,
    );
    const response = await t.client.response();
    assertEquals([response.status, response.text], [403, "no"]);
    assertEquals(response.headers.get("connection"), stays ? null : "close");
    if (stays) assertEquals((await t.client.get()).status, 403);
    else await t.client.end();
  });
}

Deno.test("respond before 100-continue: the client need not send its body, the connection closes", async () => {
  await using t = await clientOf(() => ({ status: 417 }));
  await t.client.send(
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
  );
  const response = await t.client.response();
  assertEquals(response.status, 417);
  assertEquals(response.headers.get("connection"), "close");
  await t.client.end();
});

for (const point of ["readResponseHeader", "readResponse"] as const) {
  Deno.test(`respond at ${point} while the request's body is on its way`, async () => {
    await using backend = serveScript(async (connection) => {
      await connection.request();
      // It has seen enough, and reads no more.
      await connection.respond(200, "early");
      await connection.ended();
    });
    await using t = await tracedProxy({
      backends: [backend.url],
      plugins: [handlersPlugin("judge", ({ verdict }) => ({
        [point]: () => verdict.respond({ status: 413, body: "too much" }),
      }))],
    });
    await t.client.send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n",
    );
    await t.client.send("x".repeat(100_000));
    const response = await t.client.response();
    assertEquals([response.status, response.text], [413, "too much"]);
    assertEquals(response.headers.get("connection"), "close");
    await t.client.end();
    const points = await t.finished();
    assertEquals(points.slice(-3), [
      "requestFinish 413",
      "transactionClose 413",
      "finish",
    ]);
  });
}
