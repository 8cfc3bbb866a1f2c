/**
 * Plugins that are refused: each in its own words, at the start and at a reload,
 * which leaves the running config as it is in every worker.
 *
 * @module
 */
import denoJson from "../../deno.json" with { type: "json" };
import { ModuleHost } from "../core/plugins/module_host.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { Beacon } from "../support/beacon.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { pluginConfig, problemsOf, WORKERS } from "../support/plugin_site.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";

/** A module that exports a plugin with this body of setup. */
function plugin(setup: string): string {
  return `export default { name: "bad", setup(context) { ${setup} } };`;
}

/** What is published instead of the good plugin, and what the refusal must say. */
const BAD: readonly (readonly [string, string, readonly string[]])[] = [
  [
    "a setup that throws",
    plugin(`throw new Error("no licence");`),
    [`setup of plugin "bad" threw no licence`],
  ],
  [
    "a setup that rejects",
    plugin(`return Promise.reject(new RangeError("too late"));`),
    [`setup of plugin "bad" threw too late`],
  ],
  [
    "an unknown point",
    plugin(`return { handlers: { readRespons() {} } };`),
    [
      `there is no callback point "readRespons"`,
      `did you mean "readResponse"`,
    ],
  ],
  [
    "a handler that is no function",
    plugin(`return { handlers: { readResponse: 1 } };`),
    ["the handler at readResponse must be a function: it is a number"],
  ],
  [
    "an async handler at a sync point",
    plugin(`return { handlers: { async selectAlternate() {} } };`),
    ["the handler at selectAlternate must not be async"],
  ],
  [
    "an unknown part",
    plugin(`return { handler: {} };`),
    [`"handler" is no part of a plugin`, `did you mean "handlers"`],
  ],
  [
    "an admin part that answers nothing",
    plugin(`return { admin: {} };`),
    ["admin must be an object with fetch: an object is none"],
  ],
  ["no parts", plugin(``), ["setup must return an object of parts"]],
  [
    "no default export",
    `export const plugin = {};`,
    ["its module has no default export"],
  ],
  [
    "a default export that is no plugin",
    `export default { name: "x" };`,
    ["its setup must be a function: it is undefined"],
  ],
  [
    "a module that throws",
    `throw new TypeError("not here");`,
    ["its import failed with TypeError: not here"],
  ],
  ["a syntax error", `export default {`, ["it doesn't parse"]],
  [
    "a missing import",
    `import "./gone.ts"; export default {};`,
    ["/gone.ts is not there: it answers 404", "/plugin.ts:1:"],
  ],
  [
    "a bare import",
    `import "zod"; export default {};`,
    [`write "npm:zod" or a URL`],
  ],
  [
    "a computed import",
    `await import("./" + Math.random()); export default {};`,
    ["/plugin.ts:1:"],
  ],
];

const GOOD = `export default {
  name: "good",
  setup: () => ({
    handlers: {
      readResponse(_, response) {
        response.headers.append("x-good", "yes");
      },
    },
  }),
};`;

async function assertServes(proxy: TestProxy): Promise<void> {
  using client = await HttpClient.connect(proxy.port());
  const { status, headers } = await client.get();
  assertEquals([status, headers.get("x-good")], [200, "yes"]);
}

