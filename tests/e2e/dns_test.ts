/**
 * Backends that are host names: one backend or one per address, through the
 * whole proxy.
 *
 * @module
 */
import { createAdminApp } from "../../core/admin/app.ts";
import { createLog } from "../../core/observe/log.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { bytesOf, readExactly, textOf } from "../support/byte_streams.ts";
import { clientOnEach } from "../support/client_on_each.ts";
import { FakeClock } from "../support/clock.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { FakeDns } from "../support/fake_dns.ts";
import { freePorts } from "../support/free_ports.ts";
import { fillBackend } from "../support/full_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { serveEach, serveScript } from "../support/scripted_backend.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

const TWO = "127.0.0.2";
const THREE = "127.0.0.3";
const FOUR = "127.0.0.4";

/** Says which worker answered, what it heard of backends, and how often it was set up. */
const TELLTALE = dataPlugin(`
let setups = 0;
export default {
  name: "telltale",
  setup: () => {
    setups++;
    const heard = [];
    const tell = (body) => ({ kind: "respond", response: { status: 200, body } });
    return {
      backendChanged: ({ backend, to }) => void heard.push(backend + " " + to),
      handlers: {
        foundProduct: ({ path }) => {
          if (path === "/setups") return tell(String(setups));
          if (path === "/heard") return tell(heard.join());
        },
        readResponse: (_, { headers }) => headers.set("x-worker", self.name),
      },
    };
  },
};`);

interface Facts {
  readonly backends: readonly object[];
  readonly cluster?: object;
  readonly listener?: object;
  readonly workers?: number;
}

function configOf(facts: Facts): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0", ...facts.listener }],
    clusters: [{
      name: "main",
      dns: "all",
      backends: facts.backends,
      ...facts.cluster,
    }],
    plugins: [{ use: TELLTALE }],
    workers: facts.workers ?? 1,
    log: { level: "error" },
  });
}

