/**
 * wsbalancer's routes, to the byte, with WebSocket sessions in one and in two
 * workers: cases 59 to 79 of its behaviour.
 *
 * @module
 */
import { AdminClient } from "../support/admin_client.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import {
  serveWebSocket,
  type WebSocketBackend,
  WebSocketClient,
} from "../support/websocket_backend.ts";

const S = '200 {"result":"success"}';
const N = '200 {"result":"success", "reason":"NoActionRequired"}';
const F = '200 {"result":"failed"}';

interface Options {
  readonly workers?: number;
  readonly cluster?: object;
  readonly clusters?: readonly object[];
  readonly listeners?: readonly object[];
  readonly admin?: object;
}

/** Cluster `main` with backends b0, b1, … and whatever else. */
function configOf(
  backends: readonly { readonly url: string }[],
  { workers = 1, cluster, clusters = [], listeners, admin }: Options = {},
) {
  return {
    listeners: listeners ?? [{ name: "web", address: "127.0.0.1:0" }],
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
    clusters: [{
      name: "main",
      backends: backends.map(({ url }, i) => ({ id: `b${i}`, url })),
      ...cluster,
    }, ...clusters],
    ...(admin !== undefined && { admin }),
    workers,
    log: { level: "error" },
  };
}

/** The URL as wsbalancer writes it. */
function ws({ url }: { readonly url: string }): string {
  return url.replace("http:", "ws:");
}

function listed(url: string, id: string, further: object = {}) {
  return {
    url,
    id,
    activeConnections: 0,
    enabled: true,
    tripped: false,
    totalConnections: 0,
    totalFailures: 0,
    ...further,
  };
}

/** So many sessions; each has answered once. */
async function openSessions(
  admin: AdminClient,
  count: number,
): Promise<WebSocketClient[] & AsyncDisposable> {
  const clients: WebSocketClient[] = [];
  for (let i = 0; i < count; i++) {
    const client = await WebSocketClient.open(admin.proxy.url(`/s?n=${i}`));
    await client.ask("hello");
    clients.push(client);
  }
  return Object.assign(clients, {
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client[Symbol.asyncDispose]();
    },
  });
}

/** How many sessions are on each backend. */
async function spread(admin: AdminClient): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { backendId } of await admin.json("/session/list")) {
    counts[backendId] = (counts[backendId] ?? 0) + 1;
  }
  return counts;
}

function openConnections({ connections }: WebSocketBackend): number {
  return connections.filter(({ socket }) =>
    socket.readyState === WebSocket.OPEN
  ).length;
}

// -------------------------------------------------------------------- backends

Deno.test("wsbalancer: /backend/list tells all clusters' backends, enabled ones first, by any method", async () => {
  await using a = serveWebSocket("a");
  const other = { name: "other", backends: [{ url: "unix:/run/o.sock" }] };
  await using admin = await AdminClient.start(
    configOf([a, { url: "http://127.0.0.1:1/base" }], { clusters: [other] }),
  );
  const b0 = listed(ws(a), "b0");
  const b1 = listed("ws://127.0.0.1:1/base", "b1");
  const o = listed("unix:/run/o.sock", "unix:/run/o.sock");
  assertEquals(await admin.get("/backend/list"), JSON.stringify([b0, b1, o]));
  assertEquals(await admin.post("/backend/disable/b0"), S);
  const disabled = { ...b0, enabled: false };
  const expected = JSON.stringify([b1, o, disabled]);
  for (const method of ["GET", "POST", "PUT"]) {
    const { text } = await admin.ask(method, "/backend/list?x=1");
    assertEquals(text, expected);
  }
  // Whoever is enabled stands last.
  assertEquals(await admin.post("/backend/enable/b0"), S);
  assertEquals(await admin.get("/backend/list"), JSON.stringify([b1, o, b0]));
  await admin.post("/backend/disable/b1");
  await admin.post("/backend/disable/b0");
  assertEquals(
    (await admin.json("/backend/list")).map(({ id }: { id: string }) => id),
    ["unix:/run/o.sock", "b1", "b0"],
  );
});

