/**
 * The exact sequence of callback points where backends fail, clients leave or
 * either dies half-way.
 *
 * @module
 */
import { assert, assertEquals } from "../../support/assert.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { ResettableConn } from "../../support/resettable_conn.ts";
import {
  type ScriptedConnection,
  serveEach,
  serveScript,
} from "../../support/scripted_backend.ts";
import { serveTcpBackend } from "../../support/tcp_backend.ts";
import { tracedProxy } from "../../support/traced_proxy.ts";
import { answered, attempt, delivered, LOCATED } from "../../support/tracer.ts";

/** A URL where nobody listens: at an address of its own, as a port may be somebody else's soon. */
async function refusingUrl(): Promise<string> {
  await using backend = serveTcpBackend(() => Promise.resolve());
  return `http://127.0.0.77:${backend.port}`;
}

/** The end of a transaction whose client is gone before a response was there. */
const GONE = ["requestFinish none", "transactionClose 499"];

Deno.test("points where the backend refuses: another one is tried, no sendRequestHeader for the first", async () => {
  await using backend = serveEach((connection) => connection.respond(200, "b"));
  await using t = await tracedProxy({
    backends: [await refusingUrl(), backend.url],
  });
  assertEquals((await t.client.get()).text, "b");
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    "forward 1",
    "resolve 1",
    ...attempt(2),
    "readResponseHeader 2:200",
    ...delivered(200),
    "finish",
  ]);
});

Deno.test("points where every backend refuses: 502 after three retries", async () => {
  const urls = Array.from({ length: 5 }, () => refusingUrl());
  await using t = await tracedProxy({ backends: await Promise.all(urls) });
  assertEquals((await t.client.get()).status, 502);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    "forward 1",
    "resolve 1",
    "forward 2",
    "resolve 2",
    "forward 3",
    "resolve 3",
    "forward 4",
    "resolve 4",
    ...delivered(502),
    "finish",
  ]);
});

Deno.test("points where the only backend refuses: 502 without a retry", async () => {
  await using t = await tracedProxy({ backends: [await refusingUrl()] });
  assertEquals((await t.client.get()).status, 502);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    "forward 1",
    "resolve 1",
    ...delivered(502),
    "finish",
  ]);
});

Deno.test("points of a POST whose first backend refuses: its body is whole, it is retried", async () => {
  await using backend = serveEach(async (connection) => {
    await connection.respond(200, await connection.body(4));
  });
  await using t = await tracedProxy({
    backends: [await refusingUrl(), backend.url],
  });
  await t.client.send(
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
  );
  assertEquals((await t.client.response()).text, "body");
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    "forward 1",
    "resolve 1",
    ...attempt(2),
    "readResponseHeader 2:200",
    ...delivered(200),
    "finish",
  ]);
});

for (
  const { where, sent } of [
    { where: "before the response's head", sent: "" },
    { where: "within the response's head", sent: "HTTP/1.1 200 OK\r\nConte" },
  ]
) {
  Deno.test(`points where a backend dies ${where}: another one answers what may be repeated`, async () => {
    await using backend = serveScript(async (connection) => {
      await connection.request();
      if (sent !== "") await connection.send(sent);
    });
    await using other = serveEach((connection) => connection.respond(200));
    await using t = await tracedProxy({ backends: [backend.url, other.url] });
    assertEquals((await t.client.get()).status, 200);
    assertEquals(await t.finished(), [
      "accept",
      "transactionStart",
      ...LOCATED,
      ...attempt(1),
      ...attempt(2),
      "readResponseHeader 2:200",
      ...delivered(200),
      "finish",
    ]);
  });

  Deno.test(`points where a backend dies ${where}: 502 for a POST, the connection stays`, async () => {
    await using backend = serveScript(async (connection) => {
      await connection.request();
      if (sent !== "") await connection.send(sent);
    });
    await using other = serveEach((connection) => connection.respond(200));
    await using t = await tracedProxy({ backends: [backend.url, other.url] });
    await t.client.send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    );
    assertEquals((await t.client.response()).status, 502);
    assertEquals((await t.client.get()).status, 200);
    assertEquals(await t.finished(), [
      "accept",
      "transactionStart",
      ...LOCATED,
      ...attempt(1),
      ...delivered(502),
      ...answered(200),
      "finish",
    ]);
  });
}

Deno.test("points where a backend dies within the body: the client's connection breaks off", async () => {
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  let code: string | undefined;
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("errors", {
      transactionClose: (transaction) => {
        code = transaction.error?.code;
      },
    })],
  });
  await t.client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  let failed = false;
  try {
    await t.client.response();
  } catch {
    failed = true;
  }
  assert(failed);
  assertEquals(await t.finished(), ["accept", ...answered(200), "finish"]);
  assertEquals(code, "response_truncated");
});

Deno.test("points where a backend takes too long: 504, no retry", async () => {
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.ended();
  });
  await using other = serveEach((connection) => connection.respond(200));
  await using t = await tracedProxy({
    backends: [backend.url, other.url],
    cluster: { timeouts: { response: "100ms" } },
  });
  assertEquals((await t.client.get()).status, 504);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    ...delivered(504),
    "finish",
  ]);
});

