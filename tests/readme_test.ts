import { loadConfig } from "../core/config/load.ts";
import { assert, assertEquals, assertMatch } from "./support/assert.ts";
import { makeAuthority } from "./support/certificates.ts";
import { readPair, writePairs } from "./support/certificate_files.ts";
import { COMPILER, whyNoCompiler } from "./support/executables.ts";
import { textOf } from "./support/byte_streams.ts";
import { freePorts } from "./support/free_ports.ts";
import { startHeadrace } from "./support/headrace_process.ts";
import { serveHttpBackend } from "./support/http_backend.ts";
import { startProxy } from "./support/proxy.ts";

const README = await Deno.readTextFile(
  new URL("../README.md", import.meta.url),
);

/** The first code block of a language under a heading. */
function block(language: string, heading: string): string {
  const [, section] = README.split(`\n## ${heading}\n`);
  const [own] = (section ?? "").split("\n## ");
  const found = new RegExp("```" + language + "\n([^]*?)```").exec(own!)?.[1];
  assert(found !== undefined, `README has no ${language} under ${heading}`);
  return found;
}

const ca = await makeAuthority();
const pair = await ca.issue({ names: ["shop.example"], ips: ["127.0.0.1"] });

function load(text: string) {
  return loadConfig({
    path: "proxy.yaml",
    text,
    env: () => undefined,
    readFile: readPair(pair),
  });
}

Deno.test("README: the config loads as it stands", async () => {
  const { problems } = await load(block("yaml", "A config"));
  assertEquals([...problems], []);
});

Deno.test("README: clusters with health, retries and sessions load as they stand", async () => {
  for (const heading of ["Backends that come and go", "WebSocket sessions"]) {
    const { problems } = await load(
      `listeners: [{ name: web, address: "127.0.0.1:8080" }]\n${
        block("yaml", heading)
      }`,
    );
    assertEquals([...problems], []);
  }
});