Deno.test("wsbalancer: /backend/list counts connections and failures, and tells what is tripped", async () => {
  await using a = serveWebSocket("a");
  await using admin = await AdminClient.start(
    configOf([a, { url: "http://127.0.0.1:1" }], {
      cluster: { breaker: { failures: 1, reset: "1h" } },
    }),
  );
  await using _clients = await openSessions(admin, 2);
  assertEquals(await admin.json("/backend/list"), [
    listed(ws(a), "b0", { activeConnections: 2, totalConnections: 2 }),
    listed("ws://127.0.0.1:1", "b1", { tripped: true, totalFailures: 1 }),
  ]);
  assertEquals(await admin.post("/backend/reset/b1"), S);
  assertEquals(await admin.post("/backend/reset/b1"), N);
  assertEquals(await admin.post("/backend/reset/b0"), N);
  assertEquals(await admin.post("/backend/reset/nobody"), F);
  assertEquals((await admin.json("/backend/list"))[1].tripped, false);
});

Deno.test("wsbalancer: /backend/config/ tells the settings in its words", async () => {
  const cluster = {
    websocket: {
      pingInterval: "10m",
      passHeaders: [],
      abnormalCodes: [1006, 1001],
    },
    breaker: { failures: 7 },
    timeouts: { connect: "500ms", response: "9500ms" },
  };
  await using admin = await AdminClient.start(
    configOf([{ url: "ws://127.0.0.1:9101" }], { cluster }),
  );
  assertEquals(
    await admin.get("/backend/config/b0"),
    '{"url":"ws://127.0.0.1:9101","id":"b0","ping-time":"10m0s","read-buffer-size":33792,"write-buffer-size":33792,"breaker-threshold":7,"handshake-timeout":"10s","pass-headers":null,"abnormal-close-codes":[1006,1001]}',
  );
  assertEquals(await admin.get("/backend/config/nobody"), "{}");
  assertEquals((await admin.ask("POST", "/backend/config/b0")).status, 200);
});

Deno.test("wsbalancer: what /backend/config/ tells can be deleted and added again", async () => {
  const backends = [
    { id: 'q"1', url: "http://127.0.0.1:9101", weight: 3, backup: true },
    { id: "b1", url: "http://127.0.0.1:9102", maxConnections: 9 },
  ];
  await using admin = await AdminClient.start(
    configOf([], { cluster: { backends } }),
  );
  for (const id of ["q%221", "b1"]) {
    const before = await admin.get(`/backend/config/${id}`);
    const { config } = admin.proxy.supervisor;
    assertEquals(await admin.post(`/backend/delete/${id}`), S);
    assertEquals(await admin.get(`/backend/config/${id}`), "{}");
    assertEquals(await admin.post("/backend/add", before), S);
    assertEquals(await admin.get(`/backend/config/${id}`), before);
    assert(admin.proxy.supervisor.config !== config);
  }
  assertEquals(
    admin.proxy.supervisor.config.clusters[0]!.subclusters[0]!.backends.map((
      { id, weight, backup, maxConnections },
    ) => ({ id, weight, backup, maxConnections })),
    [
      { id: 'q"1', weight: 3, backup: true, maxConnections: undefined },
      { id: "b1", weight: 1, backup: false, maxConnections: 9 },
    ],
  );
});

