/**
 * WebSocket sessions whose clients, backends and operators do things at the
 * worst time.
 *
 * @module
 */
import { AdminClient } from "../support/admin_client.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { FrameTexts, maskedFrame } from "../support/raw_frames.ts";
import { latin1Bytes } from "../support/latin1.ts";
import { RawClient } from "../support/raw_client.ts";
import {
  serveWebSocket,
  type WebSocketBackend,
  WebSocketClient,
} from "../support/websocket_backend.ts";

function startAdmin(
  backends: readonly { readonly url: string }[],
  cluster: object = {},
): Promise<AdminClient> {
  return AdminClient.start({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{
      name: "main",
      backends: backends.map(({ url }, i) => ({ id: `b${i}`, url })),
      ...cluster,
    }],
    workers: 1,
    log: { level: "error" },
  });
}

const HANDSHAKE = [
  "GET / HTTP/1.1",
  "Host: h",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

function handshake(...more: string[]): string {
  return [...HANDSHAKE, ...more, "", ""].join("\r\n");
}

function open({ connections }: WebSocketBackend): number {
  return connections.filter(({ socket }) => socket.readyState <= WebSocket.OPEN)
    .length;
}

/** Takes connections, and says nothing on them. */
function serveSilence(): AsyncDisposable & {
  readonly port: number;
  readonly taken: number;
} {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.Conn[] = [];
  const run = (async () => {
    for await (const conn of listener) conns.push(conn);
  })();
  return {
    port: listener.addr.port,
    get taken() {
      return conns.length;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await run;
      for (const conn of conns) conn.close();
    },
  };
}

Deno.test("races: clients that leave while another backend is dialled harm nobody", async () => {
  await using first = serveWebSocket("first");
  await using silent = serveSilence();
  await using admin = await startAdmin([
    first,
    { url: `http://127.0.0.1:${silent.port}` },
  ], { balance: "first" });
  const clients: WebSocketClient[] = [];
  for (let i = 0; i < 5; i++) {
    clients.push(await WebSocketClient.open(admin.proxy.url()));
  }
  for (const { socket } of first.connections) socket.close(1011);
  await eventually("five dials", () => silent.taken === 5);
  const list = await admin.json("/api/websockets");
  assertEquals(
    list.websockets.map(({ state }: { state: string }) => state),
    Array(5).fill("dialling"),
  );
  for (const client of clients) await client[Symbol.asyncDispose]();
  await eventually(
    "no session",
    async () => (await admin.json("/api/websockets")).websocketsOpen === 0,
  );
  const { sessionsOpen } = await admin.proxy.report();
  assertEquals(sessionsOpen, 0);
  await using next = await WebSocketClient.open(admin.proxy.url());
  assertEquals(await next.ask("1"), "first:1");
});

Deno.test("races: a client that leaves while a planned move is dialled has no other backend dialled", async () => {
  await using first = serveWebSocket("first");
  await using silent = serveSilence();
  await using third = serveSilence();
  await using admin = await startAdmin([
    first,
    { url: `http://127.0.0.1:${silent.port}` },
    { url: `http://127.0.0.1:${third.port}` },
  ], { balance: "first" });
  const client = await WebSocketClient.open(admin.proxy.url());
  await client.ask("up");
  const [{ id }] = await admin.json("/session/list");
  await admin.ask("POST", `/session/failover/${id}`);
  await eventually("the dial", () => silent.taken === 1);
  await client[Symbol.asyncDispose]();
  await eventually(
    "no session",
    async () => (await admin.json("/api/websockets")).websocketsOpen === 0,
  );
  // A dial would be there long before this answer.
  await admin.json("/api/websockets");
  assertEquals(third.taken, 0);
});

Deno.test("races: a backend that dies while a planned move is dialled is replaced once, and nothing stays of the first dial", async () => {
  await using first = serveWebSocket("first");
  await using silent = serveSilence();
  await using third = serveWebSocket("third");
  await using admin = await startAdmin([
    first,
    { url: `http://127.0.0.1:${silent.port}` },
    third,
  ], { balance: "first" });
  await using client = await WebSocketClient.open(admin.proxy.url());
  await client.ask("up");
  const [{ id }] = await admin.json("/session/list");
  await admin.ask("POST", `/session/failover/${id}`);
  await eventually("the dial", () => silent.taken === 1);
  // The next search is not to hang in the same place.
  await admin.ask("POST", "/backend/disable/b1");
  first.connections[0]!.socket.close(1011);
  assertEquals(await inTime("an answer", client.ask("1")), "third:1");
  assertEquals(third.connections.length, 1);
  const loads = async () =>
    (await admin.json("/api/backends")).backends
      .map(({ load }: { load: number }) => load);
  await eventually(
    "one session's load",
    async () => JSON.stringify(await loads()) === "[0,0,1]",
  );
});

Deno.test("races: failovers one upon another are one move each, and every message is answered", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  await using admin = await startAdmin([a, b]);
  await using client = await WebSocketClient.open(admin.proxy.url());
  await client.ask("up");
  const [{ id }] = await admin.json("/session/list");
  for (let round = 0; round < 5; round++) {
    const sent = [0, 1, 2, 3].map((i) => `${round}.${i}`);
    const answers = client.got.length + sent.length;
    client.send(sent[0]!);
    await Promise.all([
      admin.ask("POST", `/session/failover/${id}`),
      admin.ask("POST", `/session/failover/${id}`),
      admin.ask("POST", `/backend/failover/b0`),
      admin.ask("POST", `/backend/failover/b1`),
    ]);
    for (const text of sent.slice(1)) client.send(text);
    const got = await inTime("all answers", client.until(answers));
    assertEquals(got.slice(-4).map((text) => text.slice(2)), sent);
    await eventually(
      "one backend's connection",
      () => open(a) + open(b) === 1,
    );
  }
});

