/**
 * WebSocket sessions through the proxy: messages, failover.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { startPlane } from "../support/plane.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

/** Long enough for what a sweep sees to. */
function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
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

Deno.test("websocket: a Close with a normal code ends the session, and the next one has the next backend", async () => {
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

Deno.test("websocket: a reload without their cluster and listener leaves sessions where they are, and where they could go", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  await using c = serveWebSocket("c");
  const backends = [a.url, b.url];
  const cluster = { balance: "first", websocket: { replay: "none" } };
  await using proxy = await startProxyWith({ backends, cluster });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "a:1");
  await proxy.reload(configWith({
    listener: { name: "other" },
    cluster: { name: "second", backends: [{ id: "a", url: c.url }] },
  }));
  assertEquals(await inTime("an answer", client.ask("2")), "a:2");
  a.connections[0]!.socket.close(1011);
  await eventually("the failover", () => b.connections.length === 1);
  assertEquals(await inTime("an answer", client.ask("3")), "b:3");
  assertEquals(c.connections.length, 0);
});

Deno.test("websocket: handlers see the handshake and each dial; a planned move that is declined leaves the session where it is", async () => {
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

Deno.test("websocket: where a backend or a handler declines a re-dial, the session ends with 1008 and the reason", async () => {
  const declining = {
    backend: "the backend refuses the session with 401",
    respond: "a handler refuses the session",
    close: "a handler refuses the session",
  };
  for (const [who, reason] of Object.entries(declining)) {
    await using a = serveWebSocket("a");
    await using b = serveWebSocket("b");
    await using c = serveWebSocket("c");
    await using proxy = await startProxyWith({
      backends: [a.url, b.url, c.url],
      cluster: { balance: "first" },
      plugins: [
        handlersPlugin("judge", ({ verdict }) => ({
          sendRequestHeader: (_request, { reconnect }) =>
            !reconnect || who === "backend"
              ? undefined
              : who === "close"
              ? verdict.close
              : verdict.respond({ status: 403 }),
        })),
      ],
    });
    await using client = await WebSocketClient.open(proxy.url());
    assertEquals(await client.ask("1"), "a:1");
    b.refuse = () => new Response("no", { status: 401 });
    a.connections[0]!.socket.close(1011);
    assertEquals(await inTime("a Close", client.closed), {
      code: 1008,
      reason,
    });
    assertEquals(c.connections.length, 0);
  }
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
