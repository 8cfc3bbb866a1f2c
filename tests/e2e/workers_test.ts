import {
  type AdministerAction,
  RefusedError,
} from "../../core/data_plane/control.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
} from "../support/assert.ts";
import { clientOnEach } from "../support/client_on_each.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";

/** Signs of life so often that silence is noticed soon, but not taken for one on a busy machine. */
const HEARTBEAT = { interval: 100, silence: 2_000 };

/** Says which worker answered, and does to it what the path says. */
const TELLTALE = dataPlugin(`export default {
  name: "telltale",
  setup: () => ({
    handlers: {
      foundProduct: ({ path }) => {
        if (path === "/close") self.close();
        if (path === "/hang") {
          // Longer than the silence that it is lost for; Deno ends no loop.
          const end = performance.now() + 4_000;
          while (performance.now() < end);
        }
        if (path === "/throw") setTimeout(() => { throw new Error("stray"); });
        if (path === "/reject") Promise.reject(new Error("forgotten"));
      },
      readResponse: (_, { headers }) => headers.set("x-worker", self.name),
    },
  }),
};`);

function config(text: string, further: object = {}): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 200, body: text } }],
    }],
    plugins: [{ use: TELLTALE }],
    workers: 2,
    log: { level: "error" },
    ...further,
  });
}

function start(text: string, further: object = {}): Promise<TestProxy> {
  return startProxy(config(text, further), { heartbeat: HEARTBEAT });
}

/** What each of many new connections is answered. */
async function answers(port: number): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let i = 0; i < 30; i++) {
    using client = await HttpClient.connect(port);
    seen.add((await client.get()).text);
  }
  return seen;
}

function wasLogged(proxy: TestProxy, text: string, times = 1): boolean {
  return proxy.logged.filter((line) => line.includes(text)).length >= times;
}

Deno.test("workers: 2 – both serve one port, and each session says whose it is", async () => {
  await using proxy = await start("ok");
  using both = await clientOnEach(proxy.port());
  const { sessions, sessionsOpen, workers, listeners } = await eventually(
    "both sessions",
    async () => {
      const report = await proxy.report();
      return report.sessionsOpen === 2 && report;
    },
  );
  assertEquals(both.clients.length, 2);
  assertEquals([workers, sessionsOpen], [2, 2]);
  assertEquals(sessions.map(({ worker }) => worker).sort(), [0, 1]);
  assert(sessions[0]!.id !== sessions[1]!.id);
  assertEquals(
    listeners.map(({ name, address, open }) => ({ name, address, open })),
    [{ name: "web", address: `127.0.0.1:${proxy.port()}`, open: 2 }],
  );
});

Deno.test("workers: 2 – metrics are the sum of what was sent to both", async () => {
  await using backend = serveHttpBackend(() => new Response("1234567890"));
  await using proxy = await start("", {
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
    clusters: [{ name: "main", backends: [{ id: "b", url: backend.url }] }],
  });
  using both = await clientOnEach(proxy.port());
  for (let i = 0; i < 10; i++) {
    for (const client of both.clients) await client.get();
  }
  const { metrics, backends } = await proxy.report();
  const sent = backend.requests;
  assert(sent >= 22);
  assertEquals(
    [
      metricValue(metrics, "headrace_transactions_total", {
        product: "all",
        cluster: "main",
        class: "2xx",
      }),
      metricValue(metrics, "headrace_attempts_total", { result: "ok" }),
      backends[0]!.ok,
    ],
    [sent, sent, sent],
  );
  const duration = metrics.metrics.find(({ name }) =>
    name === "headrace_transaction_duration_seconds"
  );
  assert(duration?.type === "histogram");
  assertEquals(
    duration.series.flatMap(({ counts }) => counts).reduce((a, b) => a + b),
    sent,
  );
});

Deno.test("workers: 2 – a reload reaches both at once", async () => {
  await using proxy = await start("old");
  using both = await clientOnEach(proxy.port());
  for (let i = 1; i <= 5; i++) {
    await proxy.reload(config(`new ${i}`));
    for (const client of both.clients) {
      assertEquals((await client.get()).text, `new ${i}`);
    }
  }
});

