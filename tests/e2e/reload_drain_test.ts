import { RefusedError } from "../../core/data_plane/control.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import {
  bytesOf,
  readAll,
  readExactly,
  textOf,
} from "../support/byte_streams.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { echo, serveTcpBackend } from "../support/tcp_backend.ts";

/** A config whose every request is answered with `text`. */
function answering(text: string, further: object = {}): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 200, body: text } }],
    }],
    workers: 1,
    ...further,
  });
}

/** A config that forwards everything to one backend. */
function forwarding(url: string, further: object = {}): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{ name: "main", backends: [{ url }] }],
    workers: 1,
    ...further,
  });
}

/** A backend whose answers wait until a test lets them go. */
function heldBackend() {
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const backend = serveHttpBackend(async () => {
    arrived.resolve();
    await release.promise;
    return new Response("at last");
  });
  return {
    url: backend.url,
    arrived: arrived.promise,
    release: release.resolve,
    async [Symbol.asyncDispose]() {
      release.resolve();
      await backend[Symbol.asyncDispose]();
    },
  };
}

function sessionsOpen(proxy: TestProxy): Promise<number> {
  return proxy.report().then(({ sessionsOpen }) => sessionsOpen);
}

Deno.test("reload: 50 swaps under keep-alive traffic fail no request and close no connection", async () => {
  await using one = serveHttpBackend(() => new Response("one"));
  await using two = serveHttpBackend(() => new Response("two"));
  const configs = [forwarding(one.url), forwarding(two.url)];
  await using proxy = await startProxy(configs[0]!);
  let done = false;
  const seen = new Map<string, number>();
  const traffic = Array.from({ length: 8 }, async () => {
    using client = await HttpClient.connect(proxy.port());
    while (!done) {
      const { status, text, headers } = await client.get();
      assertEquals([status, headers.get("connection")], [200, null]);
      seen.set(text, (seen.get(text) ?? 0) + 1);
    }
  });
  for (let i = 1; i <= 50; i++) {
    await proxy.reload(configs[i % 2]!);
    // A request that begins after the swap is served by the new config.
    using client = await HttpClient.connect(proxy.port());
    assertEquals((await client.get()).text, i % 2 === 0 ? "one" : "two");
  }
  done = true;
  await inTime("the traffic's end", Promise.all(traffic));
  assertEquals([...seen.keys()].sort(), ["one", "two"]);
  const { metrics } = await proxy.report();
  assertEquals(
    metricValue(metrics, "headrace_reloads_total", { result: "ok" }),
    50,
  );
});

Deno.test("reload: a transaction ends on the config that it began with", async () => {
  await using held = heldBackend();
  await using proxy = await startProxy(forwarding(held.url));
  using client = await HttpClient.connect(proxy.port());
  const old = client.get();
  await held.arrived;
  await proxy.reload(answering("new"));
  held.release();
  assertEquals((await inTime("the old answer", old)).text, "at last");
  assertEquals((await client.get()).text, "new");
});

Deno.test("reload: a listener that did not change keeps its socket and its sessions", async () => {
  await using proxy = await startProxy(answering("old"));
  const port = proxy.port();
  using client = await HttpClient.connect(port);
  assertEquals((await client.get()).text, "old");
  await proxy.reload(answering("new"));
  assertEquals(proxy.port(), port);
  assertEquals((await client.get()).text, "new");
});

Deno.test("reload: listeners come and go", async () => {
  const [first, second] = freePorts(2);
  const listeners = (...ports: number[]) => ({
    listeners: ports.map((port) => ({
      name: `port-${port}`,
      address: `127.0.0.1:${port}`,
    })),
  });
  await using proxy = await startProxy(answering("a", listeners(first!)));
  await proxy.reload(answering("b", listeners(first!, second!)));
  for (const port of [first!, second!]) {
    using client = await HttpClient.connect(port);
    assertEquals((await client.get()).text, "b");
  }
  await proxy.reload(answering("c", listeners(second!)));
  await assertRejects(
    () => HttpClient.connect(first!),
    Deno.errors.ConnectionRefused,
  );
  using client = await HttpClient.connect(second!);
  assertEquals((await client.get()).text, "c");
});

Deno.test("reload: two listeners on port 0 have a port each, and keep it", async () => {
  const two = (text: string) =>
    answering(text, {
      listeners: ["a", "b"].map((name) => ({ name, address: "127.0.0.1:0" })),
    });
  await using proxy = await startProxy(two("old"));
  const ports = [proxy.port(0), proxy.port(1)];
  assert(ports[0] !== ports[1]);
  await proxy.reload(two("new"));
  assertEquals([proxy.port(0), proxy.port(1)], ports);
  for (const port of ports) {
    using client = await HttpClient.connect(port);
    assertEquals((await client.get()).text, "new");
  }
  assertEquals(
    (await proxy.report()).listeners.map(({ name }) => name),
    ["a", "b"],
  );
});

