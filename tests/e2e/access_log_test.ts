/**
 * access-log at work: to a file, in every format, and no line lost.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
} from "../support/assert.ts";
import { drainAndStop } from "../support/drain_and_stop.ts";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { pluginConfig, WORKERS } from "../support/plugin_site.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { ResettableConn } from "../support/resettable_conn.ts";
import { serveScript } from "../support/scripted_backend.ts";
import { echo, serveTcpBackend } from "../support/tcp_backend.ts";

const LINES = "headrace_plugin_access_log_lines_total";
const LOST = "headrace_plugin_access_log_lines_lost_total";

/** Resolves once every client's session is over. */
async function quiet(proxy: TestProxy): Promise<void> {
  await eventually(
    "no session",
    async () => (await proxy.report()).sessionsOpen === 0,
  );
}

/** The lines of a 200, a 404, a 400, a client that resets, and a TCP session; all workers' in one file. */
async function logOf(format: string, workers: number): Promise<string[]> {
  await using slow = serveScript(async (connection) => {
    await connection.request();
    asked.resolve();
    await connection.ended();
  });
  const asked = Promise.withResolvers<void>();
  await using tcp = serveTcpBackend(echo);
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const path = `${folder}/access.log`;
  await using proxy = await startProxy(
    pluginConfig(workers, {
      backends: [slow.url],
      listeners: [{
        name: "pg",
        address: "[::1]:0",
        protocol: "tcp",
        cluster: "db",
      }],
      clusters: [{ name: "db", backends: [{ id: "db1", url: tcp.url }] }],
      products: [{
        name: "site",
        default: true,
        rules: [
          {
            when: 'req_path_in("/hello", false)',
            respond: { status: 200, body: "hello" },
          },
          { when: 'req_path_in("/slow", false)', cluster: "main" },
        ],
      }],
      plugins: [{ use: "builtin:access-log", options: { format, path } }],
    }),
  );
  {
    using client = await HttpClient.connect(proxy.port());
    await client.send(
      "GET /hello?a=1 HTTP/1.1\r\nHost: Shop.example:81\r\n" +
        'User-Agent: curl/8 "x"\r\nReferer: http://r/\r\n\r\n',
    );
    assertEquals((await client.response()).status, 200);
    await client.send("POST /none HTTP/1.0\r\nContent-Length: 2\r\n\r\nab");
    assertEquals((await client.response()).status, 404);
  }
  await quiet(proxy);
  {
    using client = await HttpClient.connect(proxy.port());
    await client.send("GET / HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n");
    assertEquals((await client.response()).status, 400);
  }
  await quiet(proxy);
  const leaving = await ResettableConn.connect(proxy.port());
  await leaving.write(
    new TextEncoder().encode("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"),
  );
  await asked.promise;
  await leaving.reset();
  await quiet(proxy);
  {
    using client = await HttpClient.connect({
      hostname: "::1",
      port: proxy.port(1),
    });
    await client.send("abc");
    await client.conn.closeWrite();
    const buffer = new Uint8Array(8);
    assertEquals(await client.conn.read(buffer), 3);
    await client.end();
  }
  await drainAndStop(proxy);
  const text = await Deno.readTextFile(path);
  await Deno.remove(folder, { recursive: true });
  assert(text.endsWith("\n"));
  return text.trimEnd().split("\n");
}

/** Each line matches one pattern and the other way round. */
function assertLines(lines: readonly string[], patterns: readonly RegExp[]) {
  const left = [...lines];
  for (const pattern of patterns) {
    const at = left.findIndex((line) => pattern.test(line));
    assert(at >= 0, `${pattern} in\n${lines.join("\n")}`);
    left.splice(at, 1);
  }
  assertEquals(left, []);
}

/** In the order of what was done; TCP has none. */
const STATUSES = [200, 404, 400, 499, undefined];

const TIME = String
  .raw`\[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`;