Deno.test("races: a client's bad handshakes count against no backend", async () => {
  await using backend = serveWebSocket("a");
  await using admin = await startAdmin([backend], {
    breaker: { failures: 2, reset: "10s" },
  });
  const bad = [
    handshake("Sec-WebSocket-Key: AAAA").replace("Version: 13", "Version: 12"),
    handshake().replace(/Sec-WebSocket-Key.*\r\n/, ""),
    handshake().replace("dGhlIHNhbXBsZSBub25jZQ==", "short"),
  ];
  for (let i = 0; i < 9; i++) {
    using client = await RawClient.connect(admin.proxy.port());
    await client.send(bad[i % 3]!);
    assertEquals((await client.response()).status, 400);
  }
  const [listed] = await admin.json("/backend/list");
  assertEquals([listed.tripped, listed.totalFailures], [false, 0]);
  // Whatever extensions it offers, as browsers do.
  using client = await RawClient.connect(admin.proxy.port());
  await client.send(handshake(
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
  ));
  const { status, head } = await client.response();
  assertEquals(status, 101);
  assert(!head.toLowerCase().includes("extensions"));
});

Deno.test("races: backends killed in turn under a breaker keep all sessions", async () => {
  const a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  const { port } = a;
  await using admin = await startAdmin([a, b], {
    breaker: { failures: 1, reset: "100ms" },
  });
  const clients: WebSocketClient[] = [];
  for (let i = 0; i < 10; i++) {
    clients.push(await WebSocketClient.open(admin.proxy.url()));
  }
  await a[Symbol.asyncDispose]();
  for (const client of clients) {
    assertEquals(await inTime("an answer", client.ask("1")), "b:1");
  }
  await using again = serveWebSocket("a", { port });
  await b[Symbol.asyncDispose]();
  // The breaker of a is open or half open: one probe decides for all of them.
  const answers = await inTime(
    "all answers",
    Promise.all(clients.map((client) => client.ask("2"))),
  );
  assertEquals(answers, Array(10).fill("a:2"));
  assertEquals(open(again), 10);
  const { metrics } = await admin.proxy.report();
  assertEquals(
    ["lost", "closed"].map((reason) =>
      metricValue(metrics, "headrace_websocket_failovers_total", {
        cluster: "main",
        reason,
      })
    ).reduce((sum, one) => sum + one, 0) >= 15,
    true,
  );
  for (const client of clients) await client[Symbol.asyncDispose]();
});

