/**
 * Health of backends through the whole proxy: supervisor, workers, admin
 * interface; backends that die and come back, over the machine's own clock.
 *
 * @module
 */
import { createAdminApp } from "../../core/admin/app.ts";
import { createLog } from "../../core/observe/log.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { clientOnEach } from "../support/client_on_each.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { serveNamed } from "../support/named_backend.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { serveRaw } from "../support/raw_backend.ts";
import { serveEach } from "../support/scripted_backend.ts";

/** Says which worker answered, and what it heard of backends. */
const TELLTALE = dataPlugin(`export default {
  name: "telltale",
  setup: () => {
    const heard = [];
    return {
      backendChanged: ({ backend, to }) => void heard.push(backend + " " + to),
      handlers: {
        foundProduct: ({ path }, ) => {
          if (path === "/close") self.close();
          if (path === "/heard") {
            return { kind: "respond", response: { status: 200, body: heard.join() } };
          }
        },
        readResponse: (_, { headers }) => headers.set("x-worker", self.name),
      },
    };
  },
};`);

const CHECKS = { interval: "20ms", timeout: "2s", rise: 2, fall: 2 };

interface Facts {
  readonly backends: readonly object[];
  readonly cluster?: object;
  readonly workers?: number;
}

function configOf({ backends, cluster, workers = 2 }: Facts): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{ name: "main", backends, ...cluster }],
    plugins: [{ use: TELLTALE }],
    workers,
  });
}

/** The changes of a backend that were logged, oldest first. */
function changes(proxy: TestProxy, backend: string): string[] {
  return proxy.logged.map((line) => JSON.parse(line))
    .filter((line) =>
      line.message === "The state of a backend changed" &&
      line.backend === backend
    )
    .map(({ kind, from, to }) => `${kind}: ${from} > ${to}`);
}

async function backendOf(proxy: TestProxy, id: string) {
  const { backends } = await proxy.report();
  return backends.find((backend) => backend.id === id)!;
}

/** A backend that answers its name, at this port. */
function serveAt(port: number, name: string) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen() {} },
    () => new Response(name),
  );
  return { [Symbol.asyncDispose]: () => server.shutdown() };
}

for (const type of ["http", "tcp"] as const) {
  Deno.test(`checks (${type}) take a dead backend down in all workers, and up again when it is back`, async () => {
    const [port] = freePorts(1);
    await using other = serveNamed("b");
    const a = serveAt(port!, "a");
    await using proxy = await startProxy(configOf({
      backends: [
        { id: "a", url: `http://127.0.0.1:${port}` },
        { id: "b", url: other.url },
      ],
      cluster: { health: { type, ...CHECKS } },
    }));
    using both = await clientOnEach(proxy.port(), "/heard");
    await eventually(
      "a check",
      async () => (await backendOf(proxy, "a")).lastCheck !== undefined,
    );
    const texts = async () => {
      const seen = new Set<string>();
      for (const client of both.clients) {
        for (let i = 0; i < 4; i++) seen.add((await client.get()).text);
      }
      return [...seen].sort();
    };
    assertEquals(await texts(), ["a", "b"]);
    assertEquals(changes(proxy, "a"), []);

    await a[Symbol.asyncDispose]();
    await eventually("a down", () => changes(proxy, "a").length === 1);
    assertEquals(await texts(), ["b"]);
    const down = await backendOf(proxy, "a");
    assertEquals([down.up, down.check, down.state], [false, "down", "ready"]);
    assert(down.lastCheck!.failure!.startsWith("Cannot connect to 127.0.0.1"));
    const { metrics } = await proxy.report();
    const labels = { cluster: "main", backend: "a" };
    assertEquals([
      metricValue(metrics, "headrace_backend_up", labels),
      metricValue(metrics, "headrace_backend_up", { backend: "b" }),
      metricValue(metrics, "headrace_backend_state_changes_total", {
        ...labels,
        kind: "check",
        to: "down",
      }),
    ], [0, 1, 1]);

    await using _back = serveAt(port!, "a");
    await eventually("a up", () => changes(proxy, "a").length === 2);
    assertEquals(await texts(), ["a", "b"]);
    // Each change is one line, whatever the number of workers.
    assertEquals(changes(proxy, "a"), [
      "check: up > down",
      "check: down > up",
    ]);
    for (const client of both.clients) {
      assertEquals((await client.get("/heard")).text, "a down,a up");
    }
  });
}

