/**
 * WebSocket sessions over a plugin's dialer.
 *
 * @module
 */
import type {
  AdminResult,
  BackendAdministrator,
  BackendDialer,
  PluginContext,
  PluginParts,
  WebSocketTools,
} from "../../core/plugin.ts";
import { RefusedError } from "../../core/data_plane/control.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { bytesOf, textOf } from "../support/byte_streams.ts";
import { eventually, inTime, stalled } from "../support/eventually.ts";
import { FakeDialer } from "../support/fake_dialer.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin, inlinePlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { startPlane } from "../support/plane.ts";
import {
  configWith,
  type ProxyWith,
  startProxyWith,
} from "../support/proxy_with.ts";
import { ResettableConn } from "../support/resettable_conn.ts";
import { serveEach } from "../support/scripted_backend.ts";
import type { TestProxy } from "../support/proxy.ts";
import { delivered, LOCATED, Tracer } from "../support/tracer.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

const HANDSHAKE = [
  "GET /chat?x=%20 HTTP/1.1",
  "Host: shop.example:81",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Extensions: permessage-deflate",
  "X-Own: 1",
];

function handshake(...fields: string[]): string {
  return [...HANDSHAKE, ...fields, "", ""].join("\r\n");
}

/** An entry of `plugins` that brings a dialer. */
function dialerPlugin(dialer: BackendDialer, name = "fake"): object {
  return {
    use: inlinePlugin({
      name: "dialing",
      setup: () => ({
        dialers: { [name]: dialer },
      }),
    }),
  };
}

/** An administrator that answers ids as it is told. */
function administratorWith(
  answer: (action: string, id: string) => AdminResult,
): BackendAdministrator {
  return {
    list: () => [{ id: "b1" }],
    add: (json) => Promise.resolve({ added: json }),
    config: (id) => ({ id }),
    disable: (id) => answer("disable", id),
    enable: (id) => Promise.resolve(answer("enable", id)),
    delete: (id) => answer("delete", id),
    reset: (id) => answer("reset", id),
  };
}

/** For so many milliseconds. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A proxy whose cluster has this dialer. */
function startWith(
  dialer: BackendDialer,
  parts: ProxyWith = {},
  more: PluginParts | ((context: PluginContext<unknown>) => PluginParts) = {},
): Promise<TestProxy> {
  return startProxyWith({
    ...parts,
    cluster: { dialer: "fake", ...parts.cluster },
    plugins: [
      {
        use: inlinePlugin({
          name: "dialing",
          setup: (context) => ({
            dialers: { fake: dialer },
            ...(typeof more === "function" ? more(context) : more),
          }),
        }),
      },
      ...parts.plugins ?? [],
    ],
  });
}

/** The tools that `setup` gets, for dialers made before. */
async function withTools(
  dialer: FakeDialer,
  parts: ProxyWith = {},
): Promise<{ proxy: TestProxy; ws: WebSocketTools }> {
  let tools: WebSocketTools | undefined;
  const proxy = await startWith(dialer, parts, ({ ws }) => {
    tools = ws;
    return {};
  });
  return { proxy, ws: tools! };
}

async function errors(proxy: TestProxy, point: string): Promise<number> {
  const { metrics } = await proxy.report();
  return metricValue(metrics, "headrace_handler_errors_total", {
    plugin: "dialing",
    point,
  });
}

Deno.test("dialer: messages go both ways, and a client's Close arrives with its code and reason", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startWith(dialer);
  await using client = await WebSocketClient.open(proxy.url("/a?b"));
  assertEquals(await client.ask("hi"), "b1:hi");
  const large = "x".repeat(300_000);
  assertEquals(await client.ask(large), `b1:${large}`);
  const [connection] = dialer.connections;
  await connection!.say("unasked");
  assertEquals((await client.until(3))[2], "unasked");
  client.socket.close(4001, "bye");
  assertEquals((await client.closed).code, 4001);
  await inTime("its end", connection!.done);
  assertEquals(
    [connection!.closure, connection!.started, connection!.closed],
    [{ type: 32, code: 4001, reason: "bye" }, 1, 1],
  );
});