Deno.test("workers: 2 – listeners come and go in both", async () => {
  const [first, second] = freePorts(2);
  const on = (port: number) => ({
    listeners: [{ name: "web", address: `127.0.0.1:${port}` }],
  });
  await using proxy = await start("old", on(first!));
  await proxy.reload(config("new", on(second!)));
  using both = await clientOnEach(second!);
  assertEquals((await both.clients[0].get()).text, "new");
  await assertRejects(
    () => HttpClient.connect(first!),
    Deno.errors.ConnectionRefused,
  );
});

Deno.test("workers: 2 – a config that one worker refuses is refused by both", async () => {
  const picky = dataPlugin(`export default {
    name: "picky",
    setup: () => {
      if (self.name === "headrace-1") throw new Error("not in this one");
      return {};
    },
  };`);
  await using proxy = await start("old");
  using both = await clientOnEach(proxy.port());
  const refused = await assertRejects(
    () => proxy.reload(config("new", { plugins: [{ use: picky }] })),
    RefusedError,
    "not in this one",
  );
  assertEquals(refused.problems.length, 1);
  for (const client of both.clients) {
    assertEquals((await client.get()).text, "old");
  }
  assertEquals(await answers(proxy.port()), new Set(["old"]));
  assertEquals((await proxy.report()).revision, 1);
  await proxy.reload(config("good"));
  for (const client of both.clients) {
    assertEquals((await client.get()).text, "good");
  }
});

Deno.test("workers: 2 – what both refuse is told once", async () => {
  const bad = dataPlugin(`export default {
    name: "bad",
    setup: () => { throw new Error("nowhere"); },
  };`);
  await using proxy = await start("old");
  const refused = await assertRejects(
    () => proxy.reload(config("new", { plugins: [{ use: bad }] })),
    RefusedError,
  );
  assertEquals(refused.problems.length, 1);
});

Deno.test("workers: 2 – a start that is refused leaves no worker and no port behind", async () => {
  const [port] = freePorts(1);
  const picky = dataPlugin(`export default {
    name: "picky",
    setup: () => {
      if (self.name === "headrace-1") throw new Error("not in this one");
      return {};
    },
  };`);
  await assertRejects(
    () =>
      start("never", {
        plugins: [{ use: picky }],
        listeners: [{ name: "web", address: `127.0.0.1:${port}` }],
      }),
    RefusedError,
    "not in this one",
  );
  Deno.listen({ hostname: "127.0.0.1", port: port! }).close();
});

Deno.test("workers: 2 – a second proxy on the same port is refused", async () => {
  const [port] = freePorts(1);
  const on = { listeners: [{ name: "web", address: `127.0.0.1:${port}` }] };
  await using proxy = await start("first", on);
  await assertRejects(
    () => start("second", on),
    RefusedError,
    `Cannot listen on 127.0.0.1:${port}`,
  );
  assertEquals(await answers(proxy.port()), new Set(["first"]));
});

for (
  const [path, reason] of [
    ["/close", /It exited with/],
    ["/hang", /No sign of life .* it keeps its sockets/],
  ] as const
) {
  Deno.test(`workers: 2 – a worker that is gone (${path}) is restarted and told of, the other goes on`, async () => {
    await using proxy = await start("ok");
    using both = await clientOnEach(proxy.port());
    const [other, victim] = both.clients;
    await victim.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    let served = 0;
    await eventually("the loss", async () => {
      assertEquals((await other.get()).headers.get("x-worker"), "headrace-0");
      served++;
      return wasLogged(proxy, "A worker was lost");
    });
    assert(served > 0);
    const lost = JSON.parse(
      proxy.logged.find((line) => line.includes("A worker was lost"))!,
    );
    assertEquals([lost.level, lost.worker], ["error", 1]);
    assertMatch(lost.reason, reason);
    // Out of its loop it still answers what it was asked.
    const end = async () => {
      while (!await victim.ended()) { /* to the end */ }
    };
    await inTime("the victim's end", end());
    await eventually(
      "the restart",
      () => wasLogged(proxy, "A worker was restarted"),
    );
    using again = await clientOnEach(proxy.port());
    assertEquals((await again.clients[1].get()).text, "ok");
    assertEquals((await other.get()).text, "ok");
    assertEquals((await proxy.report()).workers, 2);
  });
}

Deno.test("workers: 2 – a worker that was restarted is restarted again, and takes reloads", async () => {
  await using proxy = await start("old");
  for (let i = 1; i <= 2; i++) {
    using both = await clientOnEach(proxy.port());
    await both.clients[1].send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually(
      `restart ${i}`,
      () => wasLogged(proxy, "A worker was restarted", i),
    );
  }
  using both = await clientOnEach(proxy.port());
  await proxy.reload(config("new"));
  for (const client of both.clients) {
    assertEquals((await client.get()).text, "new");
  }
});

