/**
 * The handshakes of WebSocket sessions and tunnels through the proxy.
 *
 * @module
 */
import { assertEquals, assertRejects } from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import {
  type BackendSocket,
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

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

Deno.test("websocket: built-in plugins ask, turn away and change fields of a handshake, and of each re-dial", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  const parts = {
    backends: [a.url, b.url],
    cluster: { balance: "first", websocket: { blockHeaders: ["X-Secret"] } },
  };
  await using proxy = await startProxyWith({
    ...parts,
    plugins: [
      {
        use: "builtin:auth-basic",
        options: {
          realm: "x",
          users: ["alice:$apr1$lZL6V/ci$sQw6g73nRuoOIj/gnD18Z."],
          userHeader: "X-Remote-User",
        },
      },
      {
        use: "builtin:headers",
        options: {
          request: { set: { "X-Backend": "%{backend}" }, remove: ["X-Debug"] },
          response: { set: { "X-Edge": "1" } },
        },
      },
    ],
  });
  const answers: unknown[] = [];
  const asking = ["", "alice:wrong", "alice:myPassword"];
  const clients = new DisposableStack();
  using _ = clients;
  for (const pair of asking) {
    const client = clients.use(await HttpClient.connect(proxy.port()));
    await client.send(handshake([
      `Authorization: Basic ${btoa(pair)}`,
      "X-Debug: 1",
      "X-Secret: 1",
      "X-Own: 1",
    ]));
    const { status, headers } = await client.response();
    answers.push([
      status,
      headers.has("www-authenticate"),
      headers.get("x-edge"),
    ]);
  }
  assertEquals(answers, [[401, true, "1"], [401, true, "1"], [
    101,
    false,
    "1",
  ]]);
  a.connections[0]!.socket.close(1011);
  await eventually("the re-dial", () => b.connections.length === 1);
  const own = ({ headers }: BackendSocket) =>
    [...headers].filter(([name]) =>
      /^(x-(?!forwarded)|authorization)/.test(name)
    );
  assertEquals(own(a.connections[0]!), [
    ["x-backend", "a"],
    ["x-own", "1"],
    ["x-remote-user", "alice"],
  ]);
  assertEquals(own(b.connections[0]!), [
    ["x-backend", "b"],
    ["x-balancer-reconnect", "1"],
    ["x-own", "1"],
    ["x-remote-user", "alice"],
  ]);
  await using blocking = await startProxyWith({
    ...parts,
    plugins: [{
      use: "builtin:block",
      options: { at: "request", block: { addresses: ["127.0.0.0/8"] } },
    }],
  });
  using turnedAway = await HttpClient.connect(blocking.port());
  await turnedAway.send(handshake());
  assertEquals((await turnedAway.response()).status, 403);
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
