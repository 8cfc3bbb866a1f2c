import { loadConfig } from "../core/config/load.ts";
import { assert, assertEquals } from "./support/assert.ts";
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

function load(text: string) {
  return loadConfig({ path: "proxy.yaml", text, env: () => undefined });
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