Deno.test("reload: a listener may change what it binds on its port", async () => {
  const [port] = freePorts(1);
  const on = (text: string, listener: object) =>
    answering(text, { listeners: [{ name: "web", ...listener }] });
  await using proxy = await startProxy(
    on("loopback", { address: `127.0.0.1:${port}` }),
  );
  using kept = await HttpClient.connect(port!);
  assertEquals((await kept.get()).text, "loopback");
  const changes = {
    all: { address: `0.0.0.0:${port}` },
    backlog: { address: `0.0.0.0:${port}`, socket: { backlog: 16 } },
    again: { address: `127.0.0.1:${port}` },
  };
  for (const [text, listener] of Object.entries(changes)) {
    await proxy.reload(on(text, listener));
    using client = await HttpClient.connect(port!);
    assertEquals((await client.get()).text, text);
    assertEquals((await kept.get()).text, text);
  }
});

Deno.test("reload: a unix listener keeps its socket, whatever else changes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/l.sock`;
    const on = (text: string, listener: object) =>
      answering(text, {
        listeners: [{ name: "web", address: `unix:${path}`, ...listener }],
      });
    await using proxy = await startProxy(on("old", {}));
    using kept = await HttpClient.connect({ transport: "unix", path });
    assertEquals((await kept.get()).text, "old");
    await proxy.reload(on("new", { socket: { backlog: 16 } }));
    using client = await HttpClient.connect({ transport: "unix", path });
    assertEquals((await client.get()).text, "new");
    assertEquals((await kept.get()).text, "new");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("reload: sessions of a removed listener end after their transaction, idle ones at once", async () => {
  await using held = heldBackend();
  const listeners = (...names: string[]) => ({
    listeners: names.map((name) => ({ name, address: "127.0.0.1:0" })),
  });
  await using proxy = await startProxy(
    forwarding(held.url, listeners("goes", "stays")),
  );
  using idle = await HttpClient.connect(proxy.port(0));
  using fresh = await HttpClient.connect(proxy.port(0));
  using busy = await HttpClient.connect(proxy.port(0));
  using other = await HttpClient.connect(proxy.port(1));
  await idle.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  const answer = busy.get();
  const others = other.get();
  await held.arrived;
  await eventually("all sessions", async () => await sessionsOpen(proxy) === 4);
  await proxy.reload(forwarding(held.url, listeners("stays")));
  await inTime("the fresh one's end", fresh.end());
  held.release();
  const last = await inTime("the answer", answer);
  assertEquals([last.text, last.headers.get("connection")], [
    "at last",
    "close",
  ]);
  await inTime("the busy one's end", busy.end());
  assertEquals((await others).headers.get("connection"), null);
  assertEquals((await other.get()).text, "at last");
});

Deno.test("reload: a refused config changes nothing and says all that is wrong", async () => {
  await using proxy = await startProxy(answering("old"));
  using client = await HttpClient.connect(proxy.port());
  const wrong = answering("new", {
    listeners: [{ name: "web", address: "127.0.0.1:0", prtocol: "http" }],
    products: [{ name: "all", default: true, rules: [{ cluster: "gone" }] }],
  });
  const refused = await assertRejects(() => proxy.reload(wrong), RefusedError);
  const told = refused.problems.join("\n");
  for (const part of ["prtocol", "protocol", "gone", "test.yaml:"]) {
    assert(told.includes(part), `${part} is not in: ${told}`);
  }
  assertEquals(proxy.supervisor.lastRefusal, refused.problems);
  assertEquals((await client.get()).text, "old");
  const { metrics, revision } = await proxy.report();
  assertEquals(revision, 1);
  assertEquals(
    metricValue(metrics, "headrace_reloads_total", { result: "refused" }),
    1,
  );
  assert(proxy.logged.some((line) => line.includes("The config was refused")));
  await proxy.reload(answering("newer"));
  assertEquals(proxy.supervisor.lastRefusal, undefined);
  assertEquals((await client.get()).text, "newer");
});

Deno.test("reload: a port that somebody else has refuses the whole config, and the free ones are given back", async () => {
  const [free] = freePorts(1);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using proxy = await startProxy(answering("old"));
  const refused = await assertRejects(
    () =>
      proxy.reload(answering("new", {
        listeners: [
          { name: "web", address: "127.0.0.1:0" },
          { name: "free", address: `127.0.0.1:${free}` },
          { name: "taken", address: `127.0.0.1:${taken.addr.port}` },
        ],
      })),
    RefusedError,
  );
  assertEquals(refused.problems.length, 1);
  assert(
    refused.problems[0]!.includes(
      `listeners "taken": Cannot listen on 127.0.0.1:${taken.addr.port}`,
    ),
    refused.problems[0],
  );
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "old");
  Deno.listen({ hostname: "127.0.0.1", port: free! }).close();
});

