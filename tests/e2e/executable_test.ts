/**
 * The same tests of the sources and of an executable of them: an executable
 * starts in an empty folder, without an environment, and what its plugins came
 * from is gone. Where nothing can be compiled that is said, and its tests are
 * skipped.
 */
import { hash } from "bcryptjs";
import { SignJWT } from "jose";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { textOf } from "../support/byte_streams.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { runCompile, whyNoCompiler } from "../support/executables.ts";
import { freePorts } from "../support/free_ports.ts";
import {
  type HeadraceProcess,
  type ProcessOptions,
  runHeadrace,
  startHeadrace,
} from "../support/headrace_process.ts";
import { HttpClient } from "../support/http_client.ts";
import { echo, serveTcpBackend } from "../support/tcp_backend.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

const noCompiler = await whyNoCompiler();
if (noCompiler !== undefined) {
  console.log(`Executables are skipped: nothing compiles here: ${noCompiler}`);
}

/** What the plugins are made of: TypeScript, a relative import, JSON, a package. */
const MODULES: Readonly<Record<string, string>> = {
  "/marker.ts": `
    import { parse } from "npm:yaml@^2.8.0";
    import { word } from "./lib/word.ts";
    import data from "./data.json" with { type: "json" };
    import type { Plugin } from "https://nowhere.invalid/plugin.ts";
    export default {
      name: "marker",
      setup({ options }) {
        const who: string = parse("who: yaml").who;
        return {
          handlers: {
            sendResponseHeader: (request, response) => {
              response.headers.set("x-session", request?.session.id ?? "");
              response.headers.set(
                "x-marker",
                [word, data.text, who, options.text].join(" "),
              );
            },
          },
        };
      },
    } satisfies Plugin<{ text: string }>;`,
  "/lib/word.ts": `export const word: string = "marked";`,
  "/data.json": `{ "text": "by" }`,
  "/packaged.ts": `
    import { integer } from "npm:fast-check@^4.0.0";
    export default { name: "packaged", setup: () => ({ integer }) };`,
  "/late.ts": `export default {
    name: "late",
    setup: () => ({
      handlers: {
        sendResponseHeader(_request: unknown, response: any) {
          response.headers.set("x-late", "loaded");
        },
      },
    }),
  };`,
};

/** One port for all tests, as its URL is in the executable. */
const [MODULES_PORT = 0] = freePorts(1);
const MODULES_URL = `http://127.0.0.1:${MODULES_PORT}`;

/** Where the plugins come from. */
function serveModules(): Deno.HttpServer {
  return Deno.serve(
    { hostname: "127.0.0.1", port: MODULES_PORT, onListen() {} },
    (request) => {
      const { pathname } = new URL(request.url);
      const text = MODULES[pathname];
      const type = pathname.endsWith(".json")
        ? "application/json"
        : "application/typescript";
      return text === undefined
        ? new Response("none", { status: 404 })
        : new Response(text, { headers: { "content-type": type } });
    },
  );
}

