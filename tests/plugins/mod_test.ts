import { loadConfig } from "../../core/config/load.ts";
import { builtins } from "../../plugins/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { checkOptions } from "../../core/testing/views.ts";
import { staticImports } from "../support/static_imports.ts";

Deno.test("builtins are listed under their own names", async () => {
  for (const [name, load] of builtins) {
    assertEquals((await load()).default.name, name);
  }
});

/** The config in a plugin's doc header. */
async function sampleOf(name: string): Promise<string> {
  const file = `../../plugins/${name.replaceAll("-", "_")}.ts`;
  const source = await Deno.readTextFile(new URL(file, import.meta.url));
  const [, block] = /```yaml\n([^]*?)```/.exec(source) ?? [];
  assert(block !== undefined, `${name} has no sample`);
  return block.replaceAll(/^ \* ?/gm, "");
}

Deno.test("builtins have a sample that is a whole, valid config", async () => {
  for (const [name, load] of builtins) {
    const { config, problems } = await loadConfig({
      path: `${name}.yaml`,
      text: await sampleOf(name),
      env: () => undefined,
    });
    assertEquals(problems, []);
    const [entry, ...others] = config?.plugins ?? [];
    assertEquals(others, []);
    assertEquals(entry?.use, `builtin:${name}`);
    await checkOptions((await load()).default, entry?.options);
  }
});

Deno.test("builtins import nothing of the core at run time", async () => {
  const folder = new URL("../../plugins/", import.meta.url);
  for await (const { name } of Deno.readDir(folder)) {
    const source = await Deno.readTextFile(new URL(name, folder));
    const imports = source.match(/^import (?!type )[^;]*;/gm) ?? [];
    assertEquals(
      imports.filter((statement) => statement.includes("../core/")),
      [],
      name,
    );
  }
});

Deno.test("a worker loads no built-in plugin, and nothing of the config's, before it is asked to", async () => {
  const imports = [...await staticImports("core/supervisor/worker.ts")];
  assertEquals(imports.filter((path) => path.startsWith("plugins/")), [
    "plugins/mod.ts",
  ]);
  const packages = imports.filter((path) => path.startsWith("npm:"));
  assertEquals(packages.map((path) => path.replace(/@[\d.]+$/, "")), [
    "npm:/@logtape/logtape",
  ]);
  const mainOnly =
    /^core\/(?:cli|admin|compile|config\/(?:schema|check|load|yaml)|plugins\/(?:resolve|fetch))/;
  assertEquals(imports.filter((path) => mainOnly.test(path)), []);
});