Deno.test("reload: a port that another process shares out is refused, not shared", async () => {
  // As a second proxy would have it, several workers on one port.
  using taken = Deno.listen({
    hostname: "127.0.0.1",
    port: 0,
    reusePort: true,
  });
  await using proxy = await startProxy(answering("old"));
  await assertRejects(
    () =>
      proxy.reload(answering("new", {
        listeners: [{
          name: "web",
          address: `127.0.0.1:${taken.addr.port}`,
        }],
      })),
    RefusedError,
    "Cannot listen on",
  );
});

Deno.test("reload: a plugin that refuses to start refuses the config, and those set up for it end", async () => {
  const ended: string[] = [];
  const good = handlersPlugin("good", ({ signal }) => {
    signal.addEventListener("abort", () => ended.push("good"));
    return {};
  });
  const bad = handlersPlugin("bad", () => {
    throw new Error("no licence");
  });
  await using proxy = await startProxy(answering("old"));
  await assertRejects(
    () => proxy.reload(answering("new", { plugins: [good, bad] })),
    RefusedError,
    "no licence",
  );
  assertEquals(ended, ["good"]);
  await proxy.reload(answering("new", { plugins: [good] }));
  assertEquals(ended, ["good"]);
  assertEquals((await proxy.report()).plugins.map(({ name }) => name), [
    "good",
  ]);
});

Deno.test("reload: one after another, however many are asked for at once", async () => {
  await using proxy = await startProxy(answering("0"));
  await Promise.all(
    Array.from({ length: 10 }, (_, i) => proxy.reload(answering(`${i + 1}`))),
  );
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "10");
  assertEquals((await proxy.report()).revision, 11);
});

Deno.test("reload: what only a start can change is told of", async () => {
  await using proxy = await startProxy(answering("old"));
  await proxy.reload(answering("new", {
    workers: 2,
    log: { level: "error" },
    admin: { address: "127.0.0.1:9999" },
  }));
  const told = proxy.logged.find((line) => line.includes("next start"));
  assert(told !== undefined);
  assertEquals(JSON.parse(told).keys, ["workers", "log", "admin"]);
});

Deno.test("drain: what is under way ends well, idle connections close, nobody new gets in", async () => {
  await using held = heldBackend();
  await using proxy = await startProxy(forwarding(held.url));
  const port = proxy.port();
  using busy = await HttpClient.connect(port);
  using fresh = await HttpClient.connect(port);
  const answer = busy.get();
  await held.arrived;
  await eventually(
    "both sessions",
    async () => await sessionsOpen(proxy) === 2,
  );
  const drained = proxy.supervisor.drain();
  assertEquals(proxy.supervisor.state, "draining");
  await inTime("the fresh one's end", fresh.end());
  await assertRejects(
    () => HttpClient.connect(port),
    Deno.errors.ConnectionRefused,
  );
  held.release();
  const last = await inTime("the answer", answer);
  assertEquals([last.text, last.headers.get("connection")], [
    "at last",
    "close",
  ]);
  await inTime("the busy one's end", busy.end());
  await inTime("the drain", drained);
  await inTime("finished", proxy.supervisor.finished);
});

Deno.test("drain: an idle keep-alive connection closes", async () => {
  await using proxy = await startProxy(answering("ok"));
  using client = await HttpClient.connect(proxy.port());
  await client.get();
  await inTime("the drain", proxy.supervisor.drain());
  await inTime("the end", client.end());
});

Deno.test("drain: requests that are there already are answered, the last one says close", async () => {
  await using held = heldBackend();
  await using proxy = await startProxy(forwarding(held.url));
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  await held.arrived;
  const drained = proxy.supervisor.drain();
  held.release();
  const first = await inTime("the first answer", client.response());
  assertEquals(first.headers.get("connection"), "close");
  await inTime("the end", client.ended());
  await inTime("the drain", drained);
});

Deno.test("drain: ends at once where nothing is open", async () => {
  await using proxy = await startProxy(answering("ok"));
  await inTime("the drain", proxy.supervisor.drain());
  await inTime("finished", proxy.supervisor.finished);
});

