/**
 * WebSocket sessions through the proxy: handshake, messages, failover.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { startPlane } from "../support/plane.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";
import {
  type BackendSocket,
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

/** Long enough for what a sweep sees to. */
function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

function handshake(fields: string[] = [], target = "/"): string {
  return [
    `GET ${target} HTTP/1.1`,
    "Host: a",
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${KEY}`,
    ...fields,
    "",
    "",
  ].join("\r\n");
}

Deno.test("websocket: messages pass both ways, the target and the Close too", async () => {
  await using backend = serveWebSocket("a");
  await using proxy = await startProxyWith({ backends: [backend.url] });
  await using client = await WebSocketClient.open(proxy.url("/chat?x=%20"));
  assertEquals(await client.ask("hi"), "a:hi");
  const large = "x".repeat(300_000);
  assertEquals(await client.ask(large), `a:${large}`);
  const [connection] = backend.connections;
  assertEquals(connection!.target, "/chat?x=%20");
  assertEquals(connection!.headers.get("sec-websocket-extensions"), null);
  assert(connection!.headers.get("x-forwarded-for") !== null);
  const closed = Promise.withResolvers<[number, string]>();
  connection!.socket.onclose = (e) => closed.resolve([e.code, e.reason]);
  client.socket.close(4001, "bye");
  assertEquals(await closed.promise, [4001, "bye"]);
  assertEquals((await client.closed).code, 4001);
});

Deno.test("websocket: a backend's normal Close reaches the client with code and reason", async () => {
  await using backend = serveWebSocket("a");
  await using proxy = await startProxyWith({ backends: [backend.url] });
  await using client = await WebSocketClient.open(proxy.url());
  await client.ask("hi");
  backend.connections[0]!.socket.close(4999, "that is all");
  assertEquals(await client.closed, { code: 4999, reason: "that is all" });
});

Deno.test("websocket: a backend goes, the session stays, and nothing is lost", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  await using proxy = await startProxyWith({ backends: [a.url, b.url] });
  await using client = await WebSocketClient.open(proxy.url("/x"));
  assertEquals(await client.ask("1"), "a:1");
  a.connections[0]!.socket.close(3000);
  assertEquals((await client.closed).code, 3000);
  await using second = await WebSocketClient.open(proxy.url("/x"));
  assertEquals(await second.ask("1"), "b:1");
  b.connections[0]!.socket.close(1000 + 0);
  assertEquals((await second.closed).code, 1000);
});

Deno.test("websocket: a backend that dies is replaced, and its header tells so", async () => {
  await using b = serveWebSocket("b");
  await using a = serveWebSocket("a");
  await using proxy = await startProxyWith({
    backends: [a.url, b.url],
    cluster: { balance: "first" },
  });
  await using client = await WebSocketClient.open(proxy.url("/x?y"));
  assertEquals(await client.ask("1"), "a:1");
  // By then it is known to have read it.
  await delay(300);
  await a[Symbol.asyncDispose]();
  client.send("2");
  assertEquals(await inTime("an answer", client.until(2)), ["a:1", "b:2"]);
  const [connection] = b.connections;
  assertEquals(connection!.target, "/x?y");
  assertEquals(connection!.headers.get("x-balancer-reconnect"), "1");
  const { metrics } = await proxy.report();
  const value = (name: string, labels: Record<string, string>) =>
    metricValue(metrics, `headrace_websocket_${name}`, labels);
  assertEquals(
    [
      value("sessions_open", { cluster: "main", backend: "b" }),
      value("sessions_open", { cluster: "main", backend: "a" }),
      value("failovers_total", { cluster: "main", reason: "closed" }),
    ],
    [1, 0, 1],
  );
});

Deno.test("websocket: a single backend that comes back within the hold keeps its sessions", async () => {
  const a = serveWebSocket("a");
  await using proxy = await startProxyWith({ backends: [a.url] });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "a:1");
  await delay(300);
  await a[Symbol.asyncDispose]();
  client.send("2");
  await using again = serveWebSocket("again", { port: a.port });
  assertEquals(await inTime("an answer", client.until(2)), [
    "a:1",
    "again:2",
  ]);
  assertEquals(again.connections.length, 1);
});

Deno.test("websocket: 1013 where no backend comes back within the hold", async () => {
  const a = serveWebSocket("a");
  await using proxy = await startProxyWith({
    backends: [a.url],
    cluster: { websocket: { hold: "300ms" } },
  });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "a:1");
  await a[Symbol.asyncDispose]();
  assertEquals((await inTime("a Close", client.closed)).code, 1013);
});

Deno.test("websocket: the handshake is judged before a backend hears of it", async () => {
  await using backend = serveWebSocket("a");
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: { websocket: { origins: ["https://ok.example"] } },
  });
  const cases: [string, number][] = [
    [handshake().replace(KEY, "short"), 400],
    [handshake().replace("Version: 13", "Version: 8"), 400],
    [handshake(["Origin: https://evil.example"]), 403],
    [handshake(["Origin: https://ok.example"]), 101],
    [handshake(), 101],
  ];
  for (const [request, status] of cases) {
    using client = await HttpClient.connect(proxy.port());
    await client.send(request);
    assertEquals((await client.response()).status, status, request);
  }
  assertEquals(backend.connections.length, 2);
});

Deno.test("websocket: a 400 for another version names the one that is spoken", async () => {
  await using backend = serveWebSocket("a");
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await HttpClient.connect(proxy.port());
  await client.send(handshake().replace("Version: 13", "Version: 8"));
  const { status, headers } = await client.response();
  assertEquals([status, headers.get("sec-websocket-version")], [400, "13"]);
});

Deno.test("websocket: a 3xx or 4xx is the client's with fields and body, and no other backend is asked", async () => {
  for (const status of [302, 401, 403]) {
    await using a = serveWebSocket("a");
    await using b = serveWebSocket("b");
    a.refuse = () =>
      new Response("no, thanks", {
        status,
        headers: { "www-authenticate": "Basic" },
      });
    await using proxy = await startProxyWith({
      backends: [a.url, b.url],
      cluster: { balance: "first" },
    });
    using client = await HttpClient.connect(proxy.port());
    await client.send(handshake());
    const response = await client.response();
    assertEquals(
      [
        response.status,
        response.headers.get("www-authenticate"),
        response.text,
      ],
      [status, "Basic", "no, thanks"],
    );
    assertEquals(b.connections.length, 0);
  }
});

Deno.test("websocket: 5xx, 2xx and refused connections mean the next backend, 502 after the last", async () => {
  for (const status of [200, 204, 500, 503]) {
    await using a = serveWebSocket("a");
    await using b = serveWebSocket("b");
    a.refuse = () => new Response(null, { status });
    const backends = ["http://127.0.0.1:1", a.url, b.url];
    await using proxy = await startProxyWith({
      backends,
      cluster: { balance: "first", retries: { max: 0 } },
    });
    await using client = await WebSocketClient.open(proxy.url());
    assertEquals(await client.ask("x"), "b:x");
    b.refuse = a.refuse;
    using refused = await HttpClient.connect(proxy.port());
    await refused.send(handshake());
    assertEquals((await refused.response()).status, 502);
  }
});

Deno.test("websocket: subprotocols are agreed on end to end", async () => {
  await using backend = serveWebSocket("a", {
    protocol: "s2",
    headers: { "set-cookie": "a=1", "x-secret": "1" },
  });
  await using proxy = await startProxyWith({ backends: [backend.url] });
  await using client = await WebSocketClient.open(proxy.url(), ["s1", "s2"]);
  assertEquals(client.socket.protocol, "s2");
  using raw = await HttpClient.connect(proxy.port());
  await raw.send(handshake(["Sec-WebSocket-Protocol: s2"]));
  const { headers } = await raw.response();
  assertEquals(
    ["set-cookie", "x-secret", "sec-websocket-accept"].map((name) =>
      headers.get(name)
    ),
    ["a=1", null, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
  );
  // One that was not offered fits nobody.
  using other = await HttpClient.connect(proxy.port());
  await other.send(handshake(["Sec-WebSocket-Protocol: s9"]));
  assertEquals((await other.response()).status, 502);
});

Deno.test("websocket: a reload that drops a backend moves its sessions, a message under way too", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  const parts = { backends: [a.url], cluster: { balance: "first" } };
  await using proxy = await startProxyWith(parts);
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "a:1");
  await proxy.reload(configWith({
    cluster: { balance: "first", backends: [{ id: "b", url: b.url }] },
  }));
  client.send("2");
  await inTime("an answer", client.until(2));
  await eventually("the session on b", () => b.connections.length === 1);
  await eventually(
    "the old connection's end",
    () => a.connections[0]!.socket.readyState === WebSocket.CLOSED,
  );
  assertEquals(await inTime("an answer", client.ask("3")), "b:3");
  assertEquals([...a.connections[0]!.got, ...b.connections[0]!.got].sort(), [
    "1",
    "2",
    "3",
  ]);
});

Deno.test("websocket: a reload that gives a backend another address moves its sessions there", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  await using proxy = await startProxyWith({ backends: [a.url] });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "a:1");
  await proxy.reload(configWith({ backends: [b.url] }));
  await eventually(
    "the old connection's end",
    () => a.connections[0]!.socket.readyState === WebSocket.CLOSED,
  );
  assertEquals(await inTime("an answer", client.ask("2")), "b:2");
  // The same file again moves nobody.
  await proxy.reload(configWith({ backends: [b.url] }));
  assertEquals(await inTime("an answer", client.ask("3")), "b:3");
  assertEquals(b.connections.length, 1);
});

Deno.test("websocket: handlers see the handshake and each dial, and may end the session", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  const seen: string[] = [];
  await using proxy = await startProxyWith({
    backends: [a.url, b.url],
    cluster: { balance: "first" },
    plugins: [
      handlersPlugin("judge", {
        forward: (_request, attempt) => {
          seen.push(`forward ${attempt.backend} ${attempt.reconnect}`);
        },
        readResponse: (_request, response) => {
          seen.push(`readResponse ${response.status}`);
        },
        requestFinish: () => {
          seen.push("requestFinish");
        },
      }),
    ],
  });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "a:1");
  a.refuse = () => new Response(null, { status: 503 });
  b.refuse = () => new Response(null, { status: 401 });
  a.connections[0]!.socket.send("last words");
  await client.until(2);
  proxy.supervisor.changeBackend("a", { state: "drain" });
  await eventually("a dial", () => seen.includes("forward b true"));
  // The move was declined: it stays where it is.
  assertEquals(await client.ask("2"), "a:2");
  assertEquals(seen.filter((each) => !each.startsWith("requestFinish")), [
    "forward a false",
    "readResponse 101",
    "forward b true",
  ]);
});

Deno.test("websocket: a drain of the proxy ends sessions with 1001 when its time is over", async () => {
  await using a = serveWebSocket("a");
  await using plane = await startPlane({ backends: [a.url] });
  await using client = await WebSocketClient.open(
    `http://127.0.0.1:${plane.port}/`,
  );
  await client.ask("1");
  const drained = plane.plane.drain(200);
  assertEquals(await inTime("a Close", client.closed), {
    code: 1001,
    reason: "The proxy shuts down",
  });
  await drained;
});

