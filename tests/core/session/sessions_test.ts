/**
 * What sessions take and give back, whatever ends them.
 *
 * @module
 */
import { CALLBACK_POINTS } from "../../../core/callback_points.ts";
import { SlotQueue } from "../../../core/balance/slot_queue.ts";
import { ProxyError } from "../../../core/errors.ts";
import type { Permit } from "../../../core/health/backend_gates.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { Attempt } from "../../../core/session/attempt.ts";
import { verdicts } from "../../../core/verdict.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { makeHealth } from "../../support/backend_health.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin, untypedPlugin } from "../../support/inline_plugin.ts";
import { startPlane } from "../../support/plane.ts";
import { ResettableConn } from "../../support/resettable_conn.ts";
import { serveEach, serveScript } from "../../support/scripted_backend.ts";
import { Tracer } from "../../support/tracer.ts";

/** Nothing waits in a pool: what is held when all is over is a leak. */
const UNPOOLED = { keepAlive: { maxIdle: 0 } };

Deno.test("a connection that accept refuses takes no buffer and sends no byte", async () => {
  const tracer = new Tracer();
  await using t = await startPlane({
    plugins: [
      tracer.plugin,
      handlersPlugin("refuses", ({ verdict }) => ({
        accept: () => verdict.close,
      })),
    ],
  });
  using client = await HttpClient.connect(t.port);
  await client.end();
  await tracer.seen("finish");
  const { small, medium, large } = t.plane.env.buffers;
  for (const pool of [small, medium, large]) {
    assertEquals([pool.inUse, pool.free], [0, 0]);
  }
  assertEquals(t.plane.env.clientBytes, { in: 0, out: 0 });
  assertEquals(tracer.events, ["accept", "finish"]);
});

Deno.test("a session takes buffers only after accept's last goOn", async () => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  await using t = await startPlane({
    products: [{
      name: "p",
      default: true,
      rules: [{ respond: { status: 200 } }],
    }],
    plugins: [handlersPlugin("waits", {
      accept: async (session) => {
        // Nothing of it needs a buffer.
        assertEquals([session.bytesIn, session.bytesOut], [0, 0]);
        assertEquals(session.remote.address, "127.0.0.1");
        begun.resolve();
        await go.promise;
        return undefined;
      },
    })],
  });
  using client = await HttpClient.connect(t.port);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await begun.promise;
  assertEquals(t.buffered, 0);
  go.resolve();
  assertEquals((await client.response()).status, 200);
  assert(t.buffered > 0);
});

Deno.test("every verdict at every point gives all buffers and connections back", async () => {
  await using backend = serveEach((connection) =>
    connection.respond(200, "x".repeat(100_000))
  );
  let now: { readonly point: string; readonly answer: unknown } | undefined;
  const handlers = CALLBACK_POINTS.map(({ name }) => [
    name,
    () => {
      if (now?.point !== name) return undefined;
      const { answer } = now;
      now = undefined;
      if (answer === "throw") throw new Error("boom");
      return answer;
    },
  ]);
  await using t = await startPlane({
    backends: [backend.url],
    cluster: UNPOOLED,
    plugins: [untypedPlugin("judge", Object.fromEntries(handlers))],
  });
  const answers = {
    respond: verdicts.respond({ status: 418, body: "x" }),
    redirect: verdicts.redirect("/"),
    finish: verdicts.finish({ status: 429 }),
    close: verdicts.close,
    retry: verdicts.retry,
  };
  for (const { name, verdicts: legal } of CALLBACK_POINTS) {
    for (const kind of [...legal, "throw"] as const) {
      now = {
        point: name,
        answer: kind === "throw"
          ? kind
          : name === "requestFinish"
          ? verdicts.finish()
          : answers[kind],
      };
      using client = await HttpClient.connect(t.port);
      try {
        await client.get();
      } catch {
        // Where a verdict closes, nothing comes: other tests look at that.
      }
    }
  }
  await t.idle();
  assertEquals(t.buffered, 0);
  for (const { pool } of t.plane.backends.list()) {
    assertEquals([pool.active, pool.idle], [0, 0]);
  }
});

