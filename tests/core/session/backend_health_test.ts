/**
 * What transactions and sessions tell the health of backends, and what comes of
 * it, under a clock that the test turns.
 *
 * @module
 */
import type { BackendHealth } from "../../../core/health/backend_health.ts";
import type { BackendEvent, Handlers } from "../../../core/plugin.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin, inlinePlugin } from "../../support/inline_plugin.ts";
import { serveNamed } from "../../support/named_backend.ts";
import { startPlane, type TestPlane } from "../../support/plane.ts";
import type { ProxyWith } from "../../support/proxy_with.ts";
import { serveRaw } from "../../support/raw_backend.ts";
import { ResettableConn } from "../../support/resettable_conn.ts";
import { serveEach, serveScript } from "../../support/scripted_backend.ts";
import { echo, serveTcpBackend } from "../../support/tcp_backend.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const COOL_DOWN = 10_000;
/** Fewer failures than by default, so that tests need few requests. */
const PASSIVE = { passiveHealth: { failures: 3, coolDown: "10s" } };

/** A plane with its clock and what it told of its backends. */
class Bench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly events: BackendEvent[] = [];
  #plane!: TestPlane;

  static async start(parts: ProxyWith): Promise<Bench> {
    const bench = new Bench();
    const listening = inlinePlugin({
      name: "listening",
      setup: () => ({
        backendChanged: (event) => void bench.events.push(event),
      }),
    });
    bench.#plane = await startPlane({
      ...parts,
      plugins: [...parts.plugins ?? [], { use: listening }],
    }, bench.clock);
    return bench;
  }

  get port(): number {
    return this.#plane.port;
  }

  health(id = "a"): BackendHealth {
    const { current } = this.#plane.plane;
    return current.cluster("main")!.find(id)!.health;
  }

  /** Statuses of so many requests, one after another, each on a connection of its own. */
  async statuses(number: number, path = "/"): Promise<number[]> {
    const statuses: number[] = [];
    for (let i = 0; i < number; i++) {
      using client = await HttpClient.connect(this.port);
      statuses.push((await client.get(path)).status);
    }
    return statuses;
  }

  told(): string[] {
    return this.events.map(({ backend, to }) => `${backend} ${to}`);
  }

  /** Turns the clock until the sessions have noticed what is late. */
  async pass(milliseconds: number): Promise<void> {
    for (let i = 0; i < milliseconds; i += 100) {
      this.clock.advance(100);
      await Promise.resolve();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#plane[Symbol.asyncDispose]();
  }
}

Deno.test("a backend that refuses is ejected: nobody asks it until its cool-down is over, then one does", async () => {
  const down = serveRaw("down");
  await down[Symbol.asyncDispose]();
  await using bench = await Bench.start({
    backends: [down.url],
    cluster: PASSIVE,
  });
  assertEquals(await bench.statuses(5), [502, 502, 502, 503, 503]);
  assertEquals(bench.told(), ["a ejected"]);
  assertStringIncludes(
    bench.events[0]!.cause,
    "3 failures in a row, the last one: Cannot connect to 127.0.0.77:",
  );
  await bench.pass(COOL_DOWN);
  assertEquals(await bench.statuses(2), [502, 503]);
  assertEquals(bench.told().slice(1), ["a half-open", "a ejected"]);
});

Deno.test("an ejected backend's requests go to the others, until it is well again", async () => {
  let well = false;
  await using a = serveEach(async (connection) => {
    await connection.respond(well ? 200 : 503, "a");
  });
  await using b = serveNamed("b");
  await using bench = await Bench.start({
    backends: [a.url, b.url],
    cluster: PASSIVE,
  });
  const statuses = await bench.statuses(20);
  assertEquals(statuses.filter((status) => status === 503).length, 3);
  assertEquals(bench.told(), ["a ejected"]);
  well = true;
  await bench.pass(COOL_DOWN);
  await bench.statuses(4);
  assertEquals(bench.told(), ["a ejected", "a half-open", "a closed"]);
  const before = b.asked.length;
  await bench.statuses(10);
  assertEquals(b.asked.length - before, 5);
});

Deno.test("statuses that the config does not list are no failures", async () => {
  await using backend = serveEach(async (connection) => {
    await connection.respond(503);
  });
  await using bench = await Bench.start({
    backends: [backend.url],
    cluster: {
      passiveHealth: { failures: 1, statuses: ["500-502"] },
      breaker: { failures: 1 },
    },
  });
  assertEquals(await bench.statuses(5), [503, 503, 503, 503, 503]);
  assertEquals(bench.events, []);
});

Deno.test("a backend that ends the connection, resets it or answers no HTTP opens its breaker", async () => {
  for (const close of ["", "HTTP/1.1 ", "SSH-2.0-OpenSSH\r\n\r\n"]) {
    await using backend = serveRaw([{ close }]);
    await using bench = await Bench.start({
      backends: [backend.url],
      cluster: { breaker: { failures: 2, reset: "30s" } },
    });
    assertEquals(await bench.statuses(3), [502, 502, 503]);
    assertEquals(bench.told(), ["a open"]);
    assertEquals(backend.connections.length, 2);
  }
});

