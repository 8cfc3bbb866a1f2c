import { loadConfig } from "../core/config/load.ts";
import { assert, assertEquals } from "./support/assert.ts";
import { makeAuthority } from "./support/certificates.ts";
import { readPair, writePairs } from "./support/certificate_files.ts";
import { startProxy } from "./support/proxy.ts";

const README = await Deno.readTextFile(
  new URL("../README.md", import.meta.url),
);

/** The nth code block of a language, from 0. */
function block(language: string, n: number): string {
  const blocks = [
    ...README.matchAll(new RegExp("```" + language + "\n([^]*?)```", "g")),
  ];
  const found = blocks[n]?.[1];
  assert(found !== undefined, `README has no block ${n} of ${language}`);
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
  const { problems } = await load(block("yaml", 0));
  assertEquals([...problems], []);
});

Deno.test("README: clusters with health, retries and sessions load as they stand", async () => {
  for (const n of [1, 2]) {
    const { problems } = await load(
      `listeners: [{ name: web, address: "127.0.0.1:8080" }]\n${
        block("yaml", n)
      }`,
    );
    assertEquals([...problems], []);
  }
});

Deno.test("README: the config redirects to https, which answers with HSTS", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-readme-" });
  try {
    const [entry] = await writePairs(folder, { shop: pair });
    const text = block("yaml", 0)
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
  const wrong = block("yaml", 0).replace("- cluster: api", "- cluster: apii");
  const { problems } = await load(wrong);
  const { formatProblem } = await import("../core/config/problem.ts");
  assertEquals(problems.map(formatProblem).join("\n") + "\n", block("text", 0));
});

Deno.test("README: the plugin works with the options shown", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-readme-" });
  try {
    await Deno.writeTextFile(`${folder}/maintenance.ts`, block("ts", 0));
    const config = `
listeners: [{ name: web, address: "127.0.0.1:0" }]
products: [{ name: all, default: true, rules: [{ respond: { status: 200 } }] }]
clusters: [{ name: none, backends: [] }]
workers: 1
${block("yaml", 3)}`;
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
