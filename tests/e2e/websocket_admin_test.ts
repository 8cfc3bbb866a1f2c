/**
 * What operators do to WebSocket sessions, backends and listeners by `/api/`,
 * what stays of it over reloads and lost workers, and what `/metrics` tells.
 *
 * @module
 */
import { AdminClient } from "../support/admin_client.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { clientOnEach } from "../support/client_on_each.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { FakeDns } from "../support/fake_dns.ts";
import { HttpClient } from "../support/http_client.ts";
import { serveNamed } from "../support/named_backend.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

interface Options {
  readonly workers?: number;
  readonly backends?: readonly object[];
  readonly cluster?: object;
  readonly further?: object;
}

function configOf(
  { workers = 1, backends = [], cluster, further }: Options,
): object {
  return {
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{ name: "main", backends, balance: "first", ...cluster }],
    workers,
    log: { level: "error" },
    ...further,
  };
}

async function ids(admin: AdminClient): Promise<string[]> {
  const { backends } = await admin.json("/api/backends");
  return backends.map(({ id }: { id: string }) => id);
}

Deno.test("/api/websockets: sessions with what they do, filtered; failover and abort", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  await using admin = await AdminClient.start(configOf({
    backends: [{ id: "a", url: a.url }, { id: "b", url: b.url }],
  }));
  await using client = await WebSocketClient.open(admin.proxy.url('/x?"'));
  await client.ask("1");
  const { websocketsOpen, websockets: [session] } = await admin.json(
    "/api/websockets",
  );
  const { id, remote, startedAt, age, backendAge, buffered, uri } = session;
  assertMatch(remote, /^127\.0\.0\.1:\d+$/);
  assert(Math.abs(startedAt + age - Date.now()) < 5_000);
  assert(backendAge <= age);
  assertEquals([websocketsOpen, session], [1, {
    id,
    worker: 0,
    listener: "web",
    cluster: "main",
    backend: "a",
    remote,
    uri,
    state: "open",
    startedAt,
    age,
    backendAge,
    buffered,
    reconnects: 0,
    messagesReceived: 1,
    messagesSent: 1,
  }]);
  for (
    const [query, count] of [
      ["backend=a&cluster=main&listener=web&state=open", 1],
      ["backend=b", 0],
      ["cluster=other", 0],
      ["listener=other", 0],
      ["state=draining", 0],
    ] as const
  ) {
    const listed = await admin.json(`/api/websockets?${query}`);
    assertEquals([listed.websocketsOpen, listed.websockets.length], [
      count,
      count,
    ], query);
  }
  const few = await admin.json("/api/websockets?limit=0");
  assertEquals([few.websocketsOpen, few.websockets], [1, []]);

  assertEquals(
    (await admin.ask("POST", `/api/websockets/${id}/failover`)).status,
    202,
  );
  assertEquals(await inTime("an answer", client.ask("2")) !== "", true);
  await eventually("it is on b", async () => {
    const { websockets } = await admin.json("/api/websockets?backend=b");
    return websockets[0]?.state === "open" && websockets[0].reconnects === 1;
  });
  assertEquals(
    JSON.parse((await admin.ask("POST", "/api/backends/b/failover")).text),
    { sessions: 1, moving: 1 },
  );
  await eventually("it is on a", () => a.connections.length === 2);
  assertEquals(
    (await admin.ask("POST", `/api/websockets/${id}/abort`)).status,
    200,
  );
  assertEquals((await inTime("a Close", client.closed)).code, 1000);
  assertEquals((await admin.json("/api/websockets")).websocketsOpen, 0);
});

Deno.test("/api/websockets: a session that is held is told so, and can be aborted", async () => {
  const a = serveWebSocket("a");
  await using admin = await AdminClient.start(
    configOf({ backends: [{ id: "a", url: a.url }] }),
  );
  await using client = await WebSocketClient.open(admin.proxy.url());
  await client.ask("1");
  await a[Symbol.asyncDispose]();
  const { id } = await eventually("a hold", async () => {
    const { websockets } = await admin.json("/api/websockets?state=holding");
    return websockets[0];
  });
  await admin.ask("POST", `/api/websockets/${id}/abort`);
  assertEquals((await inTime("a Close", client.closed)).code, 1000);
});