Deno.test("dialer: a client that is lost is a normal closure with 1001, one without a code has none", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startWith(dialer);
  const raw = await HttpClient.connect(proxy.port());
  await raw.send(handshake());
  assertEquals((await raw.response()).status, 101);
  raw.close();
  const first = await dialer.connection(1);
  await inTime("its end", first.done);
  assertEquals(first.closure, {
    type: 32,
    code: 1001,
    reason: "The client is gone",
  });
  using second = await HttpClient.connect(proxy.port());
  await second.send(handshake());
  assertEquals((await second.response()).status, 101);
  // A masked Close without a payload.
  await second.send(new Uint8Array([0x88, 0x80, 1, 2, 3, 4]));
  const closing = await dialer.connection(2);
  await inTime("its end", closing.done);
  assertEquals(closing.closure, { type: 32 });
});

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
  await using proxy = await startWith(dialer, {
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
  await using proxy = await startWith(dialer);
  using client = await HttpClient.connect(proxy.port());
  await client.send(handshake("Sec-WebSocket-Protocol: s1"));
  assertEquals((await client.response()).status, 502);
  const [connection] = dialer.connections;
  assertEquals([connection!.started, connection!.closed], [0, 1]);
});

Deno.test("dialer: a declined client gets status, fields and body, or a line of text", async () => {
  const dialer = new FakeDialer();
  const { proxy, ws } = await withTools(dialer);
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
  assertEquals(await errors(proxy, "dialUpstream"), 0);
});

Deno.test("dialer: unavailable is 502, whatever else it throws or answers is 500 and counted", async () => {
  const dialer = new FakeDialer();
  const { proxy, ws } = await withTools(dialer);
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
  assertEquals([await asks(), await errors(proxy, "dialUpstream")], [502, 0]);
  dialer.before = () => Promise.reject(new Error("a bug"));
  assertEquals([await asks(), await errors(proxy, "dialUpstream")], [500, 1]);
  dialer.before = () => {};
  dialer.facts = { additionalHeaders: { "not a name": "x" } };
  assertEquals([await asks(), await errors(proxy, "dialUpstream")], [500, 2]);
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
  await using proxy = await startWith(dialer);
  for (let i = 1; i <= count; i++) {
    using client = await HttpClient.connect(proxy.port());
    await client.send(handshake());
    assertEquals((await client.response()).status, 500);
    assertEquals(await errors(proxy, "dialUpstream"), i);
  }
});

Deno.test("dialer: one that fails is replaced, the client stays, and it learns of the old one", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startWith(dialer);
  await using client = await WebSocketClient.open(proxy.url("/x?y"));
  assertEquals(await client.ask("1"), "b1:1");
  const [first] = dialer.connections;
  await first!.fail("gone");
  const second = await dialer.connection(2);
  assertEquals(await client.ask("2"), "b2:2");
  assertEquals(
    [
      first!.closed,
      second.context.oldConnection === first,
      second.context.leaving,
      second.context.headers.get("x-balancer-reconnect"),
      second.context.headers.get("x-headrace-replayed"),
    ],
    [1, true, "b1", "1", null],
  );
  const { metrics } = await proxy.report();
  const value = (name: string, labels: Record<string, string>) =>
    metricValue(metrics, `headrace_websocket_${name}`, labels);
  assertEquals(
    [
      value("sessions_open", { cluster: "main", backend: "b2" }),
      value("sessions_open", { cluster: "main", backend: "b1" }),
      value("failovers_total", { cluster: "main", reason: "lost" }),
    ],
    [1, 0, 1],
  );
});