Deno.test("workers: 2 – a reload while one is down reaches the other, and the new one", async () => {
  await using proxy = await start("old");
  using both = await clientOnEach(proxy.port());
  const [other, victim] = both.clients;
  await victim.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually("the loss", () => wasLogged(proxy, "A worker was lost"));
  await proxy.reload(config("new"));
  assertEquals((await other.get()).text, "new");
  await eventually(
    "the restart",
    () => wasLogged(proxy, "A worker was restarted"),
  );
  using again = await clientOnEach(proxy.port());
  assertEquals((await again.clients[1].get()).text, "new");
});

Deno.test("workers: 2 – a config that ends a worker is refused, the old one serves on in both", async () => {
  const deadly = dataPlugin(`export default {
    name: "deadly",
    setup: () => {
      if (self.name === "headrace-1") self.close();
      return {};
    },
  };`);
  await using proxy = await start("old");
  using both = await clientOnEach(proxy.port());
  await assertRejects(
    () => proxy.reload(config("new", { plugins: [{ use: deadly }] })),
    RefusedError,
    "A worker was lost as it took the config",
  );
  assertEquals((await both.clients[0].get()).text, "old");
  await eventually(
    "the restart",
    () => wasLogged(proxy, "A worker was restarted"),
  );
  using again = await clientOnEach(proxy.port());
  assertEquals((await again.clients[1].get()).text, "old");
});

Deno.test("workers: 2 – an error that nobody handles in a plugin ends no session", async () => {
  await using proxy = await start("ok", { log: { level: "error" } });
  using both = await clientOnEach(proxy.port());
  for (const path of ["/throw", "/reject"]) {
    for (const client of both.clients) {
      assertEquals((await client.get(path)).status, 200);
    }
  }
  for (let i = 0; i < 5; i++) {
    for (const client of both.clients) {
      assertEquals((await client.get()).text, "ok");
    }
  }
  assertEquals(wasLogged(proxy, "A worker was lost"), false);
});