Deno.test("/api/clusters: a backend that is added serves requests and is checked; one that is deleted does not", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  await using admin = await AdminClient.start(configOf({
    workers: 2,
    backends: [{ id: "a", url: a.url, backup: true }],
    cluster: { health: { path: "/check", interval: "20ms", timeout: "2s" } },
  }));
  const { status, text } = await admin.ask(
    "POST",
    "/api/clusters/main/backends",
    { id: "b", url: b.url, weight: 5, maxConnections: 100 },
  );
  const { backend } = JSON.parse(text);
  assertEquals(
    [status, backend.id, backend.cluster, backend.subcluster, backend.weight],
    [201, "b", "main", "default", 5],
  );
  for (let i = 0; i < 10; i++) {
    using client = await HttpClient.connect(admin.proxy.port());
    assertEquals((await client.get()).text, "b");
  }
  const checked = await eventually("a check", async () => {
    const { backend } = await admin.json("/api/backends/b");
    return backend.lastCheck;
  });
  assertEquals(checked.failure, null);
  const gone = await admin.ask("DELETE", "/api/clusters/main/backends/b");
  assertEquals([gone.status, JSON.parse(gone.text)], [200, { deleted: "b" }]);
  assertEquals(await ids(admin), ["a"]);
  // Checks of it end with it.
  const asked = b.asked.length;
  for (let i = 0; i < 10; i++) {
    using client = await HttpClient.connect(admin.proxy.port());
    assertEquals((await client.get()).text, "a");
  }
  assert(b.asked.length <= asked + 1);
  const again = await admin.ask("DELETE", "/api/clusters/main/backends/b");
  assertEquals(again.status, 404);
});

Deno.test("/api/clusters: subclusters are named, and everything else is refused with a reason", async () => {
  await using admin = await AdminClient.start(configOf({
    cluster: {
      backends: undefined,
      subclusters: [{ name: "east" }, {
        name: "west",
        backends: [{ id: "w", url: "http://127.0.0.1:1" }],
      }],
    },
  }));
  const add = (body: object, cluster = "main") =>
    admin.ask("POST", `/api/clusters/${cluster}/backends`, body);
  const url = "http://127.0.0.1:2";
  for (
    const [answer, status, error] of [
      [
        await add({ url }),
        400,
        "backend subcluster: expected one of east, west",
      ],
      [
        await add({ url, subcluster: "north" }),
        400,
        'backend subcluster: expected one of east, west, is "north"',
      ],
      [
        await add({ url, id: "w", subcluster: "east" }),
        409,
        'backend id: expected one that no other backend has, one of the cluster "main" has "w"',
      ],
      [
        await add({ url: "ws://127.0.0.1:1/", subcluster: "east" }),
        409,
        'backend url: expected one that no other backend of the cluster has, "w" has it',
      ],
      [
        await add({ url }, "nowhere"),
        404,
        'No cluster of the config has this name: "nowhere"',
      ],
    ] as const
  ) assertEquals([answer.status, JSON.parse(answer.text)], [status, { error }]);
  assertEquals(await ids(admin), ["w"]);
  assertEquals((await add({ url, subcluster: "east" })).status, 201);
  const { backend } = await admin.json("/api/backends/127.0.0.1%3A2");
  assertEquals(backend.subcluster, "east");
});

Deno.test("/api/clusters: what was added and deleted stays over reloads until the file says otherwise", async () => {
  const file = { a: "http://127.0.0.1:1", b: "http://127.0.0.1:2" };
  const config = (backends: Record<string, string>) =>
    configOf({
      backends: Object.entries(backends).map(([id, url]) => ({ id, url })),
    });
  await using admin = await AdminClient.start(config(file));
  await admin.ask("POST", "/api/clusters/main/backends", {
    id: "x",
    url: "http://127.0.0.1:8",
  });
  await admin.ask("PATCH", "/api/backends/x", { state: "disabled" });
  await admin.ask("DELETE", "/api/clusters/main/backends/a");
  assertEquals(await ids(admin), ["b", "x"]);
  await admin.reload(config({ ...file, c: "http://127.0.0.1:3" }));
  assertEquals(await ids(admin), ["b", "c", "x"]);
  // It is the same one with all that operators did to it.
  assertEquals((await admin.json("/api/backends/x")).backend.state, "disabled");
  await admin.reload(config({ ...file, x: "http://127.0.0.1:9" }));
  assertEquals(await ids(admin), ["b", "x"]);
  assertEquals(
    (await admin.json("/api/backends/x")).backend.url,
    "http://127.0.0.1:9",
  );
  assert(
    admin.proxy.logged.some((line) => line.includes("gives way to the config")),
  );
  await admin.reload(config({ ...file, a: "http://127.0.0.1:7" }));
  assertEquals(await ids(admin), ["a", "b"]);
});

