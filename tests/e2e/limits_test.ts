import { assertEquals } from "../support/assert.ts";
import {
  bytesOf,
  readAll,
  readExactly,
  textOf,
} from "../support/byte_streams.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { echo, serveTcpBackend } from "../support/tcp_backend.ts";

const ANSWER = [{
  name: "all",
  default: true,
  rules: [{ respond: { status: 200, body: "ok" } }],
}];

function httpConfig(limits: object): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0", limits }],
    products: ANSWER,
    workers: 1,
  });
}

async function open(proxy: TestProxy): Promise<number> {
  return (await proxy.report()).listeners[0]!.open;
}

Deno.test("limits.connections: the next connection is served when one closes, not before", async () => {
  await using proxy = await startProxy(httpConfig({ connections: 2 }));
  using first = await HttpClient.connect(proxy.port());
  using second = await HttpClient.connect(proxy.port());
  assertEquals((await first.get()).status, 200);
  assertEquals((await second.get()).status, 200);
  // The kernel takes the third, nobody accepts it.
  using third = await HttpClient.connect(proxy.port());
  let answered = false;
  const third200 = third.get().then((response) => {
    answered = true;
    return response.status;
  });
  // A round trip on an accepted one: what was to be accepted would be by now.
  for (let i = 0; i < 20; i++) assertEquals((await first.get()).status, 200);
  assertEquals([answered, await open(proxy)], [false, 2]);
  assertEquals((await proxy.report()).sessionsOpen, 2);
  second.close();
  assertEquals(await inTime("the third's answer", third200), 200);
  assertEquals(await open(proxy), 2);
});

Deno.test("limits.connections: 50 clients at a limit of 3 are all served, never more than 3 at once", async () => {
  await using proxy = await startProxy(httpConfig({ connections: 3 }));
  let most = 0;
  const one = async () => {
    using client = await HttpClient.connect(proxy.port());
    assertEquals((await client.get()).text, "ok");
    most = Math.max(most, await open(proxy));
  };
  await inTime(
    "all clients",
    Promise.all(Array.from({ length: 50 }, one)),
  );
  assertEquals(most <= 3, true, `${most} at once`);
  await eventually("no session", async () => await open(proxy) === 0);
});

Deno.test("limits.connections: counts TCP sessions too", async () => {
  await using backend = serveTcpBackend(echo);
  await using proxy = await startProxy(JSON.stringify({
    listeners: [{
      name: "bytes",
      address: "127.0.0.1:0",
      protocol: "tcp",
      cluster: "main",
      limits: { connections: 1 },
    }],
    clusters: [{ name: "main", backends: [{ url: backend.url }] }],
    workers: 1,
  }));
  const connect = () =>
    Deno.connect({ hostname: "127.0.0.1", port: proxy.port() });
  const first = await connect();
  await first.write(bytesOf("1"));
  await readExactly(first, 1);
  using second = await connect();
  await second.write(bytesOf("2"));
  await first.write(bytesOf("1"));
  await readExactly(first, 1);
  assertEquals(backend.accepted, 1);
  first.close();
  assertEquals(
    textOf(await inTime("the second's echo", readExactly(second, 1))),
    "2",
  );
});

Deno.test("limits.connections: a reload that raises it lets waiting connections in at once", async () => {
  await using proxy = await startProxy(httpConfig({ connections: 1 }));
  using first = await HttpClient.connect(proxy.port());
  await first.get();
  using second = await HttpClient.connect(proxy.port());
  const answer = second.get();
  await proxy.reload(httpConfig({ connections: 2 }));
  assertEquals((await inTime("the second's answer", answer)).status, 200);
  assertEquals((await first.get()).status, 200);
});

Deno.test("limits.connections: a reload that lowers it ends nobody, and counts from then on", async () => {
  await using proxy = await startProxy(httpConfig({ connections: 3 }));
  using first = await HttpClient.connect(proxy.port());
  using second = await HttpClient.connect(proxy.port());
  await first.get();
  await second.get();
  await proxy.reload(httpConfig({ connections: 1 }));
  assertEquals((await first.get()).status, 200);
  assertEquals((await second.get()).status, 200);
  // An accept may be under way already: the first newcomer may get in, the next waits.
  using third = await HttpClient.connect(proxy.port());
  using fourth = await HttpClient.connect(proxy.port());
  const answers = [third.get(), fourth.get()];
  first.close();
  second.close();
  assertEquals((await inTime("the third's answer", answers[0]!)).status, 200);
  third.close();
  assertEquals((await inTime("the fourth's answer", answers[1]!)).status, 200);
});

Deno.test("limits.connectionsPerAddress: one more is closed without a byte, and told to finish handlers", async () => {
  const told: (string | undefined)[] = [];
  const plugin = handlersPlugin("told", {
    finish: (session) => {
      told.push(session.error?.code ?? "well");
    },
  });
  const config = JSON.parse(httpConfig({ connectionsPerAddress: 2 }));
  await using proxy = await startProxy(
    JSON.stringify({ ...config, plugins: [plugin] }),
  );
  using first = await HttpClient.connect(proxy.port());
  using second = await HttpClient.connect(proxy.port());
  await first.get();
  await second.get();
  {
    using conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: proxy.port(),
    });
    assertEquals((await inTime("the end", readAll(conn))).length, 0);
  }
  assertEquals(
    await eventually("the finish", () => told[0]),
    "too_many_connections",
  );
  first.close();
  await eventually("the first's end", async () => await open(proxy) === 1);
  using third = await HttpClient.connect(proxy.port());
  assertEquals((await third.get()).status, 200);
  const { metrics } = await proxy.report();
  assertEquals(
    metricValue(metrics, "headrace_sessions_total", { listener: "web" }),
    4,
  );
});

Deno.test("limits.connectionsPerAddress: counts each address for itself", async () => {
  await using proxy = await startProxy(
    httpConfig({ connectionsPerAddress: 1 }),
  );
  using first = await HttpClient.connect(proxy.port());
  assertEquals((await first.get()).status, 200);
  // All of 127.0.0.0/8 is this machine's; Deno can't bind a client's address, curl can.
  const other = await new Deno.Command("curl", {
    args: ["-s", "--interface", "127.0.0.2", proxy.url()],
  }).output();
  assertEquals(textOf(other.stdout), "ok");
});