Deno.test("failures of backends and clients give all buffers and connections back", async () => {
  const hanging = Promise.withResolvers<void>();
  await using backend = serveScript(async (connection) => {
    const request = await connection.request();
    switch (request?.target) {
      case "/dies":
        return;
      case "/dies-in-head":
        return await connection.send("HTTP/1.1 200 OK\r\nX");
      case "/dies-in-body":
        return await connection.send(
          "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        );
      case "/garbage":
        return await connection.send("garbage\r\n\r\n");
      case "/hangs":
        hanging.resolve();
        return await connection.ended();
      case "/switches":
        await connection.send(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        );
        return;
      default:
        await connection.respond(200);
    }
  });
  await using t = await startPlane({
    backends: [backend.url],
    cluster: UNPOOLED,
  });
  for (const path of ["/dies", "/dies-in-head", "/dies-in-body", "/garbage"]) {
    using client = await HttpClient.connect(t.port);
    try {
      await client.get(path);
    } catch {
      // A body that breaks off.
    }
  }
  const upgrade =
    "GET /switches HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n";
  {
    using client = await HttpClient.connect(t.port);
    await client.send(`${upgrade}Upgrade: y\r\n\r\n`);
    assertEquals((await client.response()).status, 502);
  }
  {
    using client = await HttpClient.connect(t.port);
    await client.send(`${upgrade}Upgrade: x\r\n\r\n`);
    assertEquals((await client.response()).status, 101);
  }
  const conn = await ResettableConn.connect(t.port);
  using gone = new HttpClient(conn);
  await gone.send("GET /hangs HTTP/1.1\r\nHost: x\r\n\r\n");
  await hanging.promise;
  await conn.reset();
  await t.idle();
  assertEquals(t.buffered, 0);
  for (const { pool } of t.plane.backends.list()) {
    assertEquals(pool.active, 0);
  }
});

Deno.test("a client that is gone when its 101 comes: the backend's connection is given up", async () => {
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const dropped = Promise.withResolvers<void>();
  await using backend = serveScript(async (connection) => {
    await connection.request();
    asked.resolve();
    await go.promise;
    await connection.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    );
    await connection.ended();
    dropped.resolve();
  });
  await using t = await startPlane({
    backends: [backend.url],
    plugins: [handlersPlugin("waits", {
      sendResponseHeader: async () => {
        await conn.reset();
        return undefined;
      },
    })],
  });
  const conn = await ResettableConn.connect(t.port);
  using client = new HttpClient(conn);
  await client.send(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
  );
  await asked.promise;
  go.resolve();
  await dropped.promise;
  await t.idle();
  await eventually("no buffer is out", () => t.buffered === 0);
});

for (
  const { what, send, code, throws } of [
    { what: "all is well", send: "GET /fine", code: undefined },
    { what: "a request is malformed", send: "GET", code: "bad_request" },
    {
      what: "a backend dies within a body",
      send: "GET /dies",
      code: "response_truncated",
    },
    {
      what: "a backend fails and the client is told",
      send: "GET /fails",
      code: undefined,
    },
    {
      what: "a handler fails before there is a request",
      send: "GET /fine",
      throws: true,
      code: "handler_error",
    },
  ] as const
) {
  Deno.test(`session.error at finish is ${code} where ${what}`, async () => {
    const errors: (string | undefined)[] = [];
    const finished = Promise.withResolvers<void>();
    await using backend = serveScript(async (connection) => {
      switch ((await connection.request())?.target) {
        case "/fine":
          return await connection.respond(200);
        case "/dies":
          return await connection.send(
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
          );
      }
    });
    await using t = await startPlane({
      backends: [backend.url],
      plugins: [handlersPlugin("reads", {
        transactionStart: () => {
          if (throws) throw new Error("boom");
        },
        finish: (session) => {
          errors.push(session.error?.code);
          finished.resolve();
        },
      })],
    });
    using client = await HttpClient.connect(t.port);
    await client.send(`${send} HTTP/1.1\r\nHost: x\r\n\r\n`);
    try {
      await client.response();
    } catch {
      // Broken off.
    }
    client.close();
    await finished.promise;
    assertEquals(errors, [code]);
  });
}

Deno.test("Attempt ends the use of its backend and of its connection once", () => {
  const told: string[] = [];
  const { health } = makeHealth();
  const attempt = new Attempt(
    1,
    {} as never,
    { leave: (permit: Permit) => health.end(permit) } as never,
    health.begin()!,
    {} as never,
    false,
  );
  assertEquals(health.load, 1);
  attempt.use({
    facts: { remote: { address: "127.0.0.1", port: 1 }, reused: true },
    release: () => told.push("release"),
    close: () => told.push("close"),
  } as never);
  attempt.release();
  attempt.close();
  attempt.release();
  assertEquals(told, ["release"]);
  assertEquals([attempt.facts?.reused, health.load], [true, 0]);
});

Deno.test("Attempt: a slot that is granted as the client leaves goes back", async () => {
  const { health } = makeHealth();
  const backend = {
    takeSlot: () => health.begin(),
    leave: (permit: Permit) => health.end(permit),
  };
  const queue = new SlotQueue<typeof backend, Permit>({
    deadlines: new Deadlines(new FakeClock()),
    backends: () => [backend],
  });
  const attempt = new Attempt(
    1,
    {} as never,
    backend as never,
    undefined,
    {} as never,
    false,
  );
  const limits = { size: 1, timeout: 1_000 };
  const waiting = attempt.wait(queue.wait(() => true, limits) as never);
  // Both before what waits hears of the first.
  queue.freed(backend);
  assertEquals(health.load, 1);
  attempt.close();
  await assertRejects(() => waiting, ProxyError, "given up");
  attempt.close();
  assertEquals([health.load, attempt.waits], [0, true]);
});