Deno.test("checks by status and body; the listing says why", async () => {
  let answer = [200, "all is well"] as const;
  await using backend = serveEach(async (connection, request) => {
    assertEquals(request.target, "/healthz");
    await connection.respond(...answer);
  });
  await using proxy = await startProxy(configOf({
    backends: [{ id: "a", url: backend.url }],
    cluster: {
      health: { path: "/healthz", statuses: [200], body: "well", ...CHECKS },
    },
    workers: 1,
  }));
  const failure = async () => (await backendOf(proxy, "a")).lastCheck?.failure;
  await eventually(
    "a check",
    async () => (await backendOf(proxy, "a")).lastCheck,
  );
  assertEquals(await failure(), undefined);
  answer = [500, "all is well"] as never;
  await eventually("down", () => changes(proxy, "a").length === 1);
  assertEquals(await failure(), "It answered 500, expected 200");
  answer = [200, "not yet"] as never;
  await eventually(
    "the body's check",
    async () => await failure() === 'Its body does not contain "well"',
  );
  assertEquals(changes(proxy, "a"), ["check: up > down"]);
  answer = [200, "well again"] as never;
  await eventually("up", () => changes(proxy, "a").length === 2);
});

Deno.test("backends are checked once per process, however many workers there are", async () => {
  let checks = 0;
  await using backend = serveEach(async (connection) => {
    checks++;
    await connection.respond(200);
  });
  await using proxy = await startProxy(configOf({
    backends: [{ id: "a", url: backend.url }],
    cluster: { health: { ...CHECKS, interval: "2s" } },
  }));
  await eventually("a check", () => checks > 0, 20_000);
  await proxy.report();
  assertEquals(checks, 1);
});

Deno.test("what one worker ejects, the other does not ask either", async () => {
  let asked = 0;
  await using bad = serveEach(async (connection) => {
    asked++;
    await connection.respond(503);
  });
  await using good = serveNamed("b");
  await using proxy = await startProxy(configOf({
    backends: [{ id: "a", url: bad.url }, { id: "b", url: good.url }],
    cluster: { passiveHealth: { failures: 4, coolDown: "1h" } },
  }));
  using both = await clientOnEach(proxy.port(), "/heard");
  const [one, other] = both.clients;
  // Two failures in each worker are four in a row.
  const failures = async (client: HttpClient) => {
    const before = asked;
    while (asked < before + 2) await client.get();
  };
  await failures(one);
  await failures(other);
  for (const client of both.clients) {
    for (let i = 0; i < 6; i++) assertEquals((await client.get()).status, 200);
  }
  assertEquals(asked, 4);
  await eventually("the line", () => changes(proxy, "a").length === 1);
  assertEquals(changes(proxy, "a"), ["passive: closed > ejected"]);
  const { passive, up, lastError } = await backendOf(proxy, "a");
  assertEquals([passive, up], ["ejected", false]);
  assertEquals(lastError?.message, "It answered 503");
  await eventually("both to have heard", async () => {
    const heard = await Promise.all(
      both.clients.map(async (client) => (await client.get("/heard")).text),
    );
    return heard.every((text) => text === "a ejected");
  });
});

Deno.test("operators: PATCH and reset over the admin interface reach all workers at once", async () => {
  let well = true;
  await using a = serveEach(async (connection) => {
    if (well) await connection.respond(200, "a");
    else throw new Deno.errors.BrokenPipe();
  });
  await using b = serveNamed("b");
  await using proxy = await startProxy(configOf({
    backends: [{ id: "a", url: a.url }, { id: "b", url: b.url }],
    cluster: { breaker: { failures: 1, reset: "1h" } },
  }));
  const app = createAdminApp(proxy.supervisor, {
    token: undefined,
    hosts: [],
    log: createLog({ write: () => {} }),
  });
  const patch = async (body: object) => {
    const answer = await app.request("/api/backends/a", {
      method: "PATCH",
      body: JSON.stringify(body),
    });
    assertEquals(answer.status, 200);
    const { backend } = await answer.json();
    return [backend.up, backend.state, backend.weight, backend.weightNow];
  };
  using both = await clientOnEach(proxy.port(), "/heard");
  const shares = async () => {
    const counts: Record<string, number> = {};
    for (const client of both.clients) {
      for (let i = 0; i < 8; i++) {
        const { text } = await client.get();
        counts[text] = (counts[text] ?? 0) + 1;
      }
    }
    return counts;
  };
  assertEquals(await shares(), { a: 8, b: 8 });
  assertEquals(await patch({ state: "disabled" }), [false, "disabled", 1, 1]);
  assertEquals(await shares(), { b: 16 });
  assertEquals(await patch({ state: "ready", weight: 3 }), [
    true,
    "ready",
    3,
    3,
  ]);
  assertEquals(await shares(), { a: 12, b: 4 });
  assertEquals(await patch({ weight: 0 }), [false, "ready", 0, 0]);
  assertEquals(await shares(), { b: 16 });
  assertEquals(await patch({ weight: null }), [true, "ready", 1, 1]);

  well = false;
  await eventually("the breaker", async () => {
    await shares();
    return changes(proxy, "a").at(-1) === "breaker: closed > open";
  });
  well = true;
  assertEquals(await shares(), { b: 16 });
  const reset = async () => {
    const path = "/api/backends/a/reset";
    const answer = await app.request(path, { method: "POST" });
    const { reset, backend } = await answer.json();
    return [reset, backend.up, backend.breaker];
  };
  assertEquals(await reset(), [true, true, "closed"]);
  assertEquals(await reset(), [false, true, "closed"]);
  assertEquals(await shares(), { a: 8, b: 8 });
});