const COMMON = [
  String
    .raw`127\.0\.0\.1 - - ${TIME} "GET \/hello\?a=1 HTTP\/1\.1" 200 \d{2,3}`,
  String.raw`127\.0\.0\.1 - - ${TIME} "POST \/none HTTP\/1\.0" 404 \d{3}`,
  String.raw`127\.0\.0\.1 - - ${TIME} "-" 400 \d{3}`,
  String.raw`127\.0\.0\.1 - - ${TIME} "GET \/slow HTTP\/1\.1" 499 -`,
  String.raw`::1 - - ${TIME} "-" - 3`,
];

for (const workers of WORKERS) {
  Deno.test(`access-log: common (workers: ${workers})`, async () => {
    const patterns = COMMON.map((line) => new RegExp(`^${line}$`));

    assertLines(await logOf("common", workers), patterns);
  });

  Deno.test(`access-log: combined (workers: ${workers})`, async () => {
    const patterns = COMMON.map((line, i) => {
      const tail = i === 0
        ? String.raw`"http:\/\/r\/" "curl\/8 \\"x\\""`
        : '"-" "-"';
      return new RegExp(`^${line} ${tail}$`);
    });

    assertLines(await logOf("combined", workers), patterns);
  });

  Deno.test(`access-log: json (workers: ${workers})`, async () => {
    const lines = (await logOf("json", workers))
      .map((line) => JSON.parse(line))
      .sort((a, b) => STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status));
    const rests = lines.map((line) => {
      const { time, session, transaction, durationMs, ...rest } = line;
      assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assertMatch(session, /^\S+$/);
      if (rest.protocol === "TCP") assertEquals(transaction, undefined);
      else assertMatch(transaction, /^\S+$/);
      assert(durationMs >= 0);
      return rest;
    });
    const [hello, none, , slow] = rests;
    const web = { client: "127.0.0.1", listener: "web" };

    assertEquals(rests, [
      {
        ...web,
        protocol: "HTTP/1.1",
        method: "GET",
        target: "/hello?a=1",
        host: "shop.example",
        status: 200,
        bytesIn: 94,
        bytesOut: hello.bytesOut,
        product: "site",
        attempts: [],
        userAgent: 'curl/8 "x"',
        referer: "http://r/",
      },
      {
        ...web,
        protocol: "HTTP/1.0",
        method: "POST",
        target: "/none",
        host: "",
        status: 404,
        // The body was not read before the answer.
        bytesIn: 42,
        bytesOut: none.bytesOut,
        product: "site",
        attempts: [],
        error: { code: "no_rule", side: "proxy" },
      },
      {
        ...web,
        protocol: "HTTP",
        status: 400,
        bytesIn: rests[2].bytesIn,
        bytesOut: rests[2].bytesOut,
        attempts: [],
        error: { code: "bad_request", side: "client" },
      },
      {
        ...web,
        protocol: "HTTP/1.1",
        method: "GET",
        target: "/slow",
        host: "a",
        status: 499,
        bytesIn: 31,
        bytesOut: 0,
        product: "site",
        cluster: "main",
        backend: "a",
        attempts: [{
          id: rests[3].attempts[0].id,
          backend: "a",
          error: slow.attempts[0].error,
          reused: false,
        }],
        error: { code: "client_closed", side: "client" },
      },
      {
        client: "::1",
        protocol: "TCP",
        bytesIn: 3,
        bytesOut: 3,
        backend: "db1",
        listener: "pg",
      },
    ]);
    assert(hello.bytesOut > 60);
    assert(none.bytesOut > 100);
  });

  Deno.test(`access-log loses nothing on a drain (workers: ${workers})`, async () => {
    const path = await Deno.makeTempFile({ prefix: "headrace-test-" });
    await using proxy = await startProxy(
      pluginConfig(workers, {
        plugins: [{ use: "builtin:access-log", options: { path } }],
      }),
    );
    const [clients, requests] = [20, 50];
    await Promise.all(
      Array.from({ length: clients }, async (_, c) => {
        using client = await HttpClient.connect(proxy.port());
        for (let i = 0; i < requests; i++) await client.get(`/${c}/${i}`);
      }),
    );
    await drainAndStop(proxy);
    const targets = (await Deno.readTextFile(path)).trimEnd().split("\n")
      .map((line) => JSON.parse(line).target);
    await Deno.remove(path);

    assertEquals(targets.length, clients * requests);
    assertEquals(new Set(targets).size, clients * requests);
  });

  Deno.test(`access-log loses nothing where a reload replaces it (workers: ${workers})`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
    const config = (name: string) =>
      pluginConfig(workers, {
        plugins: [{
          use: "builtin:access-log",
          options: { path: `${folder}/${name}`, format: "common" },
        }],
      });
    await using proxy = await startProxy(config("one"));
    using client = await HttpClient.connect(proxy.port());
    await client.get("/1");
    await client.get("/2");
    await proxy.reload(config("two"));
    await client.get("/3");
    client.close();
    await drainAndStop(proxy);
    const targets = async (name: string) =>
      (await Deno.readTextFile(`${folder}/${name}`)).match(/GET \S+/g);

    assertEquals(await targets("one"), ["GET /1", "GET /2"]);
    assertEquals(await targets("two"), ["GET /3"]);
    await Deno.remove(folder, { recursive: true });
  });

  Deno.test(`access-log rotates one file for all (workers: ${workers})`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
    const path = `${folder}/access.log`;
    await using proxy = await startProxy(
      pluginConfig(workers, {
        plugins: [{
          use: "builtin:access-log",
          options: {
            path,
            format: "common",
            rotate: { bytes: 2_000, keep: 3 },
          },
        }],
      }),
    );
    // Each client's lines are a batch of their own: no batch comes while none is due.
    for (let c = 0; c < 8; c++) {
      using client = await HttpClient.connect(proxy.port());
      for (let i = 0; i < 10; i++) await client.get(`/${c}/${i}`);
      await eventually("the batch", async () => {
        const { metrics } = await proxy.report();
        return metricValue(metrics, LINES) === (c + 1) * 10;
      });
    }
    await drainAndStop(proxy);
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
    let lines = 0;
    for (const name of names) {
      const text = await Deno.readTextFile(`${folder}/${name}`);
      assert(text.length <= 2_000, name);
      assertEquals(text.at(-1), "\n");
      lines += text.trimEnd().split("\n").length;
    }
    await Deno.remove(folder, { recursive: true });

    assertEquals(names.sort(), [
      "access.log",
      "access.log.1",
      "access.log.2",
      "access.log.3",
    ]);
    assertEquals(lines, 80);
  });

  Deno.test(`access-log opens its file anew, also where a reload is refused (workers: ${workers})`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
    const path = `${folder}/access.log`;
    await using proxy = await startProxy(
      pluginConfig(workers, {
        plugins: [{
          use: "builtin:access-log",
          options: { path, format: "common" },
        }],
      }),
    );
    const written = async (lines: number) =>
      await eventually("a line in the log", async () => {
        const { metrics } = await proxy.report();
        return metricValue(metrics, LINES) === lines;
      });
    using client = await HttpClient.connect(proxy.port());
    await client.get("/1");
    await written(1);
    await Deno.rename(path, `${path}.old`);
    await client.get("/2");
    await written(2);
    await assertRejects(() => proxy.reload("listeners: nonsense"));
    await client.get("/3");
    client.close();
    await drainAndStop(proxy);
    const targets = async (name: string) =>
      (await Deno.readTextFile(name)).match(/GET \S+/g);

    assertEquals(await targets(`${path}.old`), ["GET /1", "GET /2"]);
    assertEquals(await targets(path), ["GET /3"]);
    await Deno.remove(folder, { recursive: true });
  });

  Deno.test(`a full disk stops no traffic and is counted (workers: ${workers})`, async () => {
    await using proxy = await startProxy(
      pluginConfig(workers, {
        plugins: [{
          use: "builtin:access-log",
          options: { path: "/dev/full" },
        }],
      }),
    );
    using client = await HttpClient.connect(proxy.port());
    for (let i = 0; i < 20; i++) {
      assertEquals((await client.get(`/${i}`)).status, 200);
    }
    await eventually("lost lines", async () => {
      const { metrics } = await proxy.report();
      return metricValue(metrics, LOST, { reason: "write_failed" }) === 20;
    });
  });
}