for (const workers of [1, 2]) {
  Deno.test(`wsbalancer: /backend/add serves at once in all of ${workers} workers`, async () => {
    await using a = serveWebSocket("a");
    await using b = serveWebSocket("b");
    await using admin = await AdminClient.start(configOf([a], { workers }));
    assertEquals(await admin.post("/backend/disable/b0"), S);
    assertEquals(await admin.post("/backend/add", { url: ws(b) }), S);
    const id = `127-0-0-1-${b.port}`;
    assertEquals(
      await admin.get("/backend/list"),
      JSON.stringify([
        listed(ws(b), id),
        listed(ws(a), "b0", { enabled: false }),
      ]),
    );
    await using clients = await openSessions(admin, 6);
    assertEquals(clients.length, 6);
    assertEquals(await spread(admin), { [id]: 6 });
    assertEquals(openConnections(b), 6);
  });

  Deno.test(`wsbalancer: /backend/disable keeps live sessions and new ones away, in ${workers} workers`, async () => {
    await using a = serveWebSocket("a");
    await using b = serveWebSocket("b");
    await using admin = await AdminClient.start(configOf([a, b], { workers }));
    await using clients = await openSessions(admin, 4);
    const before = await spread(admin);
    assertEquals(await admin.post("/backend/disable/b0"), S);
    assertEquals(await admin.post("/backend/disable/b0"), N);
    assertEquals(await admin.post("/backend/disable/nobody"), N);
    await using later = await openSessions(admin, 4);
    const after = await spread(admin);
    assertEquals([after.b0 ?? 0, after.b1], [
      before.b0 ?? 0,
      (before.b1 ?? 0) + 4,
    ]);
    for (const client of [...clients, ...later]) await client.ask("still");
    assertEquals(await admin.post("/backend/enable/b0"), S);
    assertEquals(await admin.post("/backend/enable/b0"), N);
    assertEquals(await admin.post("/backend/enable/nobody"), F);
    await using last = await openSessions(admin, 4);
    assertEquals(last.length, 4);
    assert((await spread(admin)).b0! > (before.b0 ?? 0));
  });

  Deno.test(`wsbalancer: /backend/failover moves all sessions of a backend elsewhere, in ${workers} workers`, async () => {
    await using a = serveWebSocket("a");
    await using b = serveWebSocket("b");
    await using admin = await AdminClient.start(configOf([a, b], { workers }));
    await using clients = await openSessions(admin, 8);
    const before = await spread(admin);
    assertEquals(before.b0! + before.b1!, 8);
    assertEquals(await admin.post("/backend/failover/b0"), S);
    await eventually("all on b1", async () => (await spread(admin)).b1 === 8);
    for (const client of clients) {
      assertEquals(await inTime("an answer", client.ask("x")), "b:x");
    }
    await eventually("a is left", () => openConnections(a) === 0);
    assertEquals(await admin.post("/backend/failover/b0"), N);
    assertEquals(await admin.post("/backend/failover/nobody"), N);
    const reconnects = (await admin.json("/session/list"))
      .reduce(
        (sum: number, { reconnects }: { reconnects: number }) =>
          sum + reconnects,
        0,
      );
    assertEquals(reconnects, before.b0);
  });

  Deno.test(`wsbalancer: /backend/delete moves its sessions and loses no message, in ${workers} workers`, async () => {
    await using a = serveWebSocket("a");
    await using b = serveWebSocket("b");
    await using admin = await AdminClient.start(configOf([a, b], { workers }));
    await using clients = await openSessions(admin, 6);
    for (const client of clients) client.send("under way");
    assertEquals(await admin.post("/backend/delete/b0"), S);
    assertEquals(await admin.post("/backend/delete/b0"), N);
    assertEquals(await admin.post("/backend/delete/nobody"), N);
    for (const client of clients) {
      await inTime("its answer", client.until(2));
      assertStringIncludes(client.got[1]!, ":under way");
    }
    await eventually("all on b1", async () => (await spread(admin)).b1 === 6);
    await eventually("a is left", () => openConnections(a) === 0);
    for (const client of clients) {
      assertEquals(await inTime("an answer", client.ask("x")), "b:x");
    }
    assertEquals(
      (await admin.json("/backend/list")).map(({ id }: { id: string }) => id),
      ["b1"],
    );
  });

  Deno.test(`wsbalancer: /session/list, abort and failover reach whichever of ${workers} workers`, async () => {
    await using a = serveWebSocket("a");
    await using b = serveWebSocket("b");
    await using admin = await AdminClient.start(
      configOf([a, b], { workers, cluster: { balance: "first" } }),
    );
    assertEquals(await admin.get("/session/list"), "[]");
    await using clients = await openSessions(admin, 4);
    const sessions = await admin.json("/session/list");
    assertEquals(sessions.length, 4);
    for (const [n, client] of clients.entries()) {
      const uri = `/s?n=${n}`;
      const found = sessions.find((one: { uri: string }) => one.uri === uri);
      const { id } = found;
      assertEquals(found, {
        id,
        uri,
        backendId: "b0",
        reconnects: 0,
        msgsReceived: 1,
        msgsSent: 1,
      });
      assertEquals(await admin.post(`/session/failover/${id}`), S);
      // Its backend's connection stands before the session goes there.
      await eventually("it moves", async () => {
        const now = await admin.json("/session/list");
        return now.some((one: { id: string; backendId: string }) =>
          one.id === id && one.backendId === "b1"
        );
      });
      assertEquals(openConnections(b), n + 1);
      assertEquals(await inTime("an answer", client.ask("x")), "b:x");
    }
    for (const [n, { id }] of sessions.entries()) {
      assertEquals(await admin.post(`/session/abort/${id}?why=x`), S);
      assertEquals(await admin.post(`/session/abort/${id}`), N);
      assertEquals((await admin.json("/session/list")).length, 3 - n);
    }
    for (const client of clients) {
      assertEquals((await inTime("a Close", client.closed)).code, 1000);
    }
    assertEquals(await admin.post("/session/abort/nobody"), N);
    assertEquals(await admin.post("/session/failover/nobody"), F);
  });

  Deno.test(`wsbalancer: /frontend/pause refuses what is new in all of ${workers} workers, sessions and their failovers go on`, async () => {
    await using a = serveWebSocket("a");
    await using b = serveWebSocket("b");
    const config = configOf([a, b], {
      workers,
      cluster: { balance: "first" },
      listeners: [
        { name: "web", address: "127.0.0.1:0" },
        {
          name: "bytes",
          address: "127.0.0.1:0",
          protocol: "tcp",
          cluster: "t",
        },
      ],
      clusters: [{ name: "t", backends: [] }],
    });
    await using admin = await AdminClient.start(config);
    const port = admin.proxy.port();
    const id = `127-0-0-1-${port}`;
    assertEquals(await admin.get("/frontend/list"), `[{"id":"${id}"}]`);
    await using clients = await openSessions(admin, 4);
    using kept = await HttpClient.connect(port);
    await kept.get();

    assertEquals(await admin.post(`/frontend/pause/${id}`), S);
    assertEquals(await admin.post(`/frontend/pause/${id}`), N);
    assertEquals(await admin.post("/frontend/pause/nobody"), F);
    for (let i = 0; i < 8; i++) {
      using client = await HttpClient.connect(port);
      const { status, headers, text } = await client.get();
      assertEquals(
        [status, headers.get("content-type"), text],
        [503, "text/plain; charset=utf-8", "Service Unavailable\n"],
      );
      await assertRejects(() => WebSocketClient.open(admin.proxy.url()));
    }
    assertEquals((await kept.get()).status, 503);
    assertEquals(await admin.post("/backend/failover/b0"), S);
    await eventually("all on b1", async () => (await spread(admin)).b1 === 4);
    for (const client of clients) {
      assertEquals(await inTime("an answer", client.ask("x")), "b:x");
    }
    // A reload changes nothing of it.
    await admin.reload({ ...config, drain: { timeout: "1s" } });
    assertEquals(await admin.post(`/frontend/pause/${id}`), N);
    assertEquals((await kept.get()).status, 503);

    assertEquals(await admin.post(`/frontend/resume/${id}`), S);
    assertEquals(await admin.post(`/frontend/resume/${id}`), N);
    assertEquals(await admin.post("/frontend/resume/nobody"), F);
    await using later = await openSessions(admin, 4);
    assertEquals(later.length, 4);
    assertEquals((await kept.get()).text, "a");
  });
}