Deno.test("drain: TCP sessions go on until drain.timeout, then they are cut", async () => {
  await using backend = serveTcpBackend(echo);
  await using proxy = await startProxy(JSON.stringify({
    listeners: [{
      name: "bytes",
      address: "127.0.0.1:0",
      protocol: "tcp",
      cluster: "main",
    }],
    clusters: [{ name: "main", backends: [{ url: backend.url }] }],
    drain: { timeout: "500ms" },
    workers: 1,
  }));
  using conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: proxy.port(),
  });
  await conn.write(bytesOf("1"));
  await readExactly(conn, 1);
  const drained = proxy.supervisor.drain();
  await conn.write(bytesOf("still there"));
  await readExactly(conn, 11);
  await inTime("the drain", drained);
  const rest = await readAll(conn).catch(() => new Uint8Array(0));
  assertEquals(rest.length, 0);
  assertEquals(await sessionsOpen(proxy), 0);
});

Deno.test("drain: a request that outlives drain.timeout is cut, whatever its handlers wait for", async () => {
  const entered = Promise.withResolvers<void>();
  const stuck = Promise.withResolvers<undefined>();
  const deaf = handlersPlugin("deaf", {
    foundProduct: () => {
      entered.resolve();
      return stuck.promise;
    },
  });
  await using proxy = await startProxy(answering("never", {
    plugins: [{ ...deaf, timeout: "1h" }],
    drain: { timeout: "100ms" },
  }));
  using client = await HttpClient.connect(proxy.port());
  const answer = client.get().then(() => "answered", () => "cut");
  await entered.promise;
  await inTime("the drain", proxy.supervisor.drain());
  assertEquals(await inTime("the end", answer), "cut");
  stuck.resolve(undefined);
  await eventually(
    "the session's end",
    async () => await sessionsOpen(proxy) === 0,
  );
});

Deno.test("drain: cut ends it at once", async () => {
  await using held = heldBackend();
  await using proxy = await startProxy(forwarding(held.url));
  using client = await HttpClient.connect(proxy.port());
  const answer = client.get().then(() => "answered", () => "cut");
  await held.arrived;
  const drained = proxy.supervisor.drain();
  proxy.supervisor.cut();
  await inTime("finished", proxy.supervisor.finished);
  await proxy.supervisor.stop();
  assertEquals(await inTime("the end", answer), "cut");
  await inTime("the drain", drained);
});

Deno.test("drain: a reload that comes with it or after it binds nothing", async () => {
  const [port] = freePorts(1);
  const further = {
    listeners: [{ name: "late", address: `127.0.0.1:${port}` }],
  };
  await using proxy = await startProxy(answering("old"));
  const reloading = assertRejects(
    () => proxy.supervisor.reload(),
    RefusedError,
    "drain",
  );
  const drained = proxy.supervisor.drain();
  await reloading;
  await inTime("the drain", drained);
  await assertRejects(
    () => proxy.reload(answering("late", further)),
    RefusedError,
    "drain",
  );
  Deno.listen({ hostname: "127.0.0.1", port: port! }).close();
});

Deno.test("reload: 200 reloads of an unchanged config leave memory flat", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      // The young generation's size is V8's to choose: it would hide a leak.
      "--v8-flags=--expose-gc,--max-semi-space-size=1",
      new URL("../support/reload_memory.ts", import.meta.url).href,
      "200",
    ],
  }).output();
  assertEquals(code, 0, textOf(stderr));
  const grown: { heap: number; native: number } = JSON.parse(textOf(stdout));
  // 100 KB a reload would be 20 MB.
  assert(grown.heap < 5e6, `The heap grew by ${grown.heap} bytes`);
  assert(grown.native < 12e6, `Memory beside it by ${grown.native} bytes`);
});

Deno.test("a reload holds though the lock's file of an address that it leaves can't be removed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const runDir = `${folder}/run`;
  const ports = freePorts(2);
  const config = (id: string, count: number) =>
    JSON.stringify({
      listeners: ports.slice(0, count).map((port) => ({
        name: `web${port}`,
        address: `127.0.0.1:${port}`,
      })),
      clusters: [{ name: "main", backends: [{ id, url: "http://a.invalid" }] }],
      workers: 1,
    });
  try {
    await using proxy = await startProxy(config("old", 2), { runDir });
    await Deno.remove(runDir, { recursive: true });
    await Deno.writeTextFile(runDir, "");
    await proxy.reload(config("new", 1));
    assertEquals(proxy.supervisor.lastRefusal, undefined);
    assertEquals(proxy.supervisor.backendState("old"), undefined);
    assert(proxy.supervisor.backendState("new") !== undefined);
    assert(proxy.logged.some((line) => line.includes("can't be removed")));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