Deno.test("workers: 2 – a unix socket is served too", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/l.sock`;
    await using proxy = await start("unix", {
      listeners: [{ name: "web", address: `unix:${path}` }],
    });
    for (const text of ["unix", "again"]) {
      using client = await HttpClient.connect({ transport: "unix", path });
      assertEquals((await client.get()).text, text);
      await proxy.reload(config("again", {
        listeners: [{ name: "web", address: `unix:${path}` }],
      }));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("workers: 2 – a drain lets both finish", async () => {
  const release = Promise.withResolvers<void>();
  await using backend = serveHttpBackend(async (request) => {
    if (request.url.endsWith("/slow")) await release.promise;
    return new Response("done");
  });
  await using proxy = await start("", {
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
    clusters: [{ name: "main", backends: [{ id: "b", url: backend.url }] }],
  });
  using both = await clientOnEach(proxy.port());
  const before = backend.requests;
  const slow = both.clients.map((client) => client.get("/slow"));
  await eventually("both requests", () => backend.requests === before + 2);
  const drained = proxy.supervisor.drain();
  release.resolve();
  for (const answer of await inTime("the answers", Promise.all(slow))) {
    assertEquals([answer.text, answer.headers.get("connection")], [
      "done",
      "close",
    ]);
  }
  for (const client of both.clients) client.close();
  await inTime("the drain", drained);
});

Deno.test("every worker's administrator of backends is asked, and what one has done is done", async () => {
  const dialing = dataPlugin(`export default {
    name: "dialing",
    setup: ({ ws }) => {
      const disabled = new Set();
      return {
        dialers: {
          mine: {
            dialUpstream: () => { throw ws.systemUnavailable("b", "none"); },
            administrator: {
              list: () => [...disabled],
              add: (json) => json,
              config: () => self.name,
              disable: (id) => {
                if (disabled.has(id)) return ws.RESULT_NO_ACTION;
                disabled.add(id);
                return ws.RESULT_SUCCESS;
              },
              // Only one worker knows it.
              enable: () => self.name === "headrace-1"
                ? ws.RESULT_SUCCESS
                : ws.RESULT_FAILED,
              delete: () => ws.RESULT_FAILED,
              reset: () => { throw new Error("a bug"); },
            },
          },
        },
      };
    },
  };`);
  await using proxy = await start("one", {
    clusters: [{ name: "chat", dialer: "mine" }],
    plugins: [{ use: dialing }],
  });
  const { supervisor } = proxy;
  const asks = (action: AdministerAction, argument = "b1") =>
    supervisor.administer("chat", action, argument);
  assertEquals(
    [await asks("disable"), await asks("disable"), await asks("enable")],
    [{ result: 1 }, { result: 3 }, { result: 1 }],
  );
  assertEquals(await asks("list"), { result: 1, json: '["b1"]' });
  assertEquals(
    [await asks("add", "{"), await asks("delete"), await asks("reset")],
    [{ result: 4 }, { result: 4 }, { result: 4 }],
  );
  assertEquals(await supervisor.administer("none", "list"), undefined);
});

Deno.test("workers: 2 – of a lost worker its sessions are told as lost, and what it counted stays", async () => {
  await using backend = serveHttpBackend(() => new Response("ok"));
  await using proxy = await start("", {
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
    clusters: [{ name: "main", backends: [{ id: "b", url: backend.url }] }],
  });
  using both = await clientOnEach(proxy.port());
  const [, victim] = both.clients;
  for (let i = 0; i < 10; i++) await victim.get();
  const count = async (name: string, labels = {}) =>
    metricValue((await proxy.report()).metrics, name, labels);
  const before = await count("headrace_transactions_total");
  assert(before >= 12);
  await victim.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually("the loss", () => wasLogged(proxy, "A worker was lost"));
  assertEquals(await count("headrace_transactions_total"), before);
  assertEquals(await count("headrace_workers_lost_total"), 1);
  const lost = (kind: string) =>
    count("headrace_sessions_lost_total", { kind });
  assertEquals([await lost("all"), await lost("websocket")], [1, 0]);
  const line = JSON.parse(
    proxy.logged.find((line) => line.includes("A worker was lost"))!,
  );
  assertEquals([line.sessions, line.websockets], [1, 0]);
  await eventually(
    "the restart",
    () => wasLogged(proxy, "A worker was restarted"),
  );
  using again = await clientOnEach(proxy.port());
  await again.clients[1].get();
  assert(await count("headrace_transactions_total") > before);
});

Deno.test("workers: 2 – what a lost worker counted of a backend goes with the backend", async () => {
  await using backend = serveHttpBackend(() => new Response("ok"));
  const withBackend = {
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
    clusters: [{ name: "main", backends: [{ id: "b", url: backend.url }] }],
  };
  await using proxy = await start("", withBackend);
  using both = await clientOnEach(proxy.port());
  for (let i = 0; i < 10; i++) await both.clients[1].get();
  const attempts = async () =>
    metricValue((await proxy.report()).metrics, "headrace_attempts_total");
  const before = await attempts();
  assert(before >= 12);
  await both.clients[1].send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually("the loss", () => wasLogged(proxy, "A worker was lost"));
  assertEquals(await attempts(), before);
  await eventually(
    "the restart",
    () => wasLogged(proxy, "A worker was restarted"),
  );
  await proxy.reload(config("none"));
  assertEquals(await attempts(), 0);
  await proxy.reload(config("", withBackend));
  await both.clients[0].get();
  assertEquals(await attempts(), 1);
});

Deno.test("workers: 2 – a worker that hung and comes back spoils no count of the one in its stead", async () => {
  await using backend = serveHttpBackend(() => new Response("ok"));
  await using proxy = await start("", {
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
    clusters: [{
      name: "main",
      backends: [{ id: "b", url: backend.url, maxConnections: 1 }],
    }],
  });
  using both = await clientOnEach(proxy.port());
  const [, victim] = both.clients;
  // Its attempt comes after the loop, when another worker has its place.
  await victim.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(
    "the restart",
    () => wasLogged(proxy, "A worker was restarted"),
  );
  await inTime(
    "the victim's end",
    (async () => {
      while (!await victim.ended()) { /* to the end */ }
    })(),
  );
  using again = await clientOnEach(proxy.port());
  for (const client of again.clients) {
    assertEquals((await client.get()).text, "ok");
  }
  await eventually(
    "no load",
    async () => (await proxy.report()).backends[0]!.load === 0,
  );
});

Deno.test("workers: 2 – maxConnections holds over both, and neither keeps the slots to itself", async () => {
  let now = 0;
  let most = 0;
  await using backend = serveHttpBackend(async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 2));
    now--;
    return new Response("ok");
  });
  await using proxy = await start("", {
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
    clusters: [{
      name: "main",
      backends: [{ id: "b", url: backend.url, maxConnections: 1 }],
      queue: { size: 100, timeout: "5s" },
    }],
  });
  using both = await clientOnEach(proxy.port());
  const served = [0, 0];
  const until = performance.now() + 1_000;
  // More in the one than in the other: each slot that it frees somebody there wants.
  using crowd = await clientsOn(proxy.port(), "headrace-0", 4);
  const ask = async (client: HttpClient, worker: number) => {
    while (performance.now() < until) {
      assertEquals((await client.get()).text, "ok");
      served[worker]!++;
    }
  };
  await Promise.all([
    ...crowd.clients.map((client) => ask(client, 0)),
    ask(both.clients[1], 1),
  ]);
  assertEquals(most, 1);
  // By turns, as far as the one that is alone keeps asking.
  assert(served[1]! > served[0]! / 8, `${served}`);
});

/** So many clients on one worker. */
async function clientsOn(port: number, worker: string, count: number) {
  const clients: HttpClient[] = [];
  while (clients.length < count) {
    const client = await HttpClient.connect(port);
    const told = (await client.get()).headers.get("x-worker");
    if (told === worker) clients.push(client);
    else client.close();
  }
  return {
    clients,
    [Symbol.dispose]() {
      for (const client of clients) client.close();
    },
  };
}

/** A config whose only listener has these limits. */
function limited(limits: object): string {
  return config("ok", {
    listeners: [{ name: "web", address: "127.0.0.1:0", limits }],
  });
}

/** Whether a new client is served, and not closed. */
async function isServed(port: number): Promise<boolean> {
  using client = await HttpClient.connect(port);
  try {
    return (await client.get()).status === 200;
  } catch {
    return false;
  }
}

Deno.test("workers: 2 – limits.connections is that of both together, wherever the kernel leads clients", async () => {
  await using proxy = await startProxy(limited({ connections: 1 }));
  let now = 0;
  let most = 0;
  const workers = new Set<string>();
  const one = async () => {
    using client = await HttpClient.connect(proxy.port());
    const { headers } = await client.get();
    workers.add(headers.get("x-worker")!);
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now--;
  };
  await inTime("all", Promise.all(Array.from({ length: 20 }, one)));
  assertEquals([most, workers.size], [1, 2]);

  await proxy.reload(limited({ connections: 2 }));
  await eventually("both places in one worker", async () => {
    using first = await HttpClient.connect(proxy.port());
    using second = await HttpClient.connect(proxy.port());
    const found = [await first.get(), await second.get()];
    return found[0]!.headers.get("x-worker") ===
      found[1]!.headers.get("x-worker");
  });
});

Deno.test("workers: 2 – places of a lost worker's clients are free again", async () => {
  await using proxy = await startProxy(limited({ connections: 2 }));
  using both = await clientOnEach(proxy.port());
  await both.clients[1].send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(
    "the restart",
    () => wasLogged(proxy, "A worker was restarted"),
  );
  assertEquals(await inTime("a place", isServed(proxy.port())), true);
  assertEquals((await both.clients[0].get()).text, "ok");
});

Deno.test("workers: 2 – limits.connectionsPerAddress counts a client's connections in both", async () => {
  await using proxy = await startProxy(limited({}));
  using both = await clientOnEach(proxy.port());
  await eventually(
    "the ends of others",
    async () => (await proxy.report()).sessionsOpen === 2,
  );
  // Those that are there count for a limit that comes later.
  await proxy.reload(limited({ connectionsPerAddress: 2 }));
  const refused = async () => {
    for (let i = 0; i < 10; i++) {
      assertEquals(await isServed(proxy.port()), false);
    }
  };
  await refused();
  await both.clients[1].send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(
    "the restart",
    () => wasLogged(proxy, "A worker was restarted"),
  );
  // The lost worker's share is gone with it, the other's is not.
  using again = await HttpClient.connect(proxy.port());
  assertEquals((await again.get()).text, "ok");
  await refused();
  await proxy.reload(limited({}));
  assertEquals(await isServed(proxy.port()), true);
});
