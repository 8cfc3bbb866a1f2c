/**
 * How a dialer comes to a WebSocket session: what it is asked, what it answers.
 *
 * @module
 */
import type { BackendDialer, WebSocketTools } from "../../core/plugin.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { bytesOf } from "../support/byte_streams.ts";
import {
  failuresOf,
  handshake,
  startDialing,
  startWithTools,
} from "../support/dialer_proxy.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { FakeDialer } from "../support/fake_dialer.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { ResettableConn } from "../support/resettable_conn.ts";
import { serveEach } from "../support/scripted_backend.ts";
import { delivered, LOCATED, Tracer } from "../support/tracer.ts";
import { WebSocketClient } from "../support/websocket_backend.ts";

Deno.test("dialer: it learns what the client asked for, and its fields come with the 101", async () => {
  const dialer = new FakeDialer();
  dialer.facts = {
    subprotocol: "s2",
    additionalHeaders: {
      "set-cookie": ["a=1", "b=2"],
      "x-from": "dialer",
      "sec-websocket-accept": "forged",
      "connection": "close",
    },
  };
  await using proxy = await startDialing(dialer, {
    cluster: { websocket: { blockHeaders: ["X-Own"] } },
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    handshake("Sec-WebSocket-Protocol: s1, s2", "X-Balancer-Reconnect: 1"),
  );
  const { status, headers } = await client.response();
  assertEquals(
    [
      status,
      headers.getSetCookie(),
      headers.get("x-from"),
      headers.get("sec-websocket-protocol"),
      headers.get("sec-websocket-accept"),
      headers.get("connection")?.toLowerCase(),
    ],
    [
      101,
      ["a=1", "b=2"],
      "dialer",
      "s2",
      "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
      "upgrade",
    ],
  );
  const [context] = dialer.contexts;
  assertEquals(context!.url, "ws://shop.example:81/chat?x=%20");
  assertEquals(context!.request.path, "/chat");
  assertEquals(
    [context!.oldConnection, context!.leaving, context!.signal.aborted],
    [undefined, undefined, false],
  );
  const fields = Object.fromEntries(context!.headers);
  assert(fields["via"]?.startsWith("1.1 headrace-"));
  delete fields["via"];
  assertEquals(fields, {
    "forwarded": 'for=127.0.0.1;host="shop.example:81";proto=http',
    "sec-websocket-protocol": "s1, s2",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": "shop.example:81",
    "x-forwarded-proto": "http",
  });
});

Deno.test("dialer: a subprotocol that nobody offered is 502, and the connection is closed", async () => {
  const dialer = new FakeDialer();
  dialer.facts = { subprotocol: "s9" };
  await using proxy = await startDialing(dialer);
  using client = await HttpClient.connect(proxy.port());
  await client.send(handshake("Sec-WebSocket-Protocol: s1"));
  assertEquals((await client.response()).status, 502);
  const [connection] = dialer.connections;
  assertEquals([connection!.started, connection!.closed], [0, 1]);
});

Deno.test("dialer: a declined client gets status, fields and body, or a line of text", async () => {
  const dialer = new FakeDialer();
  const { proxy, ws } = await startWithTools(dialer);
  await using _ = proxy;
  const responses: [
    Parameters<WebSocketTools["connectionDeclined"]>,
    string,
  ][] = [
    [["b1", "secret", 401, {
      headers: { "www-authenticate": "Basic" },
      body: "who are you",
    }], "who are you"],
    [["b1", "secret", 403], "Forbidden\n"],
    [
      [
        "b1",
        "secret",
        302,
        new Response("there", { headers: { location: "/x" } }),
      ],
      "there",
    ],
  ];
  for (const [declined, text] of responses) {
    dialer.before = () => {
      throw ws.connectionDeclined(...declined);
    };
    using client = await HttpClient.connect(proxy.port());
    await client.send(handshake());
    const response = await client.response();
    assertEquals([response.status, response.text], [declined[2], text]);
    const [, , , given] = declined;
    for (const [name, value] of new Headers(given?.headers as HeadersInit)) {
      if (name !== "content-type") {
        assertEquals(response.headers.get(name), value);
      }
    }
  }
  assertEquals(await failuresOf(proxy, "dialUpstream"), 0);
});

Deno.test("dialer: unavailable is 502, whatever else it throws or answers is 500 and counted", async () => {
  const dialer = new FakeDialer();
  const { proxy, ws } = await startWithTools(dialer);
  await using _ = proxy;
  const asks = async () => {
    using client = await HttpClient.connect(proxy.port());
    await client.send(handshake());
    return (await client.response()).status;
  };
  dialer.before = () => {
    throw ws.systemUnavailable("b1", "refused");
  };
  assertEquals(await asks(), 502);
  dialer.before = () => {
    throw ws.systemUnavailable("b1", "busy", 503);
  };
  assertEquals([await asks(), await failuresOf(proxy, "dialUpstream")], [
    502,
    0,
  ]);
  dialer.before = () => Promise.reject(new Error("a bug"));
  assertEquals([await asks(), await failuresOf(proxy, "dialUpstream")], [
    500,
    1,
  ]);
  dialer.before = () => {};
  dialer.facts = { additionalHeaders: { "not a name": "x" } };
  assertEquals([await asks(), await failuresOf(proxy, "dialUpstream")], [
    500,
    2,
  ]);
  assertEquals(dialer.connections[0]!.closed, 1);
  const { metrics } = await proxy.report();
  assertEquals(
    metricValue(metrics, "headrace_attempts_total", {
      backend: "b1",
      result: "failed",
    }),
    2,
  );
});

Deno.test("dialer: what is no connection is the dialer's failure", async () => {
  const answers: unknown[] = [
    undefined,
    { start() {}, close() {} },
    { start() {}, close() {}, id: "", backendId: "b" },
    { start() {}, id: "c", backendId: "b" },
  ];
  const dialer = {
    dialUpstream: () => answers.shift(),
  } as unknown as BackendDialer;
  const count = answers.length;
  await using proxy = await startDialing(dialer);
  for (let i = 1; i <= count; i++) {
    using client = await HttpClient.connect(proxy.port());
    await client.send(handshake());
    assertEquals((await client.response()).status, 500);
    assertEquals(await failuresOf(proxy, "dialUpstream"), i);
  }
});

Deno.test("dialer: another subprotocol on a re-dial is none that fits", async () => {
  const dialer = new FakeDialer();
  dialer.facts = { subprotocol: "s1" };
  await using proxy = await startDialing(dialer);
  await using client = await WebSocketClient.open(proxy.url(), ["s1", "s2"]);
  const first = await dialer.connection(1);
  dialer.facts = { subprotocol: "s2" };
  await first.fail();
  await dialer.connection(2);
  dialer.facts = { subprotocol: "s1" };
  assertEquals(await inTime("an answer", client.ask("1")), "b3:1");
  const [, second] = dialer.connections;
  assertEquals(
    [
      second!.started,
      second!.closed,
      second!.context.headers.get("sec-websocket-protocol"),
    ],
    [0, 1, "s1"],
  );
});

Deno.test("dialer: 504 after the response timeout, and what comes later is closed", async () => {
  const dialer = new FakeDialer();
  const late = Promise.withResolvers<void>();
  dialer.before = () => late.promise;
  await using proxy = await startDialing(dialer, {
    cluster: { timeouts: { response: "100ms" } },
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(handshake());
  assertEquals((await client.response()).status, 504);
  assert(dialer.contexts[0]!.signal.aborted);
  late.resolve();
  const connection = await dialer.connection(1);
  await eventually("its end", () => connection.closed === 1);
  assertEquals(connection.started, 0);
});

Deno.test("dialer: a client that resets gives the dial up", async () => {
  const dialer = new FakeDialer();
  const late = Promise.withResolvers<void>();
  dialer.before = () => late.promise;
  await using proxy = await startDialing(dialer);
  const conn = await ResettableConn.connect(proxy.port());
  await conn.write(bytesOf(handshake()));
  await eventually("a dial", () => dialer.contexts.length === 1);
  await conn.reset();
  const { signal } = dialer.contexts[0]!;
  await eventually("the signal", () => signal.aborted);
  late.resolve();
  const connection = await dialer.connection(1);
  await eventually("its end", () => connection.closed === 1);
  assertEquals(connection.started, 0);
});

Deno.test("dialer: on a re-dial unavailable holds and tries again, declined closes with 1008 and the reason", async () => {
  const dialer = new FakeDialer();
  const { proxy, ws } = await startWithTools(dialer);
  await using _ = proxy;
  await using client = await WebSocketClient.open(proxy.url());
  const first = await dialer.connection(1);
  const failures: unknown[] = [
    ws.systemUnavailable("b2", "busy", 503),
    new Error("a bug"),
    ws.systemUnavailable("b2", "busy"),
  ];
  dialer.before = () => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
  };
  await first.fail();
  assertEquals(await inTime("an answer", client.ask("1")), "b2:1");
  assertEquals(await failuresOf(proxy, "dialUpstream"), 1);
  // Only the first try is told whom to avoid.
  assertEquals(dialer.contexts.map(({ leaving }) => leaving), [
    undefined,
    "b1",
    undefined,
    undefined,
    undefined,
  ]);
  dialer.before = () => {
    throw ws.connectionDeclined("b3", "not any more", 401, { body: "no" });
  };
  await dialer.connections[1]!.fail();
  assertEquals(await inTime("a Close", client.closed), {
    code: 1008,
    reason: "not any more",
  });
});

Deno.test("dialer: other requests go to the cluster's backends, 503 where it has none", async () => {
  await using backend = serveEach((connection, { target }) =>
    connection.respond(200, target)
  );
  const dialer = new FakeDialer();
  await using proxy = await startDialing(dialer, { backends: [backend.url] });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get("/plain")).text, "/plain");
  await using socket = await WebSocketClient.open(proxy.url());
  assertEquals(await socket.ask("1"), "b1:1");
  await using bare = await startDialing(dialer);
  using other = await HttpClient.connect(bare.port());
  assertEquals((await other.get("/plain")).status, 503);
});

Deno.test("dialer: points 12 to 15 don't fire, the others do", async () => {
  const dialer = new FakeDialer();
  const tracer = new Tracer();
  await using proxy = await startDialing(dialer, { plugins: [tracer.plugin] });
  const client = await WebSocketClient.open(proxy.url());
  await client.ask("1");
  await dialer.connections[0]!.fail();
  await client.ask("2");
  await client[Symbol.asyncDispose]();
  await tracer.seen("finish");
  assertEquals(tracer.take(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...delivered(101),
    "finish",
  ]);
});

Deno.test("dialer: a handler's answer to the 101 takes its place, and the connection is closed", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startDialing(dialer, {
    plugins: [
      handlersPlugin("judge", ({ verdict }) => ({
        readResponse: (_request, { status, from }) =>
          status === 101 && from === "backend"
            ? verdict.respond({ status: 403, body: "no" })
            : undefined,
      })),
    ],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(handshake());
  assertEquals((await client.response()).text, "no");
  const [connection] = dialer.connections;
  assertEquals([connection!.started, connection!.closed], [0, 1]);
});
