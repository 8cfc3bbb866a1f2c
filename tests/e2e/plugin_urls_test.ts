/**
 * Plugins from every kind of URL, and pins over what they are made of.
 *
 * @module
 */
import denoJson from "../../deno.json" with { type: "json" };
import { hashGraph } from "../../core/plugins/resolve_plugin.ts";
import { ModuleHost, TempFolder } from "../core/plugins/module_host.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { drainAndStop } from "../support/drain_and_stop.ts";
import { pluginConfig, problemsOf, WORKERS } from "../support/plugin_site.ts";
import { startProxy } from "../support/proxy.ts";

/** A module whose plugin adds a response field `x-NAME`. */
function adds(
  name: string,
  value = JSON.stringify(name),
  imports = "",
): string {
  return `${imports}
export default {
  name: "${name}",
  setup: () => ({
    handlers: {
      readResponse(_request, response) {
        response.headers.append("x-${name}", ${value});
      },
    },
  }),
};`;
}

/** The pages of a plugin with imports of every sort. */
const PAGES = {
  "/plugins/main.ts": adds(
    "http",
    "`${greet(words.hello)} ${root} ${import.meta.url.startsWith('file:')}`",
    `import { greet } from "./lib/greet.ts";
import words from "./words.json" with { type: "json" };
import root from "/root.js";
import type { Plugin } from "./never_fetched.ts";
const unused: Plugin | undefined = undefined;`,
  ),
  "/plugins/lib/greet.ts": `import { mark } from "../mark.ts";
export function greet(word: string): string { return word + mark; }`,
  "/plugins/mark.ts": `export const mark: string = "!";`,
  "/plugins/words.json": `{ "hello": "hello" }`,
  "/root.js": `export default "root";`,
};

/** The spelling of deno.json, which the lock file knows. */
const ZOD = denoJson.imports.zod;