Deno.test("a reload keeps what is known and what operators set of backends that stay", async () => {
  await using b = serveNamed("b");
  const [port] = freePorts(1);
  const a = { id: "a", url: `http://127.0.0.1:${port}` };
  const facts = (weight: number, cluster: object = {}): Facts => ({
    backends: [a, { id: "b", url: b.url, weight }],
    cluster: {
      passiveHealth: { failures: 1, coolDown: "1h" },
      health: { ...CHECKS, type: "tcp" },
      ...cluster,
    },
    workers: 1,
  });
  await using proxy = await startProxy(configOf(facts(1)));
  using client = await HttpClient.connect(proxy.port());
  await eventually("a down and ejected", async () => {
    await client.get();
    return changes(proxy, "a").includes("check: up > down");
  });
  assert(proxy.supervisor.changeBackend("b", { weight: 5, state: "drain" }));
  const states = async () => {
    const { check, passive } = await backendOf(proxy, "a");
    const { state, weight } = await backendOf(proxy, "b");
    return [check, passive, state, weight];
  };
  const before = await states();
  assertEquals(before.slice(0, 1).concat(before.slice(2)), [
    "down",
    "drain",
    5,
  ]);
  await proxy.reload(configOf(facts(1)));
  assertEquals(await states(), before);
  // The config's own weight is changed: the operator's goes.
  await proxy.reload(configOf(facts(2)));
  assertEquals(await states(), [before[0], before[1], "drain", 2]);
  // Without checks and gates there is nothing to be down by.
  const none = { passiveHealth: undefined, health: undefined };
  await proxy.reload(configOf(facts(2, none)));
  assertEquals(await states(), ["up", undefined, "drain", 2]);
  assertEquals((await backendOf(proxy, "a")).up, true);
  // Gone and back again, a backend is a new one.
  await proxy.reload(configOf({ ...facts(2, none), backends: [a] }));
  await proxy.reload(configOf(facts(2, none)));
  assertEquals((await states()).slice(2), ["ready", 2]);
});

Deno.test("a backend that a reload adds starts slowly, those of the start don't", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  const facts = (...backends: object[]): Facts => ({
    backends,
    cluster: { slowStart: "10m" },
    workers: 1,
  });
  const one = { id: "a", url: a.url, weight: 100 };
  await using proxy = await startProxy(configOf(facts(one)));
  assertEquals((await backendOf(proxy, "a")).weightNow, 100);
  await proxy.reload(
    configOf(facts(one, { id: "b", url: b.url, weight: 1200 })),
  );
  assertEquals((await backendOf(proxy, "a")).weightNow, 100);
  const { weightNow } = await backendOf(proxy, "b");
  assert(weightNow >= 2 && weightNow < 30, `${weightNow}`);
  using client = await HttpClient.connect(proxy.port());
  const counts: Record<string, number> = {};
  for (let i = 0; i < 50; i++) {
    const { text } = await client.get();
    counts[text] = (counts[text] ?? 0) + 1;
  }
  assert(counts.a! > 40, JSON.stringify(counts));
});

Deno.test("what a lost worker served is no load any more", async () => {
  await using backend = serveRaw([{ hang: true }]);
  await using proxy = await startProxy(
    configOf({ backends: [{ id: "a", url: backend.url }] }),
    { heartbeat: { interval: 100, silence: 2_000 } },
  );
  using both = await clientOnEach(proxy.port(), "/heard");
  const load = async () => (await backendOf(proxy, "a")).load;
  const [one, victim] = both.clients;
  await one.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await victim.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await eventually("both requests", async () => await load() === 2);
  using third = await eventually("another connection there", async () => {
    const client = await HttpClient.connect(proxy.port());
    const { headers } = await client.get("/heard");
    if (headers.get("x-worker") === "headrace-1") return client;
    client.close();
    return undefined;
  });
  await third.send("GET /close HTTP/1.1\r\nHost: x\r\n\r\n");
  await eventually("one left", async () => await load() === 1, 30_000);
});

Deno.test("a metric of a backend that a reload removed is gone", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  const [one, other] = [a, b].map(({ url }, i) => ({ id: "ab"[i]!, url }));
  const of = (...backends: object[]) => configOf({ backends, workers: 1 });
  await using proxy = await startProxy(of(one!, other!));
  const up = async () => {
    const { metrics } = await proxy.report();
    return metricValue(metrics, "headrace_backend_up");
  };
  assertEquals(await up(), 2);
  await proxy.reload(of(one!));
  assertEquals(await up(), 1);
});
