import { CALLBACK_POINTS } from "../../core/callback_points.ts";
import { configJsonSchema } from "../../core/config/json_schema.ts";
import { VERSION } from "../../core/version.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { textOf } from "../support/byte_streams.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import {
  type HeadraceProcess,
  runHeadrace,
  startHeadrace,
} from "../support/headrace_process.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";

/** A process may take its time on a busy machine. */
const PATIENCE = 30_000;

/** A config file in a folder of its own, with free ports. */
async function configFile(further: object = {}) {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const [web = 0, admin = 0] = freePorts(2);
  const path = `${folder}/proxy.yaml`;
  const write = (text: string, more: object = {}) =>
    Deno.writeTextFile(
      path,
      JSON.stringify({
        listeners: [{ name: "web", address: `127.0.0.1:${web}` }],
        products: [{
          name: "all",
          default: true,
          rules: [{ respond: { status: 200, body: text } }],
        }],
        admin: { address: `127.0.0.1:${admin}` },
        workers: 1,
        log: { format: "text" },
        ...further,
        ...more,
      }),
    );
  await write("first");
  return {
    path,
    web,
    admin,
    write,
    async [Symbol.asyncDispose]() {
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** The text of a GET on a connection of its own. */
async function get(port: number, path = "/"): Promise<string> {
  using client = await HttpClient.connect(port);
  return (await client.get(path)).text;
}

function ended(process: HeadraceProcess): Promise<number> {
  return inTime("the process's end", process.code, PATIENCE);
}

Deno.test("headrace --help: names every command, exit 0", async () => {
  const { code, stdout } = await runHeadrace(["--help"]);
  assertEquals(code, 0);
  for (const name of ["check FILE", "schema", "points", "--config FILE"]) {
    assertStringIncludes(stdout, name);
  }
});

Deno.test("headrace --version: the version, exit 0", async () => {
  const { code, stdout } = await runHeadrace(["--version"]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, `headrace ${VERSION}`);
});

Deno.test("headrace schema: the config's JSON Schema, exit 0", async () => {
  const { code, stdout } = await runHeadrace(["schema"]);
  assertEquals(code, 0);
  assertEquals(JSON.parse(stdout), configJsonSchema());
});

Deno.test("headrace points: every callback point, exit 0", async () => {
  const { code, stdout } = await runHeadrace(["points"]);
  assertEquals(code, 0);
  for (const { name } of CALLBACK_POINTS) {
    assertStringIncludes(stdout, `\`${name}\``);
  }
});

Deno.test("headrace: a wrong command line is told of, exit 2", async () => {
  const wrong = [
    ["unheard-of"],
    ["--unheard-of"],
    ["check"],
    ["check", "a", "b"],
    ["schema", "x"],
    ["--check"],
    ["--config"],
    ["--watch"],
    ["check", "x.yaml", "--takeover"],
    ["schema", "--json"],
  ];
  await Promise.all(wrong.map(async (args) => {
    const { code, stdout, stderr } = await runHeadrace(args);
    assertEquals([args, code, stdout], [args, 2, ""]);
    assertStringIncludes(stderr, "Try headrace --help");
  }));
});

Deno.test("headrace check: a good config is fine though its ports are taken, exit 0", async () => {
  await using config = await configFile();
  using _web = Deno.listen({ hostname: "127.0.0.1", port: config.web });
  using _admin = Deno.listen({ hostname: "127.0.0.1", port: config.admin });
  for (const args of [["check"], ["--check", "--config"]]) {
    const { code, stdout, stderr } = await runHeadrace([...args, config.path]);
    assertEquals([code, stdout, stderr], [0, `${config.path}: fine\n`, ""]);
  }
});

Deno.test("headrace check: names are not asked for, exit 0", async () => {
  await using config = await configFile({
    clusters: [{
      name: "main",
      dns: "all",
      backends: [{ url: "http://nowhere.invalid:1" }],
    }],
  });
  const { code, stdout, stderr } = await runHeadrace(["check", config.path]);
  assertEquals([code, stdout, stderr], [0, `${config.path}: fine\n`, ""]);
});

Deno.test("headrace check: every problem with its place, exit 1", async () => {
  await using config = await configFile();
  await Deno.writeTextFile(
    config.path,
    [
      "listeners:",
      "  - name: web",
      "    adress: 127.0.0.1:0",
      "products:",
      "  - name: shop",
      "    default: true",
      "    rules:",
      "      - cluster: apii",
      "clusters:",
      "  - name: api",
      "    backends: [{ url: http://127.0.0.1:1 }]",
    ].join("\n"),
  );
  for (const args of [["check"], ["--check", "--config"]]) {
    const { code, stdout, stderr } = await runHeadrace([...args, config.path]);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, `${config.path}:3:5 listeners[0].adress`);
    assertStringIncludes(stderr, `did you mean "address"`);
    assertStringIncludes(stderr, `${config.path}:8:18`);
    assertStringIncludes(stderr, `did you mean "api"`);
  }
});

Deno.test("headrace check: a plugin that can't be had is a problem, exit 1", async () => {
  await using config = await configFile({
    plugins: [{ use: "./not-there.ts" }],
  });
  const { code, stderr } = await runHeadrace(["check", config.path]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "not-there.ts");
});

Deno.test("headrace check: a file that is not there is said so, exit 1", async () => {
  const { code, stderr } = await runHeadrace(["check", "/nowhere/x.yaml"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "/nowhere/x.yaml");
  assert(!stderr.includes("    at "), stderr);
});

Deno.test("headrace --config: on standard error stands the log and nothing else, whatever is asked", async () => {
  await using config = await configFile({ log: { format: "json" } });
  await using process = startHeadrace(["--config", config.path]);
  await process.wrote("Headrace serves");
  using client = await HttpClient.connect(config.admin);
  const host = "HTTP/1.1\r\nHost: localhost\r\n";
  for (
    const request of [
      `GET /healthz ${host}\r\n`,
      `POST /api/reload ${host}\r\n`,
      `POST /api/explain ${host}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    ]
  ) {
    await client.send(request);
    await client.response();
  }
  process.kill("SIGTERM");
  assertEquals(await ended(process), 0);
  const lines = process.stderr.trimEnd().split("\n");
  assertEquals(lines.filter((line) => !line.startsWith('{"time":')), []);
});

for (const workers of [1, 2]) {
  const also = `workers: ${workers}`;

  Deno.test(`headrace --config (${also}): serves, SIGHUP reloads or keeps, SIGTERM drains, exit 0`, async () => {
    await using config = await configFile({ workers });
    await using process = startHeadrace(["--config", config.path]);
    await process.wrote("Headrace serves");
    assertEquals(await get(config.web), "first");

    await config.write("second");
    process.kill("SIGHUP");
    await process.wrote("The config was reloaded");
    assertEquals(await get(config.web), "second");

    await config.write("third", { clusters: [{ name: "x", bakends: [] }] });
    process.kill("SIGHUP");
    await process.wrote("The config was refused");
    assertStringIncludes(process.stderr, "bakends");
    assertEquals(await get(config.web), "second");

    process.kill("SIGTERM");
    assertEquals(await ended(process), 0);
    assertEquals(process.stdout, "");
  });

  Deno.test(`headrace --config (${also}): a drain waits for what is under way, a second signal cuts it`, async () => {
    for (const second of [false, true]) {
      const release = Promise.withResolvers<void>();
      const arrived = Promise.withResolvers<void>();
      await using backend = serveHttpBackend(async () => {
        arrived.resolve();
        await release.promise;
        return new Response("at last");
      });
      await using config = await configFile({
        workers,
        products: undefined,
        clusters: [{ name: "main", backends: [{ url: backend.url }] }],
      });
      await using process = startHeadrace(["--config", config.path]);
      await process.wrote("Headrace serves");
      using client = await HttpClient.connect(config.web);
      const answer = client.get().then(({ text }) => text, () => "cut");
      await arrived.promise;
      process.kill("SIGINT");
      await process.wrote("Draining");
      if (second) process.kill("SIGINT");
      else release.resolve();
      assertEquals(
        await inTime("the answer", answer),
        second ? "cut" : "at last",
      );
      client.close();
      assertEquals(await ended(process), 0);
      release.resolve();
    }
  });

  Deno.test(`headrace --config (${also}): what it serves is drained from its first connection on, exit 0`, async () => {
    await using config = await configFile({ workers });
    await using process = startHeadrace(["--config", config.path]);
    using client = await eventually(
      "the first connection",
      () => HttpClient.connect(config.web).catch(() => undefined),
      PATIENCE,
    );
    const answer = client.get();
    process.kill("SIGTERM");
    assertEquals((await answer).text, "first");
    assertEquals(await ended(process), 0);
  });

  Deno.test(`headrace --config (${also}): what a plugin leaves behind keeps nobody, what it fails to handle ends nobody`, async () => {
    await using config = await configFile({
      workers,
      plugins: [{
        use: dataPlugin(`export default {
          name: "careless",
          setup: () => {
            setInterval(() => {}, 1_000);
            return {
              handlers: {
                foundProduct: () => {
                  setTimeout(() => { throw new Error("stray"); });
                  Promise.reject(new Error("forgotten"));
                },
              },
            };
          },
        };`),
      }],
    });
    await using process = startHeadrace(["--config", config.path]);
    await process.wrote("Headrace serves");
    assertEquals(await get(config.web), "first");
    await process.wrote("stray");
    await process.wrote("forgotten");
    assertEquals(await get(config.web), "first");
    process.kill("SIGTERM");
    assertEquals(await ended(process), 0);
  });
}

Deno.test("headrace --config --watch: reloads what is renamed or written in place, keeps what it has, drains", async () => {
  await using config = await configFile({ workers: 2 });
  await using process = startHeadrace(["--config", config.path, "--watch"]);
  await process.wrote("Headrace serves");
  const told = (text: string) => process.stderr.split(text).length - 1;
  const served = (text: string) =>
    eventually(text, async () => await get(config.web) === text, PATIENCE);

  await config.write("written in place");
  await served("written in place");
  await Deno.rename(config.path, `${config.path}~`);
  await config.write("moved aside before");
  await served("moved aside before");

  await config.write("never", { clusters: [{ name: "x", bakends: [] }] });
  await process.wrote("The config was refused");
  assertStringIncludes(process.stderr, "bakends");
  assertEquals(await get(config.web), "moved aside before");

  const [current, next] = [config.path, `${config.path}.new`];
  await Deno.copyFile(`${current}~`, next);
  await Deno.rename(next, current);
  await served("written in place");
  const reloaded = (times: number) =>
    eventually(
      `${times} reloads`,
      () => told("The config was reloaded") === times,
      PATIENCE,
    );
  await reloaded(3);
  assertEquals(told("The config was refused"), 1);
  // Signals do what they do without it.
  process.kill("SIGHUP");
  await reloaded(4);

  process.kill("SIGTERM");
  assertEquals(await ended(process), 0);
  assertEquals(told("The config was re"), 5);
});

Deno.test("headrace --config: a refused config is told of with its places, exit 1", async () => {
  await using config = await configFile();
  await config.write("x", { wrokers: 2 });
  const { code, stdout, stderr } = await runHeadrace([
    "--config",
    config.path,
  ]);
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, `did you mean "workers"`);
});

Deno.test("headrace --config: a port that is taken is said so, exit 1", async () => {
  await using config = await configFile();
  for (const port of [config.web, config.admin]) {
    using _taken = Deno.listen({ hostname: "127.0.0.1", port });
    const { code, stderr } = await runHeadrace(["--config", config.path]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `127.0.0.1:${port}`);
    assertStringIncludes(stderr, "Address already in use");
    assert(!stderr.includes("    at "), stderr);
  }
});

Deno.test("headrace status, reload, drain: talk to the admin address", async () => {
  await using config = await configFile({ workers: 2 });
  await using process = startHeadrace(["--config", config.path]);
  await process.wrote("Headrace serves");
  const admin = ["--admin", `http://127.0.0.1:${config.admin}`];

  const status = await runHeadrace(["status", ...admin]);
  assertEquals([status.code, status.stderr], [0, ""]);
  assertStringIncludes(status.stdout, "ready");

  await config.write("second");
  assertEquals((await runHeadrace(["reload", ...admin])).code, 0);
  assertEquals(await get(config.web), "second");

  await config.write("third", { wrokers: 1 });
  const refused = await runHeadrace(["reload", ...admin]);
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "wrokers");
  assertEquals(await get(config.web), "second");

  assertEquals((await runHeadrace(["drain", ...admin])).code, 0);
  assertEquals(await ended(process), 0);

  const gone = await runHeadrace(["status", ...admin]);
  assertEquals(gone.code, 1);
  assertStringIncludes(gone.stderr, "Cannot reach the admin address");
});

const DEMO_PORTS = [8080, 8081, 9090];

Deno.test("headrace: the demo says which port is taken, exit 1", async () => {
  // Whoever has it besides: it is taken.
  const listener = tryListen(DEMO_PORTS[0]!);
  try {
    const { code, stdout, stderr } = await runHeadrace([]);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, "127.0.0.1:8080");
    assertStringIncludes(stderr, "Address already in use");
    assert(!stderr.includes("    at "), stderr);
  } finally {
    listener?.close();
  }
});

Deno.test("headrace: the demo's lines work as printed, Ctrl-C drains, exit 0", async () => {
  const free = DEMO_PORTS.map(tryListen);
  for (const listener of free) listener?.close();
  if (free.includes(undefined)) {
    console.log(`Not tried: one of the ports ${DEMO_PORTS} is taken here`);
    return;
  }
  await using process = startHeadrace([]);
  await process.wrote("Ctrl-C drains");
  const lines = process.stdout.match(/^ {2}curl .*$/gm) ?? [];
  assertEquals(lines.length >= 8, true);
  const answers = new Map<string, string>();
  for (const line of lines) {
    const output = await new Deno.Command("sh", { args: ["-c", line] })
      .output();
    assertEquals([line, output.code], [line, 0]);
    answers.set(
      line.replace(/ +#.*/, "").trim().replace(/^curl -\w+ /, ""),
      textOf(output.stdout),
    );
  }
  const answer = (command: string) => answers.get(command) ?? "";
  const web = "http://127.0.0.1:8080";
  assertStringIncludes(answer(`${web}/`), "Hello from backend");
  assertStringIncludes(answer(`${web}/headers`), `"x-forwarded-for"`);
  assertStringIncludes(answer(`${web}/old`), "HTTP/1.1 308");
  assertStringIncludes(answer(`${web}/teapot`), "HTTP/1.1 418");
  assertEquals(answer(`${web}/echo -d hi`), "hi");
  assertStringIncludes(answer("http://127.0.0.1:8081/"), "Hello from backend");
  assertStringIncludes(
    answer("http://127.0.0.1:9090/metrics"),
    "headrace_sessions_total",
  );
  assertStringIncludes(
    answer("http://127.0.0.1:9090/api/backends"),
    "backend-1",
  );
  // Backends take turns, as the comment says.
  const seen = new Set<string>();
  for (let i = 0; i < 4; i++) seen.add(await get(8080));
  assertEquals(seen.size, 2);
  const page = await fetch("http://127.0.0.1:9090/");
  assertStringIncludes(await page.text(), "/api/backends");

  process.kill("SIGINT");
  assertEquals(await ended(process), 0);
  await eventually("free ports", () => {
    const listeners = DEMO_PORTS.map(tryListen);
    for (const listener of listeners) listener?.close();
    return !listeners.includes(undefined);
  });
});

function tryListen(port: number): Deno.Listener | undefined {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.AddrInUse)) throw thrown;
    return undefined;
  }
}