Deno.test("a backend that hangs opens its breaker once it was waited for", async () => {
  await using backend = serveRaw([{ hang: true }]);
  await using bench = await Bench.start({
    backends: [backend.url],
    cluster: { breaker: { failures: 1 }, timeouts: { response: "1s" } },
  });
  using client = await HttpClient.connect(bench.port);
  const response = client.get();
  await eventually("the request", () => backend.requests.length === 1);
  assertEquals(bench.events, []);
  await bench.pass(1_300);
  assertEquals((await response).status, 504);
  assertEquals(bench.told(), ["a open"]);
  assertEquals(await bench.statuses(1), [503]);
});

Deno.test("a slow backend that answers in time is well", async () => {
  const answer = Promise.withResolvers<void>();
  await using backend = serveEach(async (connection) => {
    await answer.promise;
    await connection.respond(200);
  });
  await using bench = await Bench.start({
    backends: [backend.url],
    cluster: {
      breaker: { failures: 1 },
      passiveHealth: { failures: 1 },
      timeouts: { response: "2s" },
    },
  });
  using client = await HttpClient.connect(bench.port);
  const response = client.get();
  await eventually("the request", () => bench.health().load === 1);
  await bench.pass(1_500);
  answer.resolve();
  assertEquals((await response).status, 200);
  assertEquals(bench.events, []);
});

Deno.test("a backend that flaps is not ejected while every other answer is good", async () => {
  let count = 0;
  await using backend = serveEach(async (connection) => {
    await connection.respond(++count % 3 === 0 ? 200 : 502);
  });
  await using bench = await Bench.start({
    backends: [backend.url],
    cluster: PASSIVE,
  });
  await bench.statuses(12);
  assertEquals([count, bench.events], [12, []]);
});

Deno.test("when the rest is over, of many requests at once one tries the backend", async () => {
  const answers: (() => void)[] = [];
  let hold = false;
  await using a = serveScript(async (connection) => {
    while (await connection.request() !== undefined) {
      if (!hold) return;
      await new Promise<void>((resolve) => answers.push(resolve));
      await connection.respond(200, "a");
    }
  });
  await using b = serveNamed("b");
  await using bench = await Bench.start({
    backends: [a.url, b.url],
    cluster: { breaker: { failures: 1, reset: "30s" } },
  });
  await bench.statuses(2);
  assertEquals(bench.told(), ["a open"]);
  hold = true;
  await bench.pass(30_000);
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => HttpClient.connect(bench.port)),
  );
  const texts = clients.map(async (client) => (await client.get()).text);
  await eventually(
    "19 answers and a trial",
    () => answers.length === 1 && b.asked.length >= 19,
  );
  answers[0]!();
  const all = await Promise.all(texts);
  assertEquals(all.filter((text) => text === "a").length, 1);
  // Closed by one good trial: whoever comes now may go there.
  for (const client of clients.splice(0)) client.close();
  const next = bench.statuses(2);
  await eventually("the next request", () => answers.length === 2);
  answers[1]!();
  assertEquals(await next, [200, 200]);
});

Deno.test("a client that leaves takes its trial along: the next request is one", async () => {
  let broken = true;
  const held: (() => void)[] = [];
  await using backend = serveScript(async (connection) => {
    if (await connection.request() === undefined || broken) return;
    await new Promise<void>((resolve) => held.push(resolve));
    await connection.respond(200);
  });
  await using bench = await Bench.start({
    backends: [backend.url],
    cluster: { breaker: { failures: 1, reset: "30s" } },
  });
  assertEquals(await bench.statuses(1), [502]);
  broken = false;
  await bench.pass(30_000);
  const conn = await ResettableConn.connect(bench.port);
  await new HttpClient(conn).send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await eventually("the trial", () => held.length === 1);
  conn.reset();
  // A client is watched only once its request takes long.
  await eventually("the end of the trial", () => {
    bench.clock.advance(100);
    return bench.health().load === 0;
  });
  const next = bench.statuses(1);
  await eventually("the next trial", () => held.length === 2);
  for (const answer of held) answer();
  assertEquals(await next, [200]);
  assertEquals(bench.told(), ["a open", "a half-open", "a closed"]);
});

Deno.test("a pooled connection that the backend closed meanwhile says nothing of it", async () => {
  let connections = 0;
  await using backend = serveScript(async (connection) => {
    connections++;
    if (await connection.request() === undefined) return;
    await connection.respond(200);
    // It takes the next request and closes without a word.
    await connection.request();
  });
  await using bench = await Bench.start({
    backends: [backend.url],
    cluster: { breaker: { failures: 1 }, passiveHealth: { failures: 1 } },
  });
  using client = await HttpClient.connect(bench.port);
  assertEquals((await client.get()).status, 200);
  // GET is tried on a new connection, POST is not.
  assertEquals([(await client.get()).status, connections], [200, 2]);
  await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  await client.response();
  assertEquals(bench.events, []);
});

