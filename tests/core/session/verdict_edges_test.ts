/**
 * Verdicts on responses that are not the last ones: interim ones, and 101.
 *
 * @module
 */
import type { Handlers } from "../../../core/plugin.ts";
import { verdicts } from "../../../core/verdict.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { serveScript } from "../../support/scripted_backend.ts";
import { tracedProxy } from "../../support/traced_proxy.ts";
import { attempt, delivered, LOCATED, unparsed } from "../../support/tracer.ts";

const UPGRADE =
  "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

/** A backend that sends this first, and knows when it is given up. */
function serveFirst(head: string) {
  const dropped = Promise.withResolvers<void>();
  const backend = serveScript(async (connection) => {
    await connection.request();
    await connection.send(head);
    await connection.ended();
    dropped.resolve();
  });
  return {
    url: backend.url,
    dropped: dropped.promise,
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}

function serveHint() {
  return serveFirst("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

function serveSwitch() {
  return serveFirst(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
  );
}

function serveLast() {
  return serveScript(async (connection) => {
    while (await connection.request() !== undefined) {
      await connection.respond(200, "last");
    }
  });
}

const BEFORE = ["accept", "transactionStart", ...LOCATED, ...attempt(1)];

Deno.test("respond at readResponseHeader of a 1xx: the backend is given up", async () => {
  await using backend = serveHint();
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("judge", {
      readResponseHeader: () => verdicts.respond({ status: 418 }),
    })],
  });
  assertEquals((await t.client.get()).status, 418);
  await backend.dropped;
  assertEquals(await t.finished(), [
    ...BEFORE,
    "readResponseHeader 1:103",
    ...delivered(418),
    "finish",
  ]);
});

Deno.test("retry at readResponseHeader of a 1xx: another backend is asked, the client sees no hint", async () => {
  await using backend = serveHint();
  await using other = serveLast();
  await using t = await tracedProxy({
    backends: [backend.url, other.url],
    plugins: [handlersPlugin("judge", {
      readResponseHeader: (_request, { status }) =>
        status === 103 ? verdicts.retry : undefined,
    })],
  });
  assertEquals((await t.client.get()).text, "last");
  await backend.dropped;
  assertEquals(await t.finished(), [
    ...BEFORE,
    "readResponseHeader 1:103",
    ...attempt(2),
    "readResponseHeader 2:200",
    ...delivered(200),
    "finish",
  ]);
});

for (
  const { point, handlers } of [
    {
      point: "readResponseHeader",
      handlers: {
        readResponseHeader: () => verdicts.respond({ status: 418 }),
      } satisfies Handlers,
    },
    {
      point: "readResponse",
      handlers: {
        readResponse: () => verdicts.respond({ status: 418 }),
      } satisfies Handlers,
    },
  ]
) {
  Deno.test(`respond at ${point} of a 101: no tunnel, the connection stays`, async () => {
    await using backend = serveSwitch();
    await using t = await tracedProxy({
      backends: [backend.url],
      plugins: [handlersPlugin("judge", handlers)],
    });
    await t.client.send(UPGRADE);
    const response = await t.client.response();
    assertEquals(response.status, 418);
    assertEquals(response.headers.get("upgrade"), null);
    await backend.dropped;
    await t.tracer.seen("transactionClose 418");
    const late = point === "readResponse";
    assertEquals(t.tracer.take(), [
      ...BEFORE,
      "readResponseHeader 1:101",
      ...late ? ["readResponse 101", ...unparsed(418)] : delivered(418),
    ]);
    assertEquals(response.headers.get("connection"), null);
  });
}

Deno.test("close at sendResponseHeader of a 101: nothing is sent, the backend is given up", async () => {
  await using backend = serveSwitch();
  await using t = await tracedProxy({
    backends: [backend.url],
    plugins: [handlersPlugin("judge", {
      sendResponseHeader: () => verdicts.close,
    })],
  });
  await t.client.send(UPGRADE);
  assert(await t.client.ended());
  await backend.dropped;
  assertEquals(await t.finished(), [
    ...BEFORE,
    "readResponseHeader 1:101",
    "readResponse 101",
    "sendResponseHeader 101",
    "requestFinish 101",
    "transactionClose 0",
    "finish",
  ]);
});

Deno.test("a 101 that nobody asked for: 502", async () => {
  await using backend = serveSwitch();
  await using t = await tracedProxy({ backends: [backend.url] });
  assertEquals((await t.client.get()).status, 502);
  await backend.dropped;
  assertEquals(await t.finished(), [...BEFORE, ...delivered(502), "finish"]);
});
