/**
 * The files that `headrace plugin new` writes.
 *
 * @module
 */

/** Where a plugin finds Headrace's types and its kit for tests. */
export interface ScaffoldSources {
  /** The URL of the folder that holds `core/`, with a slash at the end. */
  readonly root: string;
  /** The packages of Headrace's `deno.json`, which its kit needs. */
  readonly imports: Readonly<Record<string, string>>;
}

/** What a name may be: a file's and a plugin's. */
export const PLUGIN_NAME = /^[a-z][a-z0-9-]{0,63}$/;

/** The files by name. */
export function scaffold(
  name: string,
  sources: ScaffoldSources,
): ReadonlyMap<string, string> {
  return new Map([
    [`${name}.ts`, pluginText(name)],
    [`${name}_test.ts`, testText(name)],
    ["headrace.yaml", configText(name)],
    ["deno.json", denoConfig(sources)],
    ["README.md", readmeText(name)],
  ]);
}

function pluginText(name: string): string {
  return `import type { Plugin } from "headrace/plugin";
import { z } from "npm:zod@^4.1.0";

const options = z.strictObject({
  greeting: z.string().min(1).default("hello")
    .describe("What responses say in X-Greeting"),
  blocked: z.array(z.string().startsWith("/")).default([])
    .describe("Paths that are answered 403"),
}).prefault({});

export default {
  name: "${name}",
  options,
  setup({ options, verdict, log }) {
    const blocked = new Set(options.blocked);
    log.info("set up", { blocked: options.blocked });
    return {
      handlers: {
        // The product is known, no backend is asked yet.
        foundProduct: (request) =>
          blocked.has(request.path)
            ? verdict.respond({ status: 403, body: "not here\\n" })
            : undefined,
        // Every response passes here, just before its head is written.
        sendResponseHeader: (_request, response) => {
          response.headers.set("x-greeting", options.greeting);
        },
      },
    };
  },
} satisfies Plugin<z.infer<typeof options>>;
`;
}

function testText(name: string): string {
  return `import { proxyInMemory, startPlugin } from "headrace/testing";
import plugin from "./${name}.ts";

function assertEquals(actual: unknown, expected: unknown): void {
  if (actual === expected) return;
  throw new Error(\`Expected \${expected}: found \${actual}\`);
}

Deno.test("${name} greets whoever is answered", async () => {
  await using proxy = await proxyInMemory({
    plugins: [{ plugin, options: { greeting: "good day" } }],
    backend: () => new Response("from the backend"),
  });
  const response = await proxy.fetch("/");
  assertEquals(await response.text(), "from the backend");
  assertEquals(response.headers.get("x-greeting"), "good day");
});

Deno.test("${name} blocks the paths that its options name", async () => {
  await using proxy = await proxyInMemory({
    plugins: [{ plugin, options: { blocked: ["/secret"] } }],
  });
  const response = await proxy.fetch("/secret");
  assertEquals(await response.text(), "not here\\n");
  assertEquals(response.status, 403);
});

Deno.test("${name} says what it was set up with", async () => {
  const running = await startPlugin(plugin, { blocked: ["/secret"] });
  assertEquals(running.log.records.length, 1);
  await running.close();
});
`;
}

function configText(name: string): string {
  return `listeners:
  - { name: web, address: "127.0.0.1:8080" }
products:
  - name: site
    default: true
    rules:
      - respond: { status: 200, body: "it works\\n" }
plugins:
  - use: "./${name}.ts"
    options: { greeting: "hello from ${name}", blocked: ["/secret"] }
`;
}

function denoConfig({ root, imports }: ScaffoldSources): string {
  return JSON.stringify(
    {
      imports: {
        "headrace/plugin": `${root}core/plugin.ts`,
        "headrace/testing": `${root}core/testing.ts`,
        ...imports,
      },
      compilerOptions: { strict: true },
      nodeModulesDir: "none",
      unstable: ["net"],
      // Headrace's loader takes packages by npm: alone.
      lint: { rules: { exclude: ["no-import-prefix"] } },
    },
    null,
    2,
  ) + "\n";
}

function readmeText(name: string): string {
  return `# ${name}

A plugin for Headrace: greets in \`X-Greeting\` and answers 403 to the paths of
\`blocked\`. In a config:

\`\`\`yaml
plugins:
  - use: "./${name}.ts"
    options: { greeting: hello, blocked: ["/secret"] }
\`\`\`
`;
}