Deno.test("a response that a handler retries counts by its status", async () => {
  await using a = serveEach(async (connection) => {
    await connection.respond(503);
  });
  await using b = serveNamed("b");
  const handlers: Handlers = {
    readResponseHeader: (_request, response) =>
      response.status === 503 ? { kind: "retry" } : undefined,
  };
  await using bench = await Bench.start({
    backends: [a.url, b.url],
    plugins: [handlersPlugin("retrying", handlers)],
    cluster: PASSIVE,
  });
  assertEquals(new Set(await bench.statuses(8)), new Set([200]));
  assertEquals(bench.told(), ["a ejected"]);
  assertEquals([bench.health("a").load, bench.health("b").load], [0, 0]);
});

Deno.test("failures of handlers and of clients are not the backend's", async () => {
  await using backend = serveRaw([OK]);
  await using bench = await Bench.start({
    backends: [backend.url],
    plugins: [handlersPlugin("throwing", {
      sendRequestHeader: () => {
        throw new Error("no");
      },
    })],
    cluster: { breaker: { failures: 1 }, passiveHealth: { failures: 1 } },
  });
  assertEquals(await bench.statuses(3), [500, 500, 500]);
  assertEquals([bench.events, bench.health().load], [[], 0]);
});

Deno.test("load counts a request from its attempt to the end of its response", async () => {
  const body = Promise.withResolvers<void>();
  await using backend = serveEach(async (connection) => {
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    await body.promise;
    await connection.send("k");
  });
  await using bench = await Bench.start({ backends: [backend.url] });
  const clients = await Promise.all(
    [1, 2, 3].map(() => HttpClient.connect(bench.port)),
  );
  const responses = clients.map((client) => client.get());
  await eventually("three requests", () => bench.health().load === 3);
  body.resolve();
  await Promise.all(responses);
  await eventually("none", () => bench.health().load === 0);
  for (const client of clients) client.close();
});

Deno.test("load counts tunnels and tcp sessions to their end", async () => {
  await using upgrading = serveRaw([{
    data:
      "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
    echo: true,
  }]);
  await using bench = await Bench.start({ backends: [upgrading.url] });
  const client = await HttpClient.connect(bench.port);
  await client.send(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
  );
  assertEquals((await client.response()).status, 101);
  assertEquals(bench.health().load, 1);
  client.close();
  await eventually("none", () => bench.health().load === 0);

  await using bytes = serveTcpBackend(echo);
  await using tcp = await Bench.start({
    backends: [bytes.url],
    listener: { protocol: "tcp", cluster: "main" },
  });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: tcp.port });
  await eventually("a session", () => tcp.health().load === 1);
  conn.close();
  await eventually("none", () => tcp.health().load === 0);
});

Deno.test("a handler that replaces the backend takes the attempt along", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  const loads: number[][] = [];
  await using bench: Bench = await Bench.start({
    backends: [a.url, b.url],
    plugins: [handlersPlugin("choosing", {
      forward: (_request, attempt) => {
        attempt.backend = "b";
      },
      sendRequestHeader: () => {
        loads.push([bench.health("a").load, bench.health("b").load]);
      },
    })],
  });
  await bench.statuses(2);
  assertEquals(loads, [[0, 1], [0, 1]]);
  assertEquals([bench.health("a").load, bench.health("b").load], [0, 0]);
});

Deno.test("tcp: backends that refuse are ejected, sessions go elsewhere", async () => {
  const down = serveTcpBackend(echo);
  await down[Symbol.asyncDispose]();
  await using up = serveTcpBackend(echo);
  await using bench = await Bench.start({
    backends: [down.url, up.url],
    listener: { protocol: "tcp", cluster: "main" },
    cluster: PASSIVE,
  });
  for (let i = 0; i < 8; i++) {
    const conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: bench.port,
    });
    await conn.write(new Uint8Array(1));
    assertEquals(await conn.read(new Uint8Array(1)), 1);
    conn.close();
  }
  assertEquals(bench.told(), ["a ejected"]);
  assertEquals(up.accepted, 8);
  assertEquals(bench.health("a").load, 0);
  assert(bench.health("a").lastError!.message.startsWith("Cannot connect"));
});

Deno.test("a plugin's backendChanged that throws or rejects harms nobody", async () => {
  const down = serveRaw("down");
  await down[Symbol.asyncDispose]();
  const failing = (async: boolean) =>
    inlinePlugin({
      name: `failing-${async}`,
      setup: () => ({
        backendChanged() {
          if (async) return Promise.reject(new Error("late"));
          throw new Error("at once");
        },
      }),
    });
  await using bench = await Bench.start({
    backends: [down.url],
    plugins: [{ use: failing(false) }, { use: failing(true) }],
    cluster: { passiveHealth: { failures: 1 } },
  });
  assertEquals(await bench.statuses(2), [502, 503]);
  assertEquals(bench.told(), ["a ejected"]);
});