/** Everything that one run of the tests stands on. */
class Scene implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "headrace-executable-" });
  readonly ports = freePorts(3);
  readonly bytes = serveTcpBackend(echo);
  readonly sockets = serveWebSocket("ws");

  constructor() {
    Deno.mkdirSync(`${this.folder}/empty`);
    Deno.writeTextFileSync(
      `${this.folder}/local.ts`,
      `export default {
        name: "local",
        setup: () => ({
          handlers: {
            foundProduct(request: { path: string }) {
              if (request.path === "/throw") throw new Error("as asked");
            },
          },
        }),
      };`,
    );
  }

  get config(): string {
    return `${this.folder}/proxy.yaml`;
  }

  get admin(): string {
    return `http://127.0.0.1:${this.ports[2]}`;
  }

  /** Writes the config with a text to answer; `parts` replace others. */
  write(text: string, parts: object = {}): void {
    const [web, tcp, admin] = this.ports;
    Deno.writeTextFileSync(
      this.config,
      JSON.stringify({
        listeners: [
          { name: "web", address: `127.0.0.1:${web}` },
          {
            name: "bytes",
            address: `127.0.0.1:${tcp}`,
            protocol: "tcp",
            cluster: "bytes",
          },
        ],
        products: [{
          name: "all",
          default: true,
          rules: [
            { when: 'req_path_in("/ws", false)', cluster: "sockets" },
            { respond: { status: 200, body: text } },
          ],
        }],
        clusters: [
          { name: "bytes", backends: [{ url: this.bytes.url }] },
          { name: "sockets", backends: [{ url: this.sockets.url }] },
        ],
        plugins: [
          { use: `${MODULES_URL}/marker.ts`, options: { text: "test" } },
          { use: "./local.ts" },
          {
            use: "builtin:headers",
            options: { response: { set: { "x-builtin": "there" } } },
          },
        ],
        admin: { address: `127.0.0.1:${admin}` },
        workers: 2,
        log: { format: "text" },
        drain: { timeout: "1s" },
        ...parts,
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bytes[Symbol.asyncDispose]();
    await this.sockets[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Executables that were made so far, by name. */
const made = new Map<string, Promise<string>>();
const shelf = await Deno.makeTempDir({ prefix: "headrace-executables-" });

Deno.test.afterAll(() => Deno.remove(shelf, { recursive: true }));

/** Makes an executable, once for all tests; its plugins can be had only while that goes on. */
function executableOf(kind: "embedding" | "plain"): Promise<string> {
  const known = made.get(kind);
  if (known !== undefined) return known;
  const path = `${shelf}/${kind}`;
  const making = (async () => {
    await using scene = new Scene();
    scene.write("x");
    const modules = serveModules();
    const config = kind === "plain" ? [] : ["--config", scene.config];
    const { code, stdout, stderr } = await runCompile(
      ...config,
      "--output",
      path,
    );
    await modules.shutdown();
    assertEquals([code, stderr], [0, ""], stdout);
    assertStringIncludes(
      stdout,
      "permissions: --allow-env --allow-net --allow-read --allow-sys=uid --allow-write\n",
    );
    return path;
  })();
  made.set(kind, making);
  return making;
}

/** What is tested: the sources or an executable of them. */
interface Subject extends AsyncDisposable {
  readonly scene: Scene;
  start(...args: string[]): HeadraceProcess;
  run(...args: string[]): ReturnType<typeof runHeadrace>;
}

type Kind = "sources" | "embedding" | "plain";

async function makeSubject(
  kind: Kind,
  denoOptions: readonly string[] = [],
): Promise<Subject> {
  const executable = kind === "sources" ? undefined : await executableOf(kind);
  const scene = new Scene();
  scene.write("first");
  const cwd = `${scene.folder}/empty`;
  const cache = { HEADRACE_CACHE: `${scene.folder}/cache` };
  const env: Record<string, string> = kind === "embedding" ? {} : cache;
  const options: ProcessOptions = { cwd, env, executable, denoOptions };
  const modules = kind === "sources" ? serveModules() : undefined;
  return {
    scene,
    start: (...args) => startHeadrace(args, options),
    run: (...args) => runHeadrace(args, options),
    async [Symbol.asyncDispose]() {
      await modules?.shutdown();
      // Nothing is left where it ran.
      const left = Array.from(Deno.readDirSync(cwd), ({ name }) => name);
      await scene[Symbol.asyncDispose]();
      assertEquals(left, []);
    },
  };
}

for (const kind of ["sources", "embedding"] as const) {
  const ignore = kind !== "sources" && noCompiler !== undefined;
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({
      name: `${kind === "sources" ? kind : "executable"}: ${name}`,
      ignore,
      fn,
    });

  test("serves HTTP, TCP and WebSocket by two workers with the config's plugins, reloads, drains", async () => {
    await using subject = await makeSubject(kind);
    const { scene } = subject;
    await using process = subject.start("--config", scene.config);
    await process.wrote("Headrace serves");
    const [web = 0, tcp = 0] = scene.ports;

    const answer = await fetch(`http://127.0.0.1:${web}/`);
    assertEquals(
      [
        answer.status,
        await answer.text(),
        answer.headers.get("x-marker"),
        answer.headers.get("x-builtin"),
      ],
      [200, "first", "marked by yaml test", "there"],
    );
    const thrown = await fetch(`http://127.0.0.1:${web}/throw`);
    await thrown.body?.cancel();
    assertEquals(thrown.status, 500);
    await process.wrote("as asked");

    using conn = await Deno.connect({ port: tcp, hostname: "127.0.0.1" });
    await conn.write(new TextEncoder().encode("bytes"));
    const buffer = new Uint8Array(16);
    const count = await inTime("the echo", conn.read(buffer));
    assertEquals(textOf(buffer.subarray(0, count ?? 0)), "bytes");

    await using socket = await WebSocketClient.open(
      `http://127.0.0.1:${web}/ws`,
    );
    assertEquals(await socket.ask("hello"), "ws:hello");

    await bothWorkersServe(scene);
    const page = await fetch(`${scene.admin}/`);
    assertEquals(page.status, 200);
    assertMatch(page.headers.get("content-type") ?? "", /^text\/html/);
    assertStringIncludes(await page.text(), "/api/backends");

    // A session lives on through reloads, good and bad.
    scene.write("second");
    process.kill("SIGHUP");
    await process.wrote("The config was reloaded");
    assertEquals(await get(web), "second");
    scene.write("third", { wrokers: 1 });
    const refused = await subject.run("reload", "--admin", scene.admin);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, `did you mean \\"workers\\"`);
    assertEquals(await get(web), "second");
    assertEquals(await socket.ask("again"), "ws:again");

    process.kill("SIGTERM");
    await process.wrote("Draining");
    assertEquals(
      (await inTime("the WebSocket's end", socket.closed)).code,
      1001,
    );
    conn.close();
    assertEquals(await inTime("the end", process.code, 30_000), 0);
    assertEquals(process.stdout, "");
  });

  test("--watch reloads what is moved over the config", async () => {
    await using subject = await makeSubject(kind);
    const { scene } = subject;
    const moved = `${scene.config}.old`;
    scene.write("second");
    await Deno.rename(scene.config, moved);
    scene.write("first");
    await using process = subject.start("--config", scene.config, "--watch");
    await process.wrote("Headrace serves");
    assertEquals(await get(scene.ports[0]!), "first");
    await Deno.rename(moved, scene.config);
    await process.wrote("The config was reloaded");
    assertEquals(await get(scene.ports[0]!), "second");
    process.kill("SIGTERM");
    assertEquals(await inTime("the end", process.code, 30_000), 0);
  });

  test("a reload brings built-in plugins that nothing used before, with their packages", async () => {
    await using subject = await makeSubject(kind, [
      "--frozen",
      "--cached-only",
    ]);
    const { scene } = subject;
    scene.write("bare", { plugins: [] });
    await using process = subject.start("--config", scene.config);
    await process.wrote("Headrace serves");
    assertEquals(await get(scene.ports[0]!), "bare");

    const secret = "0123456789abcdef0123456789abcdef";
    scene.write("guarded", {
      plugins: [
        {
          use: "builtin:auth-basic",
          options: { users: [`bob:${await hash("word", 4)}`] },
        },
        {
          use: "builtin:auth-jwt",
          options: {
            keys: { secret },
            algorithms: ["HS256"],
            from: { header: "X-Token" },
            requireExpiry: false,
          },
        },
        { use: "builtin:trace" },
      ],
    });
    process.kill("SIGHUP");
    await process.wrote("The config was reloaded");
    const token = await new SignJWT({ sub: "u" })
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(secret));
    const authorization = `Basic ${btoa("bob:word")}`;
    const requests: (readonly [HeadersInit, number])[] = [
      [{}, 401],
      [{ authorization, "x-token": token }, 200],
      [{ authorization, "x-token": `${token}x` }, 401],
    ];
    for (const [headers, status] of requests) {
      const answer = await fetch(`http://127.0.0.1:${scene.ports[0]}/`, {
        headers,
      });
      await answer.body?.cancel();
      assertEquals(answer.status, status);
    }

    process.kill("SIGTERM");
    assertEquals(await inTime("the end", process.code, 30_000), 0);
  });

  test("check and explain tell of a config, --version of the program", async () => {
    await using subject = await makeSubject(kind);
    const { scene } = subject;
    const version = await subject.run("--version");
    assertEquals(version.code, 0);
    assertMatch(version.stdout, /^headrace \d+\.\d+\.\d+ \(deno [\d.]+\)\n$/);

    const fine = await subject.run("check", scene.config);
    assertEquals(
      [fine.code, fine.stdout, fine.stderr],
      [0, `${scene.config}: fine\n`, ""],
    );
    const explained = await subject.run(
      "explain",
      scene.config,
      `http://127.0.0.1:${scene.ports[0]}/ws`,
    );
    assertEquals([explained.code, explained.stderr], [0, ""]);
    for (const word of ["sockets", "marker", "sendResponseHeader"]) {
      assertStringIncludes(explained.stdout, word);
    }

    scene.write("x", { clusters: [{ name: "x", bakends: [] }] });
    const wrong = await subject.run("check", scene.config);
    assertEquals([wrong.code, wrong.stdout], [1, ""]);
    assertStringIncludes(wrong.stderr, `did you mean "backends"`);
    assertStringIncludes(wrong.stderr, `${scene.config}:1:`);

    scene.write("x", { plugins: [{ use: `${MODULES_URL}/none.ts` }] });
    const lost = await subject.run("check", scene.config);
    assertEquals([lost.code, lost.stdout], [1, ""]);
    assertStringIncludes(lost.stderr, "none.ts");
  });
}

const executable = (name: string, fn: () => Promise<void>) =>
  Deno.test({
    name: `executable: ${name}`,
    ignore: noCompiler !== undefined,
    fn,
  });

executable(
  "lists what it holds; what it does not hold is refused with the line that embeds it",
  async () => {
    await using subject = await makeSubject("embedding");
    const { scene } = subject;
    const { code, stdout } = await subject.run("plugins");
    assertEquals(code, 0);
    assertStringIncludes(stdout, "builtin:headers\n");
    const marker = RegExp.escape(`${MODULES_URL}/marker.ts`);
    assertMatch(stdout, new RegExp(`^${marker} sha256-\\S{44}$`, "m"));
    assertMatch(stdout, /^\.\/local\.ts sha256-\S{44}$/m);
    const [, hash] = /local\.ts (sha256-\S{44})/.exec(stdout)!;

    // Embedded under its path and with its hash, wherever the config is.
    Deno.removeSync(`${scene.folder}/local.ts`);
    scene.write("x", { plugins: [{ use: "./local.ts", integrity: hash }] });
    assertEquals((await subject.run("check", scene.config)).code, 0);

    const line =
      `"deno run -A main.ts compile --config ${scene.config} --output BIN" embeds it`;
    const other = `sha256-${"A".repeat(43)}=`;
    const refusals = [
      { use: "npm:no-such-plugin@1.0.0" },
      { use: `${MODULES_URL}/late.ts` },
      { use: "./local.ts", integrity: other },
    ];
    for (const plugin of refusals) {
      scene.write("x", { plugins: [plugin] });
      const refused = await subject.run("check", scene.config);
      assertEquals([refused.code, refused.stdout], [1, ""], plugin.use);
      assertStringIncludes(refused.stderr, plugin.use);
      assertStringIncludes(refused.stderr, line);
    }
  },
);

executable(
  "without a config it holds no plugins, and loads them from their URLs",
  async () => {
    await using subject = await makeSubject("plain");
    const { scene } = subject;
    const { stdout } = await subject.run("plugins");
    assertEquals(stdout.match(/^(?!builtin:)/gm)?.length, 1, stdout);
    const modules = serveModules();
    scene.write("x", { plugins: [{ use: `${MODULES_URL}/late.ts` }] });
    await using process = subject.start("--config", scene.config);
    await process.wrote("Headrace serves");
    const answer = await fetch(`http://127.0.0.1:${scene.ports[0]}/`);
    await answer.body?.cancel();
    assertEquals(answer.headers.get("x-late"), "loaded");

    // A package that a plugin imports is the one thing that it can't have.
    scene.write("x", {
      plugins: [{ use: `${MODULES_URL}/packaged.ts` }],
    });
    const refused = await subject.run("check", scene.config);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, "fast-check");
    assertStringIncludes(refused.stderr, "embeds it");
    process.kill("SIGTERM");
    assertEquals(await inTime("the end", process.code, 30_000), 0);
    await modules.shutdown();
  },
);

executable("compile needs Deno and a path to write to", async () => {
  await using subject = await makeSubject("plain");
  const inside = await subject.run("compile", "--output", "x");
  assertEquals([inside.code, inside.stdout], [1, ""]);
  assertStringIncludes(inside.stderr, "takes Deno and Headrace's sources");
  assertEquals((await subject.run("compile")).code, 2);
});

async function get(port: number): Promise<string> {
  using client = await HttpClient.connect(port);
  return (await client.get()).text;
}

/** Waits until sessions were served by both of the workers. */
async function bothWorkersServe(scene: Scene): Promise<void> {
  const workers = new Set<string>();
  await eventually("sessions in two workers", async () => {
    using client = await HttpClient.connect(scene.ports[0]!);
    const { headers } = await client.get();
    // Ten random digits, the worker's number, and a dash.
    const [, worker] = /^\w{10}(\w+)-/.exec(headers.get("x-session") ?? "") ??
      [];
    assert(worker !== undefined, "a session tells its worker");
    workers.add(worker);
    return workers.size === 2;
  });
}