Deno.test("/api/clusters: an added name is resolved to its addresses, which go with it and not one by one", async () => {
  const dns = new FakeDns();
  dns.set("new.test", ["127.0.0.2", "127.0.0.1"]);
  dns.set("other.test", ["127.0.0.1"]);
  const config = configOf({
    backends: [{ id: "o", url: "http://other.test:1" }],
    cluster: { dns: "all" },
  });
  await using admin = await AdminClient.start(config, { lookUp: dns.lookUp });
  assertEquals(
    await admin.post("/backend/add", { url: "ws://new.test:2", id: "n" }),
    '200 {"result":"success"}',
  );
  const all = ["o@127.0.0.1", "n@127.0.0.1", "n@127.0.0.2"];
  assertEquals(await ids(admin), all);
  const path = "/api/clusters/main/backends";
  assertEquals(
    (await admin.ask("POST", path, {
      url: "http://127.0.0.9:3",
      id: "o@127.0.0.1",
    })).status,
    409,
  );
  const one = await admin.ask("DELETE", `${path}/n@127.0.0.2`);
  assertEquals([one.status, JSON.parse(one.text)], [409, {
    error:
      'Cannot delete "n@127.0.0.2" as it is an address of "n": delete that one',
  }]);
  assertEquals(
    (await admin.ask("POST", "/backend/delete/n@127.0.0.2")).status,
    409,
  );
  await admin.reload({ ...config, drain: { timeout: "1s" } });
  assertEquals(await ids(admin), all);
  assertEquals((await admin.ask("DELETE", `${path}/n`)).status, 200);
  assertEquals((await admin.ask("DELETE", `${path}/o`)).status, 200);
  assertEquals(await ids(admin), []);
});

Deno.test("/api/clusters: a change while a reload is refused harms neither", async () => {
  await using admin = await AdminClient.start(configOf({ workers: 2 }));
  const bad = dataPlugin(`export default {
    name: "bad", setup: () => { throw new Error("no"); },
  };`);
  const further = { plugins: [{ use: bad }] };
  const [reload, added] = await Promise.allSettled([
    admin.reload(configOf({ workers: 2, further })),
    admin.ask("POST", "/api/clusters/main/backends", {
      id: "x",
      url: "http://127.0.0.1:8",
    }),
  ]);
  assertEquals([reload.status, added.status], ["rejected", "fulfilled"]);
  assertEquals(await ids(admin), ["x"]);
});

Deno.test("a worker that is restarted has what was added, and is paused where the others are", async () => {
  await using a = serveNamed("a");
  const telltale = dataPlugin(`export default {
    name: "telltale",
    setup: () => ({
      handlers: {
        foundProduct: ({ path }) => { if (path === "/close") self.close(); },
        sendResponseHeader: (_, { headers }) => headers.set("x-worker", self.name),
      },
    }),
  };`);
  await using admin = await AdminClient.start(
    configOf({ workers: 2, further: { plugins: [{ use: telltale }] } }),
    { heartbeat: { interval: 100, silence: 2_000 } },
  );
  await admin.ask("POST", "/api/clusters/main/backends", { url: a.url });
  const port = admin.proxy.port();
  using both = await clientOnEach(port);
  const [, victim] = both.clients;
  assertEquals((await victim.get()).text, "a");
  const path = "/api/listeners/web";
  assertEquals(
    JSON.parse((await admin.ask("POST", `${path}/pause`)).text),
    { paused: true, changed: true },
  );
  assertEquals(
    JSON.parse((await admin.ask("POST", `${path}/pause`)).text),
    { paused: true, changed: false },
  );
  assertEquals((await admin.json("/api/listeners")).listeners[0].paused, true);
  assertEquals((await victim.get()).status, 503);
  // While it is paused no handler hears of the path.
  await admin.ask("POST", `${path}/resume`);
  await victim.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(
    "the loss",
    () => admin.proxy.logged.some((l) => l.includes("A worker was lost")),
  );
  await admin.ask("POST", `${path}/pause`);
  await eventually(
    "the restart",
    () => admin.proxy.logged.some((l) => l.includes("A worker was restarted")),
  );
  using later = await clientOnEach(port);
  const [, again] = later.clients;
  const paused = await again.get();
  assertEquals([paused.status, paused.text], [503, "Service Unavailable\n"]);
  await admin.ask("POST", `${path}/resume`);
  assertEquals((await again.get()).text, "a");
  assertEquals((await admin.ask("POST", "/api/listeners/x/pause")).status, 404);
});