for (const workers of WORKERS) {
  Deno.test(`a bad plugin refuses the start (workers: ${workers})`, async (t) => {
    await using host = new ModuleHost({});
    const use = `${host.origin}/plugin.ts`;
    const config = pluginConfig(workers, { plugins: [{ use }] });
    for (const [name, source, expected] of BAD) {
      await t.step(name, async () => {
        host.pages.set("/plugin.ts", source);
        const problems = await problemsOf(() => startProxy(config));
        assertEquals(problems.length, 1, problems.join("\n"));
        assertStringIncludes(problems[0]!, `Cannot load plugin ${use}:`);
        for (const part of expected) assertStringIncludes(problems[0]!, part);
      });
    }
    await t.step("a server that is down, without a copy", async () => {
      await host[Symbol.asyncDispose]();
      const [problem = ""] = await problemsOf(() => startProxy(config));
      assertStringIncludes(problem, `Cannot load plugin ${use}:`);
      assertStringIncludes(problem, "refused");
    });
  });

  Deno.test(`a reload to a bad plugin is refused and the old one runs on (workers: ${workers})`, async (t) => {
    await using host = new ModuleHost({ "/plugin.ts": GOOD });
    const use = `${host.origin}/plugin.ts`;
    const config = pluginConfig(workers, { plugins: [{ use }] });
    await using proxy = await startProxy(config);
    await assertServes(proxy);
    const { revision } = await proxy.report();
    for (const [name, source, expected] of BAD) {
      await t.step(name, async () => {
        host.pages.set("/plugin.ts", source);
        const problems = await problemsOf(() => proxy.reload(config));
        assertEquals(problems.length, 1, problems.join("\n"));
        for (const part of expected) assertStringIncludes(problems[0]!, part);
        assertEquals(proxy.supervisor.lastRefusal, problems);
        await assertServes(proxy);
      });
    }
    await t.step("nothing is left of the refused ones", async () => {
      const report = await proxy.report();
      assertEquals(report.revision, revision);
      assertEquals(report.plugins.map(({ name }) => name), ["good"]);
      const refused = metricValue(report.metrics, "headrace_reloads_total", {
        result: "refused",
      });
      assertEquals(refused, BAD.length);
    });
    await t.step("a good one is taken again", async () => {
      host.pages.set("/plugin.ts", GOOD.replace("yes", "yes, "));
      await proxy.reload(config);
      assertEquals(proxy.supervisor.lastRefusal, undefined);
    });
  });

  Deno.test(`options that the schema refuses: every problem with its path (workers: ${workers})`, async (t) => {
    // zod's own object is the Standard Schema.
    await using host = new ModuleHost({
      "/plugin.ts": `
        import { z } from "${denoJson.imports.zod}";
        const options = z.strictObject({
          peers: z.array(z.object({ host: z.string() })),
          "max-age": z.number().min(1).default(60),
        });
        export default {
          name: "good",
          options,
          setup: ({ options }: { options: z.output<typeof options> }) => ({
            handlers: {
              readResponse(_: unknown, response: any) {
                response.headers.append("x-good", "yes");
                response.headers.append("x-age", String(options["max-age"]));
              },
            },
          }),
        };`,
    });
    const use = `${host.origin}/plugin.ts`;
    const config = (options: unknown) =>
      pluginConfig(workers, { plugins: [{ use, options }] });
    const bad = { peers: [{ host: "a" }, { host: 1 }], "max-age": 0, x: 1 };

    await t.step("at the start", async () => {
      const [problem = "", ...others] = await problemsOf(() =>
        startProxy(config(bad))
      );
      assertEquals(others, []);
      assertStringIncludes(problem, `Cannot load plugin ${use}:`);
      assertStringIncludes(problem, "options.peers[1].host: ");
      assertStringIncludes(problem, `options["max-age"]: `);
      assertStringIncludes(problem, `options: Unrecognized key: "x"`);
    });
    await t.step("at a reload, and good ones are taken", async () => {
      await using proxy = await startProxy(config({ peers: [] }));
      await problemsOf(() => proxy.reload(config(bad)));
      await assertServes(proxy);
      await proxy.reload(config({ peers: [], "max-age": 5 }));
      using client = await HttpClient.connect(proxy.port());
      assertEquals((await client.get()).headers.get("x-age"), "5");
    });
    await t.step("none at all where some are needed", async () => {
      const [problem = ""] = await problemsOf(() =>
        startProxy(config(undefined))
      );
      assertStringIncludes(problem, "options: ");
    });
  });
}

Deno.test("a plugin that fails in one worker is refused in all", async () => {
  await using beacon = new Beacon();
  await using host = new ModuleHost({
    "/beacon.js": beacon.module,
    "/good.js": GOOD,
    "/bad.js": `import { count, tell } from "./beacon.js";
      export default {
        name: "bad",
        async setup({ signal }) {
          if (await count("setup") === 2) throw new Error("only once");
          signal.addEventListener("abort", () => tell("signal"));
          return { close: () => tell("close") };
        },
      };`,
  });
  const config = (...names: readonly string[]) =>
    pluginConfig(2, {
      plugins: names.map((name) => ({ use: `${host.origin}/${name}.js` })),
    });
  await using proxy = await startProxy(config("good"));
  const problems = await problemsOf(() => proxy.reload(config("good", "bad")));

  assertEquals(problems.length, 1);
  assertStringIncludes(problems[0]!, "only once");
  // The worker that took it has given it back.
  await beacon.seen("signal");
  await beacon.seen("close");
  for (let i = 0; i < 10; i++) await assertServes(proxy);
  assertEquals(
    (await proxy.report()).plugins.map(({ name }) => name),
    ["good"],
  );
});

Deno.test("one bad plugin of two: the good one's new instance is given back", async () => {
  await using beacon = new Beacon();
  await using host = new ModuleHost({
    "/beacon.js": beacon.module,
    "/good.js": `import { tell } from "./beacon.js";
      export default {
        name: "good",
        setup: () => ({ close: () => tell("close") }),
      };`,
  });
  const bad = dataPlugin(plugin(`throw new Error("never");`));
  const problems = await problemsOf(() =>
    startProxy(
      pluginConfig(1, {
        plugins: [{ use: `${host.origin}/good.js` }, { use: bad }],
      }),
    )
  );

  assertEquals(problems.length, 1);
  assert(problems[0]!.length < 400, problems[0]);
  await beacon.seen("close");
});
