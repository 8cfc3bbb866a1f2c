/**
 * The exact sequence of callback points, told by a tracing plugin: requests
 * that go well, requests that Headrace answers itself, TCP connections.
 *
 * @module
 */
import { assert, assertEquals } from "../../support/assert.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { serveEach, serveScript } from "../../support/scripted_backend.ts";
import { echo, serveTcpBackend } from "../../support/tcp_backend.ts";
import { tracedProxy } from "../../support/traced_proxy.ts";
import {
  answered,
  attempt,
  delivered,
  LOCATED,
  unparsed,
} from "../../support/tracer.ts";

function serveHello() {
  return serveEach((connection, { method }) =>
    method === "HEAD"
      ? connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
      : connection.respond(200, "hello")
  );
}

Deno.test("points of a plain GET", async () => {
  await using backend = serveHello();
  await using t = await tracedProxy({ backends: [backend.url] });
  assertEquals((await t.client.get()).text, "hello");
  assertEquals(await t.finished(), ["accept", ...answered(200), "finish"]);
});

Deno.test("points of three GETs on one connection", async () => {
  await using backend = serveHello();
  await using t = await tracedProxy({ backends: [backend.url] });
  for (let i = 0; i < 3; i++) {
    assertEquals((await t.client.get(`/${i}`)).status, 200);
  }
  t.client.close();
  await t.tracer.seen("finish");
  assertEquals(backend.accepted, 1);
  assertEquals(t.tracer.take(), [
    "accept",
    ...answered(200),
    ...answered(200),
    ...answered(200),
    "finish",
  ]);
});

Deno.test("points of pipelined GETs come one request after another", async () => {
  await using backend = serveEach((connection, { target }) =>
    connection.respond(200, target)
  );
  await using t = await tracedProxy({ backends: [backend.url] });
  const one = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  await t.client.send(one("/1") + one("/2") + one("/3"));
  for (const path of ["/1", "/2", "/3"]) {
    assertEquals((await t.client.response()).text, path);
  }
  assertEquals(await t.finished(), [
    "accept",
    ...answered(200),
    ...answered(200),
    ...answered(200),
    "finish",
  ]);
});

Deno.test("points of a POST with 100-continue: readResponseHeader for each head", async () => {
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 100 Continue\r\n\r\n");
    await connection.respond(200, await connection.body(4));
    await connection.ended();
  });
  await using t = await tracedProxy({ backends: [backend.url] });
  await t.client.send(
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
  );
  assertEquals((await t.client.response()).status, 100);
  await t.client.send("body");
  assertEquals((await t.client.response()).text, "body");
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    "readResponseHeader 1:100",
    "readResponseHeader 1:200",
    ...delivered(200),
    "finish",
  ]);
});

Deno.test("points of an early hint: the interim response passes no other point", async () => {
  await using backend = serveEach(async (connection) => {
    await connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    await connection.respond(200, "x");
  });
  await using t = await tracedProxy({ backends: [backend.url] });
  await t.client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const hint = await t.client.response();
  assertEquals([hint.status, hint.headers.get("link")], [103, "</a>"]);
  assertEquals((await t.client.response()).status, 200);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    "readResponseHeader 1:103",
    "readResponseHeader 1:200",
    ...delivered(200),
    "finish",
  ]);
});

Deno.test("points of a HEAD", async () => {
  await using backend = serveHello();
  await using t = await tracedProxy({ backends: [backend.url] });
  await t.client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  const response = await t.client.response({ head: true });
  assertEquals(response.headers.get("content-length"), "5");
  // The connection is in step: no byte of a body came.
  assertEquals((await t.client.get()).text, "hello");
  assertEquals(await t.finished(), [
    "accept",
    ...answered(200),
    ...answered(200),
    "finish",
  ]);
});

Deno.test("points of an unknown host: 404, no foundProduct", async () => {
  await using t = await tracedProxy({
    products: [{
      name: "shop",
      hosts: ["shop.example"],
      rules: [{ cluster: "main" }],
    }],
  });
  assertEquals((await t.client.get("/", "other.example")).status, 404);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    "readRequestHeader",
    "beforeLocation",
    ...delivered(404),
    "finish",
  ]);
});

Deno.test("points where no rule matches: 404, no afterLocation", async () => {
  await using t = await tracedProxy({
    products: [{
      name: "shop",
      default: true,
      rules: [{ when: 'req_path_in("/a", false)', cluster: "main" }],
    }],
  });
  assertEquals((await t.client.get("/b")).status, 404);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    "readRequestHeader",
    "beforeLocation",
    "foundProduct",
    ...delivered(404),
    "finish",
  ]);
});

for (
  const { rule, status } of [
    { rule: { redirect: { to: "/new", status: 308 } }, status: 308 },
    { rule: { respond: { status: 410, body: "gone\n" } }, status: 410 },
  ]
) {
  Deno.test(`points of a rule that answers ${status}: no afterLocation`, async () => {
    await using t = await tracedProxy({
      products: [{ name: "shop", default: true, rules: [rule] }],
    });
    const response = await t.client.get();
    assertEquals(response.status, status);
    if (status === 308) {
      assertEquals(response.headers.get("location"), "/new");
    } else {
      assertEquals(response.text, "gone\n");
    }
    // The connection stays.
    assertEquals((await t.client.get()).status, status);
    const one = [
      "transactionStart",
      "readRequestHeader",
      "beforeLocation",
      "foundProduct",
      ...delivered(status),
    ];
    assertEquals(await t.finished(), ["accept", ...one, ...one, "finish"]);
  });
}