Deno.test("wsbalancer: sessions stay where no other backend would take them", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  await using admin = await AdminClient.start(configOf([a]));
  await using clients = await openSessions(admin, 2);
  assertEquals(await admin.post("/backend/failover/b0"), N);
  const [{ id }] = await admin.json("/session/list");
  assertEquals(await admin.post(`/session/failover/${id}`), N);
  assertEquals(await admin.post("/backend/add", { url: ws(b), id: "b1" }), S);
  assertEquals(await admin.post(`/session/failover/${id}`), S);
  // Again and again is the same as once (case 48).
  await admin.post(`/session/failover/${id}`);
  await eventually("one moved", async () => (await spread(admin)).b1 === 1);
  for (const client of clients) await inTime("an answer", client.ask("x"));
  assertEquals(await spread(admin), { b0: 1, b1: 1 });
});

Deno.test("wsbalancer: the only backend deleted: its sessions wait for another, then go there", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  await using admin = await AdminClient.start(configOf([a]));
  await using clients = await openSessions(admin, 2);
  assertEquals(await admin.post("/backend/delete/b0"), S);
  assertEquals(await admin.get("/backend/list"), "[]");
  using client = await HttpClient.connect(admin.proxy.port());
  assertEquals((await client.get()).status, 503);
  assertEquals(await admin.post("/backend/add", { url: ws(b), id: "b" }), S);
  await eventually("they come", async () => (await spread(admin)).b === 2);
  for (const client of clients) {
    assertEquals(await inTime("an answer", client.ask("x")), "b:x");
  }
});