Deno.test("dialer: what a lost connection did not take goes to the next one, in order, once", async () => {
  const dialer = new FakeDialer();
  dialer.answer = () => null;
  await using proxy = await startWith(dialer);
  await using client = await WebSocketClient.open(proxy.url());
  const first = await dialer.connection(1);
  const resume = Promise.withResolvers<void>();
  client.send("0");
  await eventually("the first message", () => first.got.length === 1);
  first.pause = resume.promise;
  for (let i = 1; i <= 40; i++) client.send(String(i));
  // One more is taken by whoever waits already.
  await eventually("one more", () => first.got.length === 2);
  await first.fail();
  const second = await dialer.connection(2);
  for (let i = 41; i <= 50; i++) client.send(String(i));
  await eventually("all the others", () => second.got.at(-1) === "50");
  resume.resolve();
  await first.done;
  const all = Array.from({ length: 51 }, (_, i) => String(i));
  assertEquals([...first.got, ...second.got], all);
});

Deno.test("dialer: a normal closure reaches the client, without a code as 1000, with an abnormal code it fails over", async () => {
  const cases = [
    [{ type: 32 }, 1000, ""],
    [{ type: 32, code: 4000, reason: "why" }, 4000, "why"],
  ] as const;
  for (const [closure, code, reason] of cases) {
    const dialer = new FakeDialer();
    await using proxy = await startWith(dialer);
    await using client = await WebSocketClient.open(proxy.url());
    await (await dialer.connection(1)).context.toFrontend.send(closure);
    assertEquals(await inTime("a Close", client.closed), { code, reason });
    await eventually("its end", () => dialer.connections[0]!.closed === 1);
  }
  const dialer = new FakeDialer();
  await using proxy = await startWith(dialer);
  await using client = await WebSocketClient.open(proxy.url());
  const first = await dialer.connection(1);
  await first.context.toFrontend.send({ type: 32, code: 1012 });
  assertEquals(await client.ask("1"), "b2:1");
});

Deno.test("dialer: 64 fails over whatever the cluster's abnormal codes are", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startWith(dialer, {
    cluster: { websocket: { abnormalCodes: [1012] } },
  });
  await using client = await WebSocketClient.open(proxy.url());
  await (await dialer.connection(1)).fail();
  assertEquals(await client.ask("1"), "b2:1");
});