/** Answers the first request of its first connection, and dies when the second one comes. */
async function diesOnSecond(connection: ScriptedConnection): Promise<void> {
  await connection.request();
  await connection.respond(200, `connection ${connection.number}`);
  if (connection.number === 1) {
    await connection.request();
  } else {
    await connection.ended();
  }
}

Deno.test("points where a pooled connection is dead: a GET goes to a new one of the same backend", async () => {
  await using backend = serveScript(diesOnSecond);
  const used: string[] = [];
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("facts", {
      sendRequestHeader: (_request, attempt) => {
        used.push(`${attempt.backend} ${attempt.connection?.reused}`);
      },
    })],
  });
  assertEquals((await t.client.get()).text, "connection 1");
  assertEquals((await t.client.get()).text, "connection 2");
  assertEquals(used, ["a false", "a true", "a false"]);
  assertEquals(await t.finished(), [
    "accept",
    ...answered(200),
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    ...attempt(2),
    "readResponseHeader 2:200",
    ...delivered(200),
    "finish",
  ]);
});

for (
  const { what, request } of [
    {
      what: "a POST without a body",
      request: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    },
    {
      what: "a POST with a body",
      request: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
    },
  ]
) {
  Deno.test(`points where a pooled connection is dead: ${what} is not repeated`, async () => {
    await using backend = serveScript(diesOnSecond);
    await using t = await tracedProxy({ backends: [backend.url] });
    assertEquals((await t.client.get()).text, "connection 1");
    await t.client.send(request);
    assertEquals((await t.client.response()).status, 502);
    assertEquals(await t.finished(), [
      "accept",
      ...answered(200),
      "transactionStart",
      ...LOCATED,
      ...attempt(1),
      ...delivered(502),
      "finish",
    ]);
  });
}

for (
  const { what, request } of [
    { what: "GET", request: "GET / HTTP/1.1\r\nHost: x\r\n\r\n" },
    {
      what: "POST with a body",
      request: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    },
  ]
) {
  Deno.test(`points where the client of a ${what} resets while the backend works: 499, nothing is sent`, async () => {
    const asked = Promise.withResolvers<void>();
    const dropped = Promise.withResolvers<void>();
    await using backend = serveScript(async (connection) => {
      await connection.request();
      asked.resolve();
      await connection.ended();
      dropped.resolve();
    });
    await using t = await tracedProxy({ backends: [backend.url] });
    const conn = await ResettableConn.connect(t.proxy.port());
    using client = new HttpClient(conn);
    await client.send(request);
    await asked.promise;
    await conn.reset();
    await t.tracer.seen("finish");
    // The backend's connection is given up with it.
    await dropped.promise;
    assertEquals(t.tracer.take(), [
      "accept",
      "accept",
      "transactionStart",
      ...LOCATED,
      ...attempt(1),
      ...GONE,
      "finish",
    ]);
  });
}

Deno.test("points where the client resets while the response streams: what was sent counts", async () => {
  const dropped = Promise.withResolvers<void>();
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.send(
      "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
    );
    try {
      for (;;) await connection.send("x".repeat(64 << 10));
    } catch {
      dropped.resolve();
    }
  });
  const errors: (string | undefined)[] = [];
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("errors", {
      transactionClose: (transaction) => {
        errors.push(transaction.error?.code);
      },
    })],
  });
  const conn = await ResettableConn.connect(t.proxy.port());
  using client = new HttpClient(conn);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await conn.read(new Uint8Array(1_000));
  await conn.reset();
  await t.tracer.seen("finish");
  await dropped.promise;
  assertEquals(t.tracer.take(), [
    "accept",
    "accept",
    ...answered(200),
    "finish",
  ]);
  assertEquals(errors, ["client_closed"]);
});

Deno.test("points where the client ends within its body: 499", async () => {
  await using backend = serveScript((connection) => connection.ended());
  await using t = await tracedProxy({ backends: [backend.url] });
  await t.client.send(
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
  );
  await t.tracer.seen("sendRequestHeader 1");
  await t.client.conn.closeWrite();
  assert(await t.client.ended());
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    ...GONE,
    "finish",
  ]);
});

Deno.test("points where the client resets while a handler works: no further point of its request", async () => {
  const begun = Promise.withResolvers<void>();
  await using backend = serveEach((connection) => connection.respond(200));
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("slow", {
      foundProduct: async (request) => {
        const { signal } = request;
        begun.resolve();
        await new Promise((resolve) =>
          signal.addEventListener("abort", resolve)
        );
        return undefined;
      },
    })],
  });
  const conn = await ResettableConn.connect(t.proxy.port());
  using client = new HttpClient(conn);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await begun.promise;
  await conn.reset();
  await t.tracer.seen("finish");
  assertEquals(backend.accepted, 0);
  assertEquals(t.tracer.take(), [
    "accept",
    "accept",
    "transactionStart",
    "readRequestHeader",
    "beforeLocation",
    "foundProduct",
    ...GONE,
    "finish",
  ]);
});