for (const workers of WORKERS) {
  Deno.test(`plugins come from every kind of URL (workers: ${workers})`, async (t) => {
    await using host = new ModuleHost(PAGES);
    using folder = new TempFolder();
    folder.write({
      "plugins/relative.ts": adds(
        "relative",
        "value as string",
        `import { value } from "../shared.ts";`,
      ),
      "shared.ts": `export const value: unknown = "relative";`,
      "file.js": adds("file"),
      "npm.ts": adds(
        "npm",
        `z.string().parse("npm")`,
        `import { z } from "${ZOD}";`,
      ),
      "access.log": "",
    });
    const log = `${folder.path}/access.log`;
    await using proxy = await startProxy(
      pluginConfig(workers, {
        plugins: [
          { use: `${host.origin}/plugins/main.ts` },
          { use: "./plugins/relative.ts" },
          { use: new URL(`file://${folder.path}/file.js`).href },
          { use: dataPlugin(adds("data")) },
          {
            use: `data:application/typescript;base64,${
              btoa(adds("base64", "text as string", 'const text = "base64";'))
            }`,
          },
          { use: "./npm.ts" },
          { use: "builtin:access-log", options: { path: log } },
        ],
      }),
      { baseDir: folder.path },
    );
    const response = await fetch(proxy.url());
    assertEquals(await response.text(), "ok");
    const rows = [
      ["http", "hello! root true"],
      ["relative", "relative"],
      ["file", "file"],
      ["data", "data"],
      ["base64", "base64"],
      ["npm", "npm"],
    ] as const;
    for (const [name, value] of rows) {
      await t.step(name, () => {
        assertEquals(response.headers.get(`x-${name}`), value);
      });
    }
    await t.step("a type import is not fetched, all else once", () => {
      assertEquals(
        host.asked.toSorted(),
        Object.keys(PAGES).toSorted(),
      );
    });
    await t.step("all are listed, with hash and points", async () => {
      const { plugins } = await proxy.report();
      assertEquals(
        plugins.map(({ name }) => name),
        ["http", "relative", "file", "data", "base64", "npm", "access-log"],
      );
      for (const { hash } of plugins) assertMatch(hash, /^sha256-[\w+/]{43}=$/);
      assertEquals(plugins[0]?.points, ["readResponse"]);
    });
    await drainAndStop(proxy);
    await t.step("builtin", async () => {
      assertMatch(await Deno.readTextFile(log), /"status":200/);
    });
  });

  Deno.test(`npm: goes to the runtime and is refused where it is no plugin (workers: ${workers})`, async () => {
    const use = denoJson.imports.hono;
    const [problem = "", ...others] = await problemsOf(() =>
      startProxy(pluginConfig(workers, { plugins: [{ use }] }))
    );

    assertEquals(others, []);
    assertStringIncludes(problem, `Cannot load plugin ${use}:`);
    assertStringIncludes(problem, "its module has no default export");
  });

  Deno.test(`a pin covers the whole graph (workers: ${workers})`, async (t) => {
    await using host = new ModuleHost(PAGES);
    const use = `${host.origin}/plugins/main.ts`;
    const { hash: integrity } = await hashGraph(use, {
      baseDir: "/",
      builtins: new Set(),
    });
    const config = pluginConfig(workers, { plugins: [{ use, integrity }] });

    await t.step("the right one lets it in", async (t) => {
      await using proxy = await startProxy(config);
      const response = await fetch(proxy.url());
      await response.body?.cancel();
      assertEquals(response.headers.get("x-http"), "hello! root true");

      await t.step(
        "a changed import is refused with both hashes, the old one stays",
        async () => {
          host.pages.set("/plugins/mark.ts", `export const mark = "?";`);
          const [problem = "", ...others] = await problemsOf(() =>
            proxy.reload(config)
          );
          assertEquals(others, []);
          const { hash: found } = await hashGraph(use, {
            baseDir: "/",
            builtins: new Set(),
          });
          assert(found !== integrity);
          assertStringIncludes(problem, `integrity is "${integrity}"`);
          assertStringIncludes(problem, `the hash of what came is "${found}"`);
          const response = await fetch(proxy.url());
          await response.body?.cancel();
          assertEquals(response.headers.get("x-http"), "hello! root true");
        },
      );
    });
    await t.step("a wrong one refuses the start with both hashes", async () => {
      const [problem = ""] = await problemsOf(() => startProxy(config));
      assertStringIncludes(problem, integrity);
      assertEquals(problem.match(/sha256-[\w+/]{43}=/g)?.length, 2);
    });
    await t.step("a plugin of the runtime can't have one", async () => {
      const [problem = ""] = await problemsOf(() =>
        startProxy(
          pluginConfig(workers, {
            plugins: [{ use: denoJson.imports.hono, integrity }],
          }),
        )
      );
      assertStringIncludes(problem, "can't be pinned with integrity");
    });
  });
}

Deno.test("plain http from another machine needs a pin", async () => {
  const use = "http://192.0.2.1/plugin.ts";
  const [problem = ""] = await problemsOf(() =>
    startProxy(pluginConfig(1, { plugins: [{ use }] }))
  );

  assertStringIncludes(
    problem,
    "plugins[0].use: expected https:, or integrity:",
  );
  assertStringIncludes(problem, use);
});

Deno.test("a config with several bad plugins tells of all of them at once", async () => {
  await using host = new ModuleHost({});
  const uses = [`${host.origin}/gone.ts`, "builtin:acess-log", "./missing.ts"];
  const problems = await problemsOf(() =>
    startProxy(pluginConfig(1, { plugins: uses.map((use) => ({ use })) }))
  );

  assertEquals(problems.length, uses.length, problems.join("\n"));
  uses.forEach((use, i) => {
    assertStringIncludes(problems[i]!, `Cannot load plugin ${use}:`);
  });
  assertStringIncludes(problems[1]!, `did you mean "access-log"`);
});