Deno.test("/api/listeners: a pause ends with the address that it was for", async () => {
  await using a = serveNamed("a");
  const backends = [{ id: "a", url: a.url }];
  const on = (name: string) =>
    configOf({
      backends,
      further: { listeners: [{ name, address: "127.0.0.1:0" }] },
    });
  await using admin = await AdminClient.start(on("web"));
  await admin.ask("POST", "/api/listeners/web/pause");
  await admin.reload(on("other"));
  using client = await HttpClient.connect(admin.proxy.port());
  assertEquals((await client.get()).text, "a");
  assertEquals((await admin.json("/api/listeners")).listeners[0].paused, false);
});

Deno.test("a session that is moving to a backend when that is deleted goes on to another one", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b", { answer: () => null });
  await using c = serveWebSocket("c");
  await using admin = await AdminClient.start(configOf({
    backends: [a, b, c].map(({ url }, i) => ({ id: "abc"[i], url })),
  }));
  await using client = await WebSocketClient.open(admin.proxy.url());
  await client.ask("1");
  // It owes an answer, so that it is left only after a while.
  a.connections[0]!.socket.onmessage = null;
  client.send("2");
  await admin.ask("POST", "/api/backends/a/failover");
  const draining = async () =>
    (await admin.json("/api/websockets?state=draining")).websocketsOpen === 1;
  await eventually("it drains", draining);
  assertEquals(b.connections.length, 1);
  await admin.ask("DELETE", "/api/clusters/main/backends/a");
  await admin.ask("DELETE", "/api/clusters/main/backends/b");
  await eventually("it is on c", async () => {
    const { websockets: [one] } = await admin.json("/api/websockets");
    return one.backend === "c" && one.state === "open";
  });
  assertEquals(await inTime("an answer", client.ask("3")), "c:3");
});

// --------------------------------------------------------------------- metrics

/** The lines of wsbalancer's metrics without their help. */
async function wsbalancerMetrics(admin: AdminClient): Promise<string[]> {
  const text = await admin.get("/metrics");
  return text.split("\n").filter((line) => line.startsWith("wsbalancer_"));
}

Deno.test("/metrics: wsbalancer's three, their labels follow the backend", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  await using admin = await AdminClient.start(configOf({
    backends: [{ id: "a", url: a.url }, { id: "b", url: b.url }],
  }));
  await using client = await WebSocketClient.open(admin.proxy.url());
  await client.ask("x".repeat(128));
  await client.ask("x".repeat(6_000));
  await admin.ask("POST", "/api/backends/a/failover");
  await eventually("it is on b", async () => {
    const { websockets } = await admin.json("/api/websockets?backend=b");
    return websockets[0]?.state === "open";
  });
  assertEquals(await client.ask("y"), "b:y");
  const frontend = `127-0-0-1-${admin.proxy.port()}`;
  const histogram = (
    direction: string,
    backend: string,
    cumulative: readonly number[],
    sum: number,
  ) => {
    const labels =
      `direction="${direction}",frontend="${frontend}",backend="${backend}"`;
    const bounds = ["128", "256", "512", "1024", "2048", "5120", "+Inf"];
    const name = "wsbalancer_message_size";
    return [
      ...bounds.map((le, i) =>
        `${name}_bucket{${labels},le="${le}"} ${cumulative[i]}`
      ),
      `${name}_sum{${labels}} ${sum}`,
      `${name}_count{${labels}} ${cumulative.at(-1)}`,
    ];
  };
  const two = (a: number, b: number, name: string) => [
    `wsbalancer_${name}{frontend="${frontend}",backend="a"} ${a}`,
    `wsbalancer_${name}{frontend="${frontend}",backend="b"} ${b}`,
  ];
  assertEquals(await wsbalancerMetrics(admin), [
    ...two(0, 1, "active_sessions"),
    // The backend answers with its name and a colon before each.
    ...histogram("b2f", "a", [0, 1, 1, 1, 1, 1, 2], 6_132),
    ...histogram("b2f", "b", [1, 1, 1, 1, 1, 1, 1], 3),
    ...histogram("f2b", "a", [1, 1, 1, 1, 1, 1, 2], 6_128),
    ...histogram("f2b", "b", [1, 1, 1, 1, 1, 1, 1], 1),
    ...two(1, 1, "new_session"),
  ]);
  // A backend that is gone leaves nothing behind once its sessions have left.
  await admin.ask("DELETE", "/api/clusters/main/backends/a");
  const left = await wsbalancerMetrics(admin);
  assertEquals(left.filter((line) => line.includes('backend="a"')), []);
  assert(left.length > 0);
});