Deno.test("points without a backend: 503, no forward", async () => {
  await using t = await tracedProxy({ backends: [] });
  assertEquals((await t.client.get()).status, 503);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...delivered(503),
    "finish",
  ]);
});

for (
  const { what, bytes } of [
    { what: "a bad request line", bytes: "GET\r\n\r\n" },
    { what: "a request without Host", bytes: "GET / HTTP/1.1\r\n\r\n" },
    {
      what: "two lengths",
      bytes:
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    },
  ]
) {
  Deno.test(`points of a malformed request (${what}): 400, and the end`, async () => {
    await using t = await tracedProxy({ backends: [] });
    await t.client.send(bytes);
    const response = await t.client.response();
    assertEquals(response.status, 400);
    assertEquals(response.headers.get("connection"), "close");
    await t.client.end();
    assertEquals(await t.finished(), [
      "accept",
      "transactionStart",
      ...unparsed(400),
      "finish",
    ]);
  });
}

Deno.test("points of a head that ends half-way: 400", async () => {
  await using t = await tracedProxy({ backends: [] });
  await t.client.send("GET / HTTP/1.1\r\nHost: x\r\n");
  await t.client.conn.closeWrite();
  assertEquals((await t.client.response()).status, 400);
  await t.client.end();
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...unparsed(400),
    "finish",
  ]);
});

Deno.test("points of a head that comes too slowly: 408", async () => {
  await using t = await tracedProxy({
    listener: { timeouts: { header: "100ms" } },
  });
  await t.client.send("GET / HTTP/1.1\r\nHost: x\r\n");
  assertEquals((await t.client.response()).status, 408);
  await t.client.end();
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...unparsed(408),
    "finish",
  ]);
});

Deno.test("points of empty lines before a request: they start no transaction", async () => {
  await using t = await tracedProxy({ backends: [] });
  await t.client.send("\r\n\r\n");
  await t.client.conn.closeWrite();
  await t.client.end();
  assertEquals(await t.finished(), ["accept", "finish"]);
});

Deno.test("points of an upgrade: 18 and 19 fire when the tunnel ends", async () => {
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
    );
    await connection.send(`got ${await connection.body(2)}`);
    await connection.ended();
  });
  await using t = await tracedProxy({ backends: [backend.url] });
  await t.client.send(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
  );
  assertEquals((await t.client.response()).status, 101);
  await t.client.send("hi");
  const buffer = new Uint8Array(6);
  for (let at = 0; at < 6;) {
    at += await t.client.conn.read(buffer.subarray(at)) ?? 6;
  }
  assertEquals(new TextDecoder().decode(buffer), "got hi");
  assertEquals(t.tracer.take(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    "readResponseHeader 1:101",
    "readResponse 101",
    "sendResponseHeader 101",
  ]);
  await t.client.conn.closeWrite();
  await t.client.end();
  assertEquals(await t.finished(), [
    "requestFinish 101",
    "transactionClose 101",
    "finish",
  ]);
});

Deno.test("points of a TCP connection: accept and finish", async () => {
  await using backend = serveTcpBackend(echo);
  await using t = await tracedProxy({
    listener: { protocol: "tcp", cluster: "main" },
    backends: [backend.url],
  });
  await t.client.send("hello");
  const buffer = new Uint8Array(5);
  assertEquals(await t.client.conn.read(buffer), 5);
  assertEquals(t.tracer.take(), ["accept"]);
  await t.client.conn.closeWrite();
  await t.client.end();
  assertEquals(await t.finished(), ["finish"]);
});

Deno.test("points of a TCP connection without a backend: accept and finish with the failure", async () => {
  let code: string | undefined;
  await using t = await tracedProxy({
    listener: { protocol: "tcp", cluster: "main" },
    plugins: [handlersPlugin("errors", {
      finish: (session) => {
        code = session.error?.code;
      },
    })],
  });
  assert(await t.client.ended());
  assertEquals(await t.finished(), ["accept", "finish"]);
  assertEquals(code, "no_backend");
});

Deno.test("points of a connection that asks nothing: accept and finish", async () => {
  await using t = await tracedProxy({ backends: [] });
  await t.tracer.seen("accept");
  assertEquals(await t.finished(), ["accept", "finish"]);
});

Deno.test("points of a connection beyond connectionsPerAddress: finish only", async () => {
  const codes: (string | undefined)[] = [];
  await using t = await tracedProxy({
    backends: [],
    listener: { limits: { connectionsPerAddress: 1 } },
    plugins: [handlersPlugin("errors", {
      finish: (session) => {
        codes.push(session.error?.code);
      },
    })],
  });
  assertEquals((await t.client.get()).status, 503);
  t.tracer.take();
  using second = await HttpClient.connect(t.proxy.port());
  assert(await second.ended());
  assertEquals(await t.finished(), ["finish"]);
  assertEquals(codes, ["too_many_connections"]);
});