// -------------------------------------------------------------------- refusals

Deno.test("wsbalancer: other methods than POST are told so, before anything else", async () => {
  await using admin = await AdminClient.start(configOf([]));
  for (
    const path of [
      "/backend/add",
      ...["disable", "enable", "failover", "reset", "delete"].flatMap((
        verb,
      ) => [
        `/backend/${verb}/x`,
        `/backend/${verb}/`,
      ]),
      "/session/abort/x",
      "/session/failover/x",
      "/frontend/pause/x",
      "/frontend/resume/x",
    ]
  ) {
    for (const method of ["GET", "PUT", "DELETE"]) {
      assertEquals(await admin.ask(method, path), {
        status: 400,
        text: '{"result":"failed", "reason":"OnlyPostAllowed"}',
      });
    }
  }
});

Deno.test("wsbalancer: a missing id is 404 in JSON", async () => {
  await using admin = await AdminClient.start(configOf([]));
  for (
    const path of [
      "/backend/disable/",
      "/backend/delete/?id=b0",
      "/session/abort/",
      "/frontend/pause/",
      "/backend/config/",
    ]
  ) {
    const { status, text } = await admin.ask("POST", path);
    assertEquals([status, JSON.parse(text).result], [404, "failed"], path);
  }
});

Deno.test("wsbalancer: ids are decoded, the query is none of them, JSON is escaped", async () => {
  const id = 'q"x/é?%41';
  const path = encodeURIComponent(id);
  await using admin = await AdminClient.start(
    configOf([], {
      cluster: { backends: [{ id, url: "http://127.0.0.1:1" }] },
    }),
  );
  assertEquals((await admin.json("/backend/list"))[0].id, id);
  assertEquals(await admin.post(`/backend/disable/${path}?x=1`), S);
  assertEquals((await admin.json(`/backend/config/${path}`)).id, id);
  assertEquals(await admin.post(`/backend/delete/${path}`), S);
  assertEquals(await admin.post("/backend/delete/%zz"), N);
  // What it wrote into a path as it stands still means the same.
  assertEquals(
    await admin.post("/backend/add", { url: "unix:/run/b.sock", id: "u:/b" }),
    S,
  );
  assertEquals(await admin.post("/backend/delete/u:/b"), S);
});