Deno.test("websocket: a tunnel's origin is judged too, and what is blocked or tells of a re-dial does not pass", async () => {
  await using backend = serveWebSocket("a");
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: {
      websocket: {
        mode: "tunnel",
        origins: ["https://ok.example"],
        blockHeaders: ["X-Secret"],
      },
    },
  });
  const statuses: number[] = [];
  for (const origin of ["https://evil.example", "https://ok.example"]) {
    using client = await HttpClient.connect(proxy.port());
    await client.send(handshake([
      `Origin: ${origin}`,
      "X-Secret: 1",
      "X-Balancer-Reconnect: 1",
      "X_Balancer_Reconnect: 1",
      "X-Headrace-Replayed: 1",
      "X-Own: 1",
    ]));
    statuses.push((await client.response()).status);
  }
  assertEquals(statuses, [403, 101]);
  assertEquals(backend.connections.length, 1);
  const [{ headers }] = backend.connections as [BackendSocket];
  const ours = [...headers.keys()].filter((name) =>
    /^x.(secret|balancer|headrace|own)/.test(name)
  );
  assertEquals(ours, ["x-own"]);
});

Deno.test("websocket: mode tunnel relays bytes, extensions too", async () => {
  await using a = serveWebSocket("a");
  await using proxy = await startProxyWith({
    backends: [a.url],
    cluster: { websocket: { mode: "tunnel" } },
  });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "a:1");
  using raw = await HttpClient.connect(proxy.port());
  await raw.send(
    handshake(["Sec-WebSocket-Extensions: permessage-deflate"]),
  );
  assertEquals((await raw.response()).status, 101);
  assertEquals(
    a.connections.at(-1)!.headers.get("sec-websocket-extensions"),
    "permessage-deflate",
  );
  await assertRejects(() => WebSocketClient.open("http://127.0.0.1:1/"));
});