Deno.test("dialer: on a re-dial unavailable holds and tries again, declined closes with 1008 and the reason", async () => {
  const dialer = new FakeDialer();
  const { proxy, ws } = await withTools(dialer);
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
  assertEquals(await errors(proxy, "dialUpstream"), 1);
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

Deno.test("dialer: another subprotocol on a re-dial is none that fits", async () => {
  const dialer = new FakeDialer();
  dialer.facts = { subprotocol: "s1" };
  await using proxy = await startWith(dialer);
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
  await using proxy = await startWith(dialer, {
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
  await using proxy = await startWith(dialer);
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

Deno.test("dialer: other requests go to the cluster's backends, 503 where it has none", async () => {
  await using backend = serveEach((connection, { target }) =>
    connection.respond(200, target)
  );
  const dialer = new FakeDialer();
  await using proxy = await startWith(dialer, { backends: [backend.url] });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get("/plain")).text, "/plain");
  await using socket = await WebSocketClient.open(proxy.url());
  assertEquals(await socket.ask("1"), "b1:1");
  await using bare = await startWith(dialer);
  using other = await HttpClient.connect(bare.port());
  assertEquals((await other.get("/plain")).status, 503);
});

Deno.test("dialer: points 12 to 15 don't fire, the others do", async () => {
  const dialer = new FakeDialer();
  const tracer = new Tracer();
  await using proxy = await startWith(dialer, { plugins: [tracer.plugin] });
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
  await using proxy = await startWith(dialer, {
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

Deno.test("dialer: 10,000 messages in order, both sides slow", async () => {
  const dialer = new FakeDialer();
  const total = 10_000;
  // Bursts of pauses: the backend takes nothing, the client reads nothing.
  let taken = 0;
  dialer.answer = async (text) => {
    if (++taken % 1_000 === 0) await pause(5);
    return text;
  };
  await using proxy = await startWith(dialer);
  using client = await HttpClient.connect(proxy.port());
  await client.send(handshake());
  assertEquals((await client.response()).status, 101);
  const sending = (async () => {
    for (let first = 0; first < total; first += 500) {
      await client.send(maskedTexts(first, first + 500));
    }
  })();
  const reader = new FrameTexts();
  const chunk = new Uint8Array(8 << 10);
  for (let reads = 0; reader.texts.length < total; reads++) {
    const count = await client.conn.read(chunk);
    assert(count !== null, `an end after ${reader.texts.length}`);
    reader.push(chunk.subarray(0, count));
    if (reads % 20 === 0) await pause(2);
  }
  await sending;
  const all = Array.from({ length: total }, (_, i) => textFor(i));
  assertEquals(reader.texts, all);
  assertEquals(dialer.connections[0]!.got, all);
});

Deno.test("dialer: a backend that takes nothing holds its client back, and loses nothing", async () => {
  const dialer = new FakeDialer();
  dialer.answer = () => null;
  await using plane = await startPlane({
    cluster: { dialer: "fake" },
    plugins: [dialerPlugin(dialer)],
  });
  using client = await HttpClient.connect(plane.port);
  await client.send(handshake());
  await client.response();
  const connection = await dialer.connection(1);
  const resume = Promise.withResolvers<void>();
  connection.pause = resume.promise;
  // 64 MiB: far more than all buffers on the way.
  const frame = maskedFrame("x".repeat(60_000));
  let sent = 0;
  const sending = (async () => {
    for (; sent < 1_000; sent++) await client.send(frame);
  })();
  await stalled(() => sent);
  const [session] = plane.plane.websockets.values();
  assert(sent < 600, `${sent} of 1,000 were taken`);
  assert(session!.proxy.buffered < 2 << 20, `${session!.proxy.buffered} bytes`);
  resume.resolve();
  await sending;
  await eventually("all messages", () => connection.got.length === 1_000);
});

Deno.test("dialer: a client that reads nothing holds its backend back", async () => {
  const dialer = new FakeDialer();
  await using proxy = await startWith(dialer);
  using client = await HttpClient.connect(proxy.port());
  await client.send(handshake());
  await client.response();
  const connection = await dialer.connection(1);
  await eventually("its start", () => connection.started === 1);
  const text = "x".repeat(60_000);
  let sent = 0;
  const saying = (async () => {
    for (; sent < 1_000; sent++) await connection.say(text);
  })();
  await stalled(() => sent);
  assert(sent < 600, `${sent} of 1,000 were taken`);
  const reader = new FrameTexts();
  const chunk = new Uint8Array(64 << 10);
  while (reader.count < 1_000) {
    const count = await client.conn.read(chunk);
    assert(count !== null);
    reader.push(chunk.subarray(0, count));
  }
  await saying;
});

Deno.test("dialer: a start that fails is a lost backend, a close that fails is only counted", async () => {
  const dialer = new FakeDialer();
  const made: string[] = [];
  const failing: BackendDialer = {
    async dialUpstream(context) {
      const connection = await dialer.dialUpstream(context);
      const { backendId } = connection;
      made.push(backendId);
      if (backendId === "b1") {
        connection.start = () => {
          throw new Error("no start");
        };
      } else if (backendId === "b2") {
        connection.start = () => Promise.reject(new Error("no start")) as never;
      } else {
        connection.close = () => {
          throw new Error("no close");
        };
      }
      return connection;
    },
  };
  await using proxy = await startWith(failing);
  const client = await WebSocketClient.open(proxy.url());
  assertEquals(await inTime("an answer", client.ask("1")), "b3:1");
  await client[Symbol.asyncDispose]();
  await eventually(
    "a failed close",
    async () => await errors(proxy, "close") === 1,
  );
  assertEquals(await errors(proxy, "start"), 2);
});

Deno.test("dialer: a reload leaves its sessions where they are; the new dialer gets new ones", async () => {
  const dialer = new FakeDialer();
  const plugins = [dialerPlugin(dialer)];
  const parts = { cluster: { dialer: "fake" }, plugins };
  await using proxy = await startProxyWith(parts);
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "b1:1");
  await proxy.reload(configWith(parts));
  assertEquals(await client.ask("2"), "b1:2");
  const next = new FakeDialer();
  next.answer = (text) => `next:${text}`;
  await proxy.reload(configWith({ ...parts, plugins: [dialerPlugin(next)] }));
  assertEquals(await client.ask("3"), "b1:3");
  await using second = await WebSocketClient.open(proxy.url());
  assertEquals(await second.ask("1"), "next:1");
  // The old session's next backend is the new dialer's: a stranger to its old connection.
  await dialer.connections[0]!.fail();
  assertEquals(await client.ask("4"), "next:4");
  assertEquals(next.contexts[1]!.oldConnection, undefined);
  assertEquals(next.contexts[1]!.leaving, "b1");
});

Deno.test("dialer: a plugin's instance lives for as long as one of its connections does", async () => {
  const dialer = new FakeDialer();
  let ended = false;
  const dialing = {
    use: inlinePlugin({
      name: "dialing",
      setup: ({ signal }) => {
        signal.addEventListener("abort", () => ended = true);
        return { dialers: { fake: dialer } };
      },
    }),
  };
  await using backend = serveWebSocket("own");
  await using proxy = await startProxyWith({ backends: [backend.url] });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "own:1");
  // Its first backend is Headrace's, the second one a dialer's of a later config.
  await proxy.reload(
    configWith({ cluster: { dialer: "fake" }, plugins: [dialing] }),
  );
  assertEquals(await inTime("an answer", client.ask("2")), "b1:2");
  await proxy.reload(configWith({ backends: [backend.url] }));
  assertEquals([await client.ask("3"), ended], ["b1:3", false]);
  await dialer.connections[0]!.fail();
  assertEquals(await inTime("an answer", client.ask("4")), "own:4");
  await eventually("the instance's end", () => ended);
});

Deno.test("dialer: operators reach its administrator, whose failures are 4 and counted", async () => {
  const dialer = new FakeDialer();
  const asked: string[] = [];
  const withAdministrator: BackendDialer = {
    dialUpstream: (context) => dialer.dialUpstream(context),
    administrator: {
      ...administratorWith((action, id) => {
        asked.push(`${action} ${id}`);
        return id === "none" ? 3 : 1;
      }),
      reset: () => {
        throw new Error("a bug");
      },
    },
  };
  await using proxy = await startWith(withAdministrator);
  const { supervisor } = proxy;
  assertEquals(await supervisor.administer("main", "list"), {
    result: 1,
    json: '[{"id":"b1"}]',
  });
  assertEquals(await supervisor.administer("main", "add", '{"url":1}'), {
    result: 1,
    json: '{"added":{"url":1}}',
  });
  assertEquals(await supervisor.administer("main", "add", "{"), { result: 4 });
  assertEquals(await supervisor.administer("main", "config", "b1"), {
    result: 1,
    json: '{"id":"b1"}',
  });
  assertEquals(await supervisor.administer("main", "enable", "none"), {
    result: 3,
  });
  assertEquals(await errors(proxy, "add"), 0);
  assertEquals(await supervisor.administer("main", "reset", "b1"), {
    result: 4,
  });
  assertEquals(await errors(proxy, "reset"), 1);

  assertEquals(asked, ["enable none"]);
});

Deno.test("dialer: a deleted backend's sessions go elsewhere, with nothing lost, a disabled one's stay", async () => {
  const dialer = new FakeDialer();
  const withAdministrator: BackendDialer = {
    dialUpstream: (context) => dialer.dialUpstream(context),
    administrator: administratorWith(() => 1),
  };
  await using plane = await startPlane({
    cluster: { dialer: "fake" },
    plugins: [dialerPlugin(withAdministrator)],
  });
  const { plane: { websockets }, port } = plane;
  await using client = await WebSocketClient.open(`http://127.0.0.1:${port}/`);
  assertEquals(await client.ask("1"), "b1:1");
  await plane.plane.administer("main", "disable", "b1");
  assertEquals(await client.ask("2"), "b1:2");
  dialer.answer = async (text, { backendId }) => {
    await pause(20);
    return `${backendId}:${text}`;
  };
  for (const text of ["3", "4", "5"]) client.send(text);
  const [session] = websockets.values();
  await eventually(
    "messages on their way",
    () => session!.proxy.messagesReceived === 5,
  );
  await plane.plane.administer("main", "delete", "b1");
  const second = await dialer.connection(2);
  client.send("6");
  assertEquals(await inTime("all answers", client.until(6)), [
    "b1:1",
    "b1:2",
    "b1:3",
    "b1:4",
    "b1:5",
    "b2:6",
  ]);
  const [first] = dialer.connections;
  assertEquals(
    [first!.closure, first!.closed, second.context.leaving],
    [{ type: 32, code: 1000, reason: "" }, 1, "b1"],
  );
});

Deno.test("dialer: without an administrator, or without a dialer, there is nobody to ask", async () => {
  await using proxy = await startWith(new FakeDialer(), {
    clusters: [{ name: "other", backends: [] }],
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
  });
  for (const cluster of ["main", "other", "none"]) {
    assertEquals(await proxy.supervisor.administer(cluster, "list"), undefined);
  }
});

Deno.test("dialer: a name that no plugin has, and one that two have, are refused", async () => {
  const refusals: [string[], object[]][] = [
    [
      ['clusters "main": no plugin has a dialer "fake"; did you mean "fak"?'],
      [dialerPlugin(new FakeDialer(), "fak")],
    ],
    [
      ['plugin "two": the dialer "fake" is already plugin "one"\'s'],
      [
        { ...dialerPlugin(new FakeDialer()), name: "one" },
        { ...dialerPlugin(new FakeDialer()), name: "two" },
      ],
    ],
  ];
  await using proxy = await startProxyWith({});
  for (const [problems, plugins] of refusals) {
    const error = await assertRejects(
      () => proxy.reload(configWith({ cluster: { dialer: "fake" }, plugins })),
      RefusedError,
    );
    assertEquals(error.problems, problems);
  }
});

/** The text of a numbered message, of a length of its own. */
function textFor(i: number): string {
  return `${i}`.padEnd(i % 300, ".");
}

/** A text in a masked frame, as clients send it. */
function maskedFrame(text: string): Uint8Array {
  const payload = bytesOf(text);
  const { length } = payload;
  const head = length < 126
    ? [0x81, 0x80 | length]
    : [0x81, 0xfe, length >> 8, length & 255];
  // A mask of zeros leaves the payload as it is.
  return concatenate([new Uint8Array([...head, 0, 0, 0, 0]), payload]);
}

function maskedTexts(from: number, to: number): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let i = from; i < to; i++) frames.push(maskedFrame(textFor(i)));
  return concatenate(frames);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Reads the texts of whole, unmasked frames; Pings are left out. */
class FrameTexts {
  readonly texts: string[] = [];
  #held: Uint8Array = new Uint8Array(0);

  get count(): number {
    return this.texts.length;
  }

  push(bytes: Uint8Array): void {
    const held = concatenate([this.#held, bytes]);
    let at = 0;
    for (;;) {
      const short = held[at + 1]!;
      const head = short === 126 ? 4 : 2;
      if (at + head > held.length) break;
      const length = short === 126 ? held[at + 2]! << 8 | held[at + 3]! : short;
      const end = at + head + length;
      if (end > held.length) break;
      if (held[at] === 0x81) {
        this.texts.push(textOf(held.slice(at + head, end)));
      }
      at = end;
    }
    this.#held = held.slice(at);
  }
}