Deno.test("wsbalancer: /backend/add says what is wrong, and nothing is added", async () => {
  await using admin = await AdminClient.start(
    configOf([{ url: "http://127.0.0.1:9101" }]),
  );
  const before = await admin.get("/backend/list");
  const url = "ws://127.0.0.1:9102";
  for (
    const [body, status, answer] of [
      ["{", 200, '{"result":"failed"}'],
      ["", 200, '{"result":"failed"}'],
      ["[]", 200, '{"result":"failed"}'],
      ["{}", 200, '{"result":"failed","reason":"no url present in request"}'],
      [
        '{"url":""}',
        200,
        '{"result":"failed","reason":"no url present in request"}',
      ],
      [
        '{"url":"http://127.0.0.1:9101/","id":"other"}',
        200,
        '{"result":"failed","reason":"url already exists"}',
      ],
      [{ url: "garbage" }, 400, "backend url: expected http://host:port"],
      [{ url: 3 }, 400, "backend url: expected a URL"],
      [{ url, id: "a b" }, 400, "backend id: expected a name"],
      [
        { url, ids: "x" },
        400,
        'backend ids: unknown key, did you mean \\"id\\"',
      ],
      [{ url, id: "b0" }, 409, "backend id: expected one that no other"],
      [{ url, "ping-time": "0s" }, 400, "ping-time: expected a duration above"],
      [
        { url, "ping-time": "-5s" },
        400,
        "ping-time: expected a duration above",
      ],
      [{ url, "ping-time": 5 }, 400, "ping-time: expected a duration above"],
      [{ url, "ping-time": "5m" }, 400, 'ping-time: expected \\"20s\\" or not'],
      [{ url, "read-buffer-size": -1 }, 400, "read-buffer-size: expected a w"],
      [{ url, "breaker-threshold": 10 }, 400, "breaker-threshold: expected -1"],
      [{ url, "pass-headers": ["X-A"] }, 400, 'pass-headers: expected [\\"'],
      [{ url, "pass-headers": "X" }, 400, "pass-headers: expected a list"],
      [{ url, "abnormal-close-codes": [99] }, 400, "abnormal-close-codes: exp"],
      [{ url, subcluster: "east" }, 400, "backend subcluster: expected one of"],
    ] as const
  ) {
    const said = await admin.ask("POST", "/backend/add", body);
    assertEquals(said.status, status, JSON.stringify(body));
    assertStringIncludes(said.text, answer);
    assertEquals(JSON.parse(said.text).result, "failed");
  }
  assertEquals(await admin.get("/backend/list"), before);
  // As the cluster has it is right, in any spelling.
  assertEquals(
    await admin.post("/backend/add", {
      url,
      "ping-time": "0h0m20.0s",
      "read-buffer-size": 1024,
      "breaker-threshold": -5,
      "pass-headers": ["set-cookie"],
      "abnormal-close-codes": [1013, 1012, 1011, 1006, 1005, 1001],
    }),
    S,
  );
});

Deno.test("wsbalancer: /backend/add: two at once with one id, one is added", async () => {
  await using admin = await AdminClient.start(configOf([], { workers: 2 }));
  const answers = await Promise.all(
    [1, 2, 3].map((port) =>
      admin.post("/backend/add", { id: "x", url: `ws://127.0.0.1:${port}` })
    ),
  );
  assertEquals(answers.filter((answer) => answer === S).length, 1);
  assertEquals((await admin.json("/backend/list")).length, 1);
});

Deno.test("wsbalancer: /backend/add goes to admin.backendCluster, to the only cluster without it", async () => {
  const clusters = [{ name: "other", backends: [] }];
  await using admin = await AdminClient.start(configOf([], { clusters }));
  const body = { url: "ws://127.0.0.1:1", id: "x" };
  const said = await admin.ask("POST", "/backend/add", body);
  assertEquals([said.status, JSON.parse(said.text)], [409, {
    result: "failed",
    reason: "Cannot choose a cluster: admin.backendCluster must name one",
  }]);
  // It takes effect with a reload, which says nothing of a restart.
  await admin.reload(
    configOf([], { clusters, admin: { backendCluster: "other" } }),
  );
  assertEquals(await admin.post("/backend/add", body), S);
  const { backends } = await admin.json("/api/backends");
  assertEquals(
    backends.map(({ id, cluster }: Record<string, string>) => [id, cluster]),
    [["x", "other"]],
  );
  assert(!admin.proxy.logged.some((line) => line.includes("next start")));
});