Deno.test("races: a client that ends its direction without a Close is 1001 for its backend", async () => {
  await using backend = serveWebSocket("a");
  await using admin = await startAdmin([backend]);
  const client = await RawClient.connect(admin.proxy.port());
  await client.send(handshake());
  assertEquals((await client.response()).status, 101);
  await client.send(maskedFrame("last words"));
  const [connection] = backend.connections;
  const closed = new Promise<number>((resolve) =>
    connection!.socket.onclose = ({ code }) => resolve(code)
  );
  await eventually("the message", () => connection!.got.length === 1);
  client[Symbol.dispose]();
  assertEquals(await inTime("the Close", closed), 1001);
});

Deno.test("races: a client that does not read holds its backend back, and then gets all in order", async () => {
  const size = 50_000;
  const count = 200;
  await using backend = serveWebSocket("a", { answer: () => null });
  await using admin = await startAdmin([backend]);
  using client = await RawClient.connect(admin.proxy.port());
  await client.send(handshake());
  assertEquals((await client.response()).status, 101);
  client.pause();
  const [connection] = backend.connections;
  for (let i = 0; i < count; i++) {
    connection!.socket.send(`${i}`.padEnd(size, "."));
  }
  const held = async () =>
    (await admin.json("/api/websockets")).websockets[0].buffered as number;
  await eventually("a wait", async () => await held() > 0);
  assert(await held() < 2 << 20, `${await held()} bytes held`);
  client.resume();
  await client.until(
    "all of it",
    () => client.received.length >= count * (size + 4),
  );
  const texts = new FrameTexts();
  texts.push(latin1Bytes(client.received));
  assertEquals(texts.texts.length, count);
  texts.texts.forEach((text, i) => assertEquals(parseInt(text), i));
});

Deno.test("races: both backends deleted while sessions move: they wait, and go to what is added", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  await using c = serveWebSocket("c");
  await using admin = await startAdmin([a, b]);
  await using client = await WebSocketClient.open(admin.proxy.url());
  await client.ask("up");
  await Promise.all([
    admin.ask("POST", "/backend/delete/b0"),
    admin.ask("POST", "/backend/delete/b1"),
  ]);
  await admin.ask("POST", "/backend/add", { url: c.url.replace("http", "ws") });
  await eventually(
    "the session's move",
    async () =>
      (await admin.json("/session/list"))[0].backendId ===
        `127-0-0-1-${c.port}`,
  );
  assertEquals(await inTime("an answer", client.ask("1")), "c:1");
});

Deno.test("races: a handler that works on a dial that was given up does not disturb the next one", async () => {
  await using first = serveWebSocket("first");
  await using second = serveWebSocket("second");
  const works: (() => void)[] = [];
  await using admin = await AdminClient.start({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{
      name: "main",
      balance: "first",
      backends: [first, second].map(({ url }, i) => ({ id: `b${i}`, url })),
    }],
    plugins: [
      handlersPlugin("slow", {
        resolve: (_request, { reconnect }) =>
          reconnect
            ? new Promise<undefined>((resolve) =>
              works.push(() => resolve(undefined))
            )
            : undefined,
      }),
    ],
    workers: 1,
    log: { level: "error" },
  });
  await using client = await WebSocketClient.open(admin.proxy.url());
  await client.ask("up");
  const [{ id }] = await admin.json("/session/list");
  await admin.ask("POST", `/session/failover/${id}`);
  await eventually("the planned dial", () => works.length === 1);
  first.connections[0]!.socket.close(1011);
  await eventually("the next dial", () => works.length === 2);
  works[0]!();
  await admin.json("/session/list");
  works[1]!();
  const answer = client.ask("1");
  await eventually(
    "an answer or a third dial",
    () => works.length > 2 || client.got.length > 1,
  );
  assertEquals(works.length, 2);
  assertEquals(await inTime("an answer", answer), "second:1");
});