/** A proxy whose clock and names the test has in hand. */
async function start(facts: Facts, dns: FakeDns) {
  const clock = new FakeClock();
  const proxy = await startProxy(configOf(facts), {
    clock,
    lookUp: dns.lookUp,
    heartbeat: { interval: 1_000, silence: 600_000 },
  });
  return {
    proxy,
    clock,
    /** Turns the clock until the backends are these. */
    async until(...ids: string[]) {
      await eventually(`backends ${ids}`, async () => {
        clock.advance(500);
        return (await idsOf(proxy)).join() === ids.join();
      });
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

async function idsOf(proxy: TestProxy): Promise<string[]> {
  const { backends } = await proxy.report();
  return backends.map(({ id }) => id);
}

async function backendOf(proxy: TestProxy, id: string) {
  const { backends } = await proxy.report();
  return backends.find((backend) => backend.id === id);
}

/** How often each backend answered so many requests of one connection. */
async function counts(
  client: HttpClient,
  requests: number,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < requests; i++) {
    const { status, text } = await client.get();
    const key = status === 200 ? parseEcho(text).backend : String(status);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** A backend at each of these addresses, on one port, which tells its address. */
function serveAt(...hostnames: readonly string[]) {
  const [port] = freePorts(1);
  const backends = new Map(
    hostnames.map((hostname) => [
      hostname,
      serveEcho(hostname, { hostname, port: port! }),
    ]),
  );
  return {
    port: port!,
    accepted: (hostname: string) => backends.get(hostname)!.accepted,
    async [Symbol.asyncDispose]() {
      for (const backend of backends.values()) {
        await backend[Symbol.asyncDispose]();
      }
    },
  };
}

// ----------------------------------------------------------------- dns: all

Deno.test("dns: all – every address gets its share, hears the name, and is listed as a backend", async () => {
  await using site = serveAt(TWO, THREE);
  const dns = new FakeDns();
  dns.set("api.test", [THREE, TWO], 60_000);
  await using bench = await start({
    backends: [
      { id: "a", url: `http://api.test:${site.port}/base`, weight: 2 },
      { id: "b", url: `http://${THREE}:${site.port}`, weight: 1 },
    ],
    cluster: { hostHeader: "backend" },
  }, dns);
  const { proxy } = bench;
  using client = await HttpClient.connect(proxy.port());
  assertEquals(await counts(client, 10), { [TWO]: 4, [THREE]: 6 });
  const echoes = [];
  for (let i = 0; i < 5; i++) {
    const { backend, target, headers } = parseEcho((await client.get()).text);
    echoes.push(`${backend} ${headers.host} ${target}`);
  }
  assertEquals(
    [...new Set(echoes)].sort(),
    [
      `${TWO} api.test:${site.port} /base/`,
      `${THREE} ${THREE}:${site.port} /`,
      `${THREE} api.test:${site.port} /base/`,
    ].sort(),
  );

  const app = createAdminApp(proxy.supervisor, {
    token: undefined,
    hosts: [],
    log: createLog({ write: () => {} }),
  });
  const { backends } = await (await app.request("/api/backends")).json();
  assertEquals(
    backends.map((
      { id, url, weight, ok }: Record<string, unknown>,
    ) => [id, url, weight, ok]),
    [
      [`a@${TWO}`, `http://api.test:${site.port}/base`, 2, 6],
      [`a@${THREE}`, `http://api.test:${site.port}/base`, 2, 6],
      ["b", `http://${THREE}:${site.port}`, 1, 3],
    ],
  );
  const metrics = await (await app.request("/metrics")).text();
  for (const id of [`a@${TWO}`, `a@${THREE}`, "b"]) {
    const line = `headrace_backend_up{cluster="main",backend="${id}"} 1`;
    assert(metrics.includes(line), metrics);
  }
  // An operator finds one by its id, percent-encoded or not.
  const patched = await app.request(
    `/api/backends/${encodeURIComponent(`a@${TWO}`)}`,
    { method: "PATCH", body: '{"state":"disabled"}' },
  );
  assertEquals(patched.status, 200);
  assertEquals(await counts(client, 6), { [THREE]: 6 });
});

Deno.test("dns: all – who stays keeps connections, counts and state, who left is gone, plugins stay", async () => {
  await using site = serveAt(TWO, THREE, FOUR);
  const dns = new FakeDns();
  dns.set("api.test", [TWO, THREE], 10_000);
  const facts = {
    backends: [{ id: "a", url: `http://api.test:${site.port}` }],
    cluster: { slowStart: "1h" },
  };
  await using bench = await start(facts, dns);
  const { proxy } = bench;
  using client = await HttpClient.connect(proxy.port());
  assertEquals(await counts(client, 10), { [TWO]: 5, [THREE]: 5 });
  assert(proxy.supervisor.changeBackend(`a@${TWO}`, { weight: 3 }));
  const before = (await proxy.report()).revision;

  dns.set("api.test", [FOUR, TWO], 10_000);
  await bench.until(`a@${TWO}`, `a@${FOUR}`);
  const { metrics, revision } = await proxy.report();
  assertEquals(revision, before + 1);
  const named = (name: string) =>
    metrics.metrics.find((metric) => metric.name === name)!.series;
  const attempted = named("headrace_attempts_total")
    .map(({ labels }) => labels[1]);
  assertEquals(new Set(attempted), new Set([`a@${TWO}`, `a@${FOUR}`]));
  assertEquals(named("headrace_reloads_total"), []);

  const { ok, idle, weight, weightNow } = (await backendOf(
    proxy,
    `a@${TWO}`,
  ))!;
  assertEquals([ok, idle, weight, weightNow], [5, 1, 3, 3]);
  // It is new to clients, as one that a reload adds.
  assertEquals((await backendOf(proxy, `a@${FOUR}`))!.weightNow < 0.1, true);
  assertEquals(await counts(client, 8), { [TWO]: 8 });
  assertEquals([site.accepted(TWO), site.accepted(FOUR)], [1, 0]);
  assertEquals((await client.get("/setups")).text, "1");

  const [line] = proxy.logged.map((one) => JSON.parse(one))
    .filter(({ message }) => message === "The addresses of a name changed");
  assertEquals([line.name, line.added, line.removed], [
    "api.test",
    [FOUR],
    [THREE],
  ]);
});

Deno.test("dns: all – a connection to an address that left closes if it is idle, one at work is done first", async () => {
  const [port] = freePorts(1);
  const release = Promise.withResolvers<void>();
  const atWork = Promise.withResolvers<void>();
  const ended: string[] = [];
  await using leaving = serveScript(async (connection) => {
    const { target } = (await connection.request())!;
    if (target === "/slow") {
      atWork.resolve();
      await release.promise;
    }
    await connection.respond(200, "left");
    await connection.ended();
    ended.push(target);
  }, { hostname: TWO, port: port! });
  await using staying = serveEcho(THREE, { hostname: THREE, port: port! });
  const dns = new FakeDns();
  dns.set("api.test", [TWO], 10_000);
  await using bench = await start({
    backends: [{ id: "a", url: `http://api.test:${port}` }],
  }, dns);
  using slow = await HttpClient.connect(bench.proxy.port());
  using quick = await HttpClient.connect(bench.proxy.port());
  await slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  await atWork.promise;
  assertEquals((await quick.get("/quick")).text, "left");
  assertEquals(ended, []);
  dns.set("api.test", [THREE], 10_000);
  await bench.until(`a@${THREE}`);
  await eventually("the idle one's end", () => ended.length === 1);
  assertEquals(await counts(quick, 3), { [THREE]: 3 });
  release.resolve();
  assertEquals((await slow.response()).text, "left");
  await eventually("the other one's end", () => ended.length === 2);
  assertEquals(ended, ["/quick", "/slow"]);
  assertEquals(await counts(slow, 3), { [THREE]: 3 });
  assertEquals([leaving.accepted, staying.accepted], [2, 1]);
});

Deno.test("dns: all – TCP sessions live on where their address is gone", async () => {
  const [port] = freePorts(1);
  const answering = (name: string) => async (conn: Deno.Conn) => {
    const buffer = new Uint8Array(16);
    while (await conn.read(buffer) !== null) await conn.write(bytesOf(name));
  };
  const at = (hostname: string) =>
    serveTcpBackend(answering(hostname), { hostname, port: port! });
  await using _two = at(TWO);
  await using _three = at(THREE);
  const dns = new FakeDns();
  dns.set("db.test", [TWO], 10_000);
  await using bench = await start({
    backends: [{ id: "db", url: `tcp://db.test:${port}` }],
    listener: { protocol: "tcp", cluster: "main" },
  }, dns);
  const open = () =>
    Deno.connect({ hostname: "127.0.0.1", port: bench.proxy.port() });
  const ask = async (conn: Deno.Conn) => {
    await conn.write(bytesOf("?"));
    return textOf(await readExactly(conn, TWO.length));
  };
  using old = await open();
  assertEquals(await ask(old), TWO);
  dns.set("db.test", [THREE], 10_000);
  await bench.until(`db@${THREE}`);
  using young = await open();
  assertEquals([await ask(young), await ask(old)], [THREE, TWO]);
});

Deno.test("dns: all – WebSocket sessions move away from an address that is gone", async () => {
  const [port] = freePorts(1);
  const at = (hostname: string) =>
    serveWebSocket(hostname, { hostname, port: port! });
  await using _two = at(TWO);
  await using _three = at(THREE);
  const dns = new FakeDns();
  dns.set("ws.test", [TWO], 10_000);
  await using bench = await start({
    backends: [{ id: "w", url: `http://ws.test:${port}` }],
  }, dns);
  await using client = await WebSocketClient.open(bench.proxy.url());
  assertEquals(await client.ask("1"), `${TWO}:1`);
  dns.set("ws.test", [THREE], 10_000);
  await bench.until(`w@${THREE}`);
  await eventually("the session to have moved", async () => {
    bench.clock.advance(50);
    return await openAt(bench.proxy) === `w@${THREE} 1`;
  });
  assertEquals(await client.ask("2"), `${THREE}:2`);
});

/** Open WebSocket sessions of each backend that has them in its metrics. */
async function openAt(proxy: TestProxy): Promise<string> {
  const { metrics } = (await proxy.report()).metrics;
  return metrics
    .filter(({ name }) => name === "headrace_websocket_sessions_open")
    .flatMap((metric) => metric.type === "gauge" ? metric.series : [])
    .map(({ labels, value }) => `${labels[1]} ${value}`).join();
}

Deno.test("dns: all – a name that can't be resolved is 503 until it can", async () => {
  await using site = serveAt(TWO, THREE);
  const dns = new FakeDns();
  const facts = {
    backends: [{ id: "a", url: `http://api.test:${site.port}` }],
  };
  await using bench = await start(facts, dns);
  const { proxy, clock } = bench;
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).status, 503);
  assertEquals(await idsOf(proxy), []);
  const warned = () =>
    proxy.logged.map((line) => JSON.parse(line))
      .filter(({ level }) => level === "warn")
      .map(({ message, name }) => [message, name]);
  assertEquals(warned(), [
    ["A name can't be resolved: it has no backends until it can", "api.test"],
  ]);
  dns.set("api.test", [TWO], 5_000);
  await bench.until(`a@${TWO}`);
  assertEquals(await counts(client, 2), { [TWO]: 2 });
  // Its resolver fails, a reload comes, another name is added: it stays.
  dns.fail("api.test");
  clock.advance(5_000);
  await eventually("the warning", () => warned().length === 2);
  assertEquals(warned()[1], [
    "A name can't be resolved any more: its last addresses stay",
    "api.test",
  ]);
  dns.set("other.test", [THREE], 60_000);
  const other = { id: "o", url: `http://other.test:${site.port}` };
  await proxy.reload(configOf({ backends: [...facts.backends, other] }));
  assertEquals(await idsOf(proxy), [`a@${TWO}`, `o@${THREE}`]);
  assertEquals(await counts(client, 4), { [TWO]: 2, [THREE]: 2 });
  assertEquals(warned().length, 2);
});

Deno.test("dns: all – each address has its own checks", async () => {
  const [port] = freePorts(1);
  const asked: string[] = [];
  const serve = (hostname: string, status: number) =>
    serveEach(async (connection, { target, headers }) => {
      if (target === "/healthz") {
        asked.push(`${hostname} ${headers.get("host")}`);
        await connection.respond(status);
      } else {
        await connection.respond(200, JSON.stringify({ backend: hostname }));
      }
    }, { hostname, port: port! });
  await using _two = serve(TWO, 200);
  await using _three = serve(THREE, 500);
  const dns = new FakeDns();
  dns.set("api.test", [TWO, THREE], 60_000);
  await using bench = await start({
    backends: [{ id: "a", url: `http://api.test:${port}` }],
    cluster: { health: { path: "/healthz", interval: "2s" } },
  }, dns);
  const { proxy } = bench;
  const check = async (id: string) => (await backendOf(proxy, id))!;
  await eventually("a check of both", async () => {
    bench.clock.advance(20);
    return (await check(`a@${TWO}`)).lastCheck !== undefined &&
      (await check(`a@${THREE}`)).lastCheck !== undefined;
  });
  assertEquals((await check(`a@${TWO}`)).check, "up");
  const { check: state, lastCheck } = await check(`a@${THREE}`);
  assertEquals(state, "down");
  assertEquals(lastCheck!.failure, "It answered 500, expected 200-399");
  assertEquals(
    new Set(asked),
    new Set([`${TWO} api.test:${port}`, `${THREE} api.test:${port}`]),
  );
  using client = await HttpClient.connect(proxy.port());
  assertEquals(await counts(client, 4), { [TWO]: 4 });
  // Nobody asked for the name but the supervisor, once.
  assertEquals(dns.asked, ["api.test"]);
});

Deno.test("dns: all, workers: 2 – both swap, and keep what is known of an address, over a reload too", async () => {
  const [port] = freePorts(1);
  await using _two = serveEcho(TWO, { hostname: TWO, port: port! });
  let refused = 0;
  await using _three = serveEach(async (connection) => {
    refused++;
    await connection.respond(503);
  }, { hostname: THREE, port: port! });
  await using _four = serveEcho(FOUR, { hostname: FOUR, port: port! });
  const dns = new FakeDns();
  dns.set("api.test", [TWO, THREE], 2_000);
  const facts = {
    backends: [{ id: "a", url: `http://api.test:${port}` }],
    cluster: { passiveHealth: { failures: 1, coolDown: "1h" } },
    workers: 2,
  };
  await using bench = await start(facts, dns);
  const { proxy } = bench;
  using both = await clientOnEach(proxy.port(), "/heard");
  await eventually("an ejection", async () => {
    await counts(both.clients[0], 2);
    return refused > 0;
  });
  const served = async () => {
    const seen = new Set<string>();
    for (const client of both.clients) {
      for (const key of Object.keys(await counts(client, 6))) seen.add(key);
    }
    return [...seen].sort();
  };
  assertEquals(await served(), [TWO]);
  const states = async () => {
    const { backends } = await proxy.report();
    return backends.map(({ id, passive }) => `${id} ${passive}`);
  };

  dns.set("api.test", [FOUR, THREE], 2_000);
  await bench.until(`a@${THREE}`, `a@${FOUR}`);
  assertEquals(await states(), [`a@${THREE} ejected`, `a@${FOUR} closed`]);
  assertEquals(await served(), [FOUR]);
  assertEquals(refused, 1);

  // The same names in another config: nobody is asked, nothing is lost.
  const asked = dns.asked.length;
  await proxy.reload(
    configOf({
      ...facts,
      cluster: { ...facts.cluster, balance: "leastconn" },
    }),
  );
  assertEquals(dns.asked.length, asked);
  assertEquals(await states(), [`a@${THREE} ejected`, `a@${FOUR} closed`]);

  dns.set("api.test", [TWO, FOUR], 2_000);
  await bench.until(`a@${TWO}`, `a@${FOUR}`);
  assertEquals(await served(), [TWO, FOUR]);
  for (const client of both.clients) {
    assertEquals((await client.get("/heard")).text, `a@${THREE} ejected`);
    assertEquals((await client.get("/setups")).text, "1");
  }
});

Deno.test("dns: all – no request fails while addresses come and go", async () => {
  await using site = serveAt(TWO, THREE, FOUR);
  const dns = new FakeDns();
  dns.set("api.test", [TWO, THREE], 1_000);
  await using bench = await start({
    backends: [{ id: "a", url: `http://api.test:${site.port}` }],
  }, dns);
  let over = false;
  const clients = Array.from({ length: 4 }, async () => {
    using client = await HttpClient.connect(bench.proxy.port());
    const seen: Record<string, number> = {};
    while (!over) {
      for (const [key, count] of Object.entries(await counts(client, 1))) {
        seen[key] = (seen[key] ?? 0) + count;
      }
    }
    return Object.keys(seen).sort();
  });
  const sets = [[THREE, FOUR], [TWO, FOUR], [TWO, THREE]];
  for (const addresses of [...sets, ...sets]) {
    dns.set("api.test", addresses, 1_000);
    await bench.until(...addresses.map((address) => `a@${address}`));
  }
  over = true;
  for (const keys of await Promise.all(clients)) {
    assertEquals(keys, [TWO, THREE, FOUR]);
  }
});

Deno.test("dns: all – addresses that change during a reload come with it, not once more behind it", async () => {
  const dns = new FakeDns();
  dns.set("api.test", [TWO], 1_000);
  const api = { id: "a", url: "http://api.test:1" };
  await using bench = await start({ backends: [api] }, dns);
  const { proxy, clock } = bench;
  const slow = dns.hold("slow.test");
  const reloaded = proxy.reload(
    configOf({ backends: [api, { id: "s", url: "http://slow.test:1" }] }),
  );
  await eventually("the reload", () => dns.asked.includes("slow.test"));
  dns.set("api.test", [THREE], 60_000);
  clock.advance(1_000);
  await eventually(
    "the answer",
    () => proxy.logged.some((line) => line.includes("addresses of a name")),
  );
  // Its swap stands behind the reload, which is still waiting.
  clock.advance(1);
  assertEquals(await idsOf(proxy), [`a@${TWO}`]);
  slow.resolve({ addresses: [FOUR], ttl: 60_000 });
  await reloaded;
  // One more change has to wait for whatever the swap does.
  await proxy.reload(configOf({ backends: [api] }));
  const { revision, backends } = await proxy.report();
  assertEquals([revision, backends.map(({ id }) => id)], [3, [`a@${THREE}`]]);
});

Deno.test("dns: all – a drain asks for no name any more", async () => {
  const dns = new FakeDns();
  dns.set("api.test", [TWO], 1_000);
  await using bench = await start({
    backends: [{ id: "a", url: "http://api.test:1" }],
  }, dns);
  await eventually("a second question", () => {
    bench.clock.advance(500);
    return dns.asked.length === 2;
  });
  await bench.proxy.supervisor.drain();
  dns.set("api.test", [THREE], 1_000);
  for (let i = 0; i < 20; i++) {
    bench.clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals([dns.asked.length, await idsOf(bench.proxy)], [2, [`a@${TWO}`]]);
});

Deno.test("dns: all – an address that hangs costs one request the connect timeout, once", async () => {
  using full = await fillBackend();
  const port = Number(new URL(full.url).port);
  await using _two = serveEcho(TWO, { hostname: TWO, port });
  await using _three = serveEcho(THREE, { hostname: THREE, port });
  const dns = new FakeDns();
  dns.set("api.test", ["127.0.0.1", TWO, THREE]);
  await using bench = await start({
    backends: [{ id: "a", url: `http://api.test:${port}` }],
    cluster: {
      timeouts: { connect: "2s" },
      keepAlive: { maxIdle: 0 },
    },
  }, dns);
  const { proxy, clock } = bench;
  using client = await HttpClient.connect(proxy.port());
  const costs: number[] = [];
  for (let i = 0; i < 30; i++) {
    const started = clock.now();
    const answer = client.get();
    let answered = false;
    answer.then(() => answered = true);
    await eventually("an answer", async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (!answered && i < 3) clock.advance(100);
      return answered;
    });
    assertEquals((await answer).status, 200);
    costs.push(clock.now() - started);
  }
  // Whose turn it was among the first three.
  assertEquals(costs.filter((cost) => cost >= 2_000).length, 1);
  assertEquals(costs.slice(3).filter((cost) => cost > 0), []);
  const hanging = (await backendOf(proxy, "a@127.0.0.1"))!;
  assertEquals([hanging.failed, hanging.passive], [1, "ejected"]);
});

// --------------------------------------------------------------- dns: first

Deno.test("dns: first – an address that hangs costs one delay, then the others come first", async () => {
  using full = await fillBackend();
  const port = Number(new URL(full.url).port);
  await using live = serveEcho(TWO, { hostname: TWO, port });
  const dns = new FakeDns();
  dns.set("api.test", ["127.0.0.1", TWO]);
  await using bench = await start({
    backends: [{ id: "a", url: `http://api.test:${port}` }],
    // A connection for each request.
    cluster: { dns: "first", keepAlive: { maxIdle: 0 } },
  }, dns);
  const { proxy, clock } = bench;
  assertEquals(await idsOf(proxy), ["a"]);
  using client = await HttpClient.connect(proxy.port());
  /** Milliseconds of the clock that a request takes, which stands still or is turned a little. */
  const cost = async (most: number) => {
    const started = clock.now();
    const answer = client.get();
    let answered = false;
    answer.then(() => answered = true);
    await eventually("an answer", () => {
      if (clock.now() < started + most) clock.advance(50);
      return answered;
    });
    assertEquals((await answer).status, 200);
    return clock.now() - started;
  };
  assert(await cost(600) >= 250);
  for (let i = 0; i < 10; i++) assertEquals(await cost(0), 0);
  assertEquals(live.accepted, 11);
  // Half a minute later it gets another chance, which costs as much.
  clock.advance(31_000);
  assert(await cost(600) >= 250);
  assertEquals(await cost(0), 0);
  assertEquals(await backendOf(proxy, "a").then((a) => a!.failed), 0);
});

Deno.test("dns: first – an address that refuses costs no time and fails no request", async () => {
  await using site = serveAt(THREE);
  const dns = new FakeDns();
  dns.set("api.test", [TWO, THREE]);
  await using bench = await start({
    backends: [{ id: "a", url: `http://api.test:${site.port}` }],
    cluster: { dns: "first", keepAlive: { maxIdle: 0 }, retries: { max: 0 } },
  }, dns);
  using client = await HttpClient.connect(bench.proxy.port());
  assertEquals(await inTime("answers", counts(client, 10)), { [THREE]: 10 });
  const { ok, failed } = (await backendOf(bench.proxy, "a"))!;
  assertEquals([ok, failed], [10, 0]);
});

Deno.test("dns: first – addresses are asked for again when the TTL is over, without a swap", async () => {
  await using site = serveAt(TWO, THREE);
  const dns = new FakeDns();
  dns.set("api.test", [TWO], 10_000);
  await using bench = await start({
    backends: [{ id: "a", url: `http://api.test:${site.port}` }],
    cluster: { dns: "first" },
  }, dns);
  using client = await HttpClient.connect(bench.proxy.port());
  assertEquals(await counts(client, 3), { [TWO]: 3 });
  dns.set("api.test", [THREE], 10_000);
  bench.clock.advance(9_000);
  assertEquals(await counts(client, 3), { [TWO]: 3 });
  assertEquals(dns.asked.length, 1);
  bench.clock.advance(1_001);
  // The old answer serves the one that asks anew.
  await eventually(
    "the new address",
    async () => (await counts(client, 1))[THREE] === 1,
  );
  assertEquals(await counts(client, 3), { [THREE]: 3 });
  assertEquals([dns.asked.length, (await bench.proxy.report()).revision], [
    2,
    1,
  ]);
});