Deno.test("README: the cache stores, tells and is purged as shown", async () => {
  let asked = 0;
  await using backend = serveHttpBackend(() => {
    asked++;
    return new Response("news", {
      headers: { "cache-tag": "sports", date: new Date().toUTCString() },
    });
  });
  await using proxy = await startProxy(`
listeners: [{ name: web, address: "127.0.0.1:0" }]
clusters: [{ name: web, backends: [{ url: "${backend.url}" }] }]
workers: 1
${block("yaml", "The cache")}`);
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(proxy.url(path), init);
    await response.body?.cancel();
    return response.headers.get("cache-status") ?? String(response.status);
  };
  const purges = [...block("sh", "The cache").matchAll(/-X PURGE (.*?) +#/g)];
  assertEquals(purges.length, 3);
  for (const [, line] of purges) {
    assertMatch(
      await ask("/news/1"),
      /^Headrace; fwd=uri-miss; ttl=(?:59|60); stored$/,
    );
    assertMatch(await ask("/news/1"), /^Headrace; hit; ttl=\d\d$/);
    const [, path] = /:8080([^\s']*)/.exec(line!)!;
    const [, tag] = /Cache-Tag: (\w+)/.exec(line!) ?? [];
    const headers: HeadersInit = tag === undefined ? {} : { "cache-tag": tag };
    assertEquals(await ask(path!, { method: "PURGE", headers }), "200");
  }
  assertEquals(asked, 3);
  await ask("/news/1", { headers: { cookie: "session=1" } });
  assertEquals(asked, 4);
});

Deno.test("README: the config redirects to https, which answers with HSTS", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-readme-" });
  try {
    const [entry] = await writePairs(folder, { shop: pair });
    const text = block("yaml", "A config")
      .replace("127.0.0.1:8080", "127.0.0.1:0")
      .replace("127.0.0.1:8443", "127.0.0.1:0")
      .replace(
        "cert: shop.crt, key: shop.key",
        JSON.stringify(entry).slice(1, -1),
      );
    await using proxy = await startProxy(`${text}\nworkers: 1\n`);
    const plain = await fetch(proxy.url("/x"), { redirect: "manual" });
    await plain.body?.cancel();
    assertEquals([plain.status, plain.headers.get("location")], [
      308,
      "https://127.0.0.1:8443/x",
    ]);
    using client = Deno.createHttpClient({ caCerts: [ca.cert] });
    const secure = await fetch(`https://127.0.0.1:${proxy.port(1)}/`, {
      client,
    });
    await secure.body?.cancel();
    // Nobody serves its backends here.
    assertEquals(secure.status, 502);
    assertEquals(
      secure.headers.get("strict-transport-security"),
      "max-age=31536000",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("README: the mistake is refused with the words shown", async () => {
  const wrong = block("yaml", "A config").replace(
    "- cluster: api",
    "- cluster: apii",
  );
  const { problems } = await load(wrong);
  const { formatProblem } = await import("../core/config/problem.ts");
  assertEquals(
    problems.map(formatProblem).join("\n") + "\n",
    block("text", "A config"),
  );
});

Deno.test("README: the plugin works with the options shown", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-readme-" });
  try {
    await Deno.writeTextFile(
      `${folder}/maintenance.ts`,
      block("ts", "A plugin"),
    );
    const config = `
listeners: [{ name: web, address: "127.0.0.1:0" }]
products: [{ name: all, default: true, rules: [{ respond: { status: 200 } }] }]
clusters: [{ name: none, backends: [] }]
workers: 1
${block("yaml", "A plugin")}`;
    await using proxy = await startProxy(config, { baseDir: folder });
    const closed = await fetch(proxy.url("/shop/cart"));
    assertEquals(
      [closed.status, await closed.text(), closed.headers.get("x-proxy")],
      [503, "back soon\n", "headrace"],
    );
    const open = await fetch(proxy.url("/"));
    await open.body?.cancel();
    assertEquals([open.status, open.headers.get("x-proxy")], [200, "headrace"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** The lines of the road from an empty file to an executable. */
function road(): string[] {
  const lines = block("sh", "From an empty file to an executable").trimEnd()
    .split("\n");
  assert(lines[0]?.startsWith("headrace plugin new "), lines[0]);
  assert(lines.length <= 6, `${lines.length} commands`);
  return lines;
}

/** Runs lines of shell in a folder, `headrace` and `deno` as the reader has them. */
async function runShell(folder: string, lines: readonly string[]) {
  const main = new URL("../main.ts", import.meta.url).pathname;
  const script = `set -e
    headrace() { "$HEADRACE_DENO" run -A "${main}" "$@"; }
    deno() { "${Deno.execPath()}" "$@"; }
    ${lines.join("\n")}`;
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", script],
    cwd: folder,
    env: { NO_COLOR: "1", HEADRACE_DENO: COMPILER },
    stdin: "null",
  }).output();
  assertEquals(code, 0, textOf(stdout) + textOf(stderr));
}

/** Puts free ports into the new plugin's config; the one that serves. */
async function movePorts(config: string): Promise<number> {
  const [web = 0, admin = 0] = freePorts(2);
  const text = await Deno.readTextFile(config);
  assert(text.includes("127.0.0.1:8080"), text);
  await Deno.writeTextFile(
    config,
    `${text.replace("127.0.0.1:8080", `127.0.0.1:${web}`)}
admin: { address: "127.0.0.1:${admin}" }
`,
  );
  return web;
}

const noCompiler = await whyNoCompiler();
if (noCompiler !== undefined) {
  console.log(`Compiling is skipped: nothing compiles here: ${noCompiler}`);
}

Deno.test("README: the way from an empty file to an executable works as shown", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-readme-" });
  try {
    const [first, ...others] = road();
    await runShell(folder, [first!]);
    const port = await movePorts(`${folder}/hello/headrace.yaml`);
    const from = others.findIndex((line) => line.includes(" compile "));
    await runShell(folder, others.slice(0, from));
    await t.step({
      name: "compiles, and serves with the plugin",
      ignore: noCompiler !== undefined,
      async fn() {
        const start = others.pop()!;
        await runShell(folder, others.slice(from));
        const [program, ...args] = start.replace(/\s+#.*/, "").split(" ");
        await using process = startHeadrace(args, {
          cwd: folder,
          executable: `${folder}/${program}`,
        });
        await process.wrote("Headrace serves");
        const answer = await fetch(`http://127.0.0.1:${port}/`);
        assertEquals(
          [await answer.text(), answer.headers.get("x-greeting")],
          ["it works\n", "hello from hello"],
        );
        process.kill("SIGTERM");
        assertEquals(await process.code, 0, process.stderr);
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
