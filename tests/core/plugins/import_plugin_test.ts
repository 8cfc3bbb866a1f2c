import {
  type Builtins,
  importPlugin,
} from "../../../core/plugins/import_plugin.ts";
import { PluginLoadError } from "../../../core/plugins/plugin_load_error.ts";
import type { PluginArtifact } from "../../../core/plugins/plugin_artifact.ts";
import type { Plugin } from "../../../core/plugin.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../support/assert.ts";
import { Loader, ModuleHost, NO_BUILTINS, TempFolder } from "./module_host.ts";

async function refusesImport(
  artifact: PluginArtifact,
  code: PluginLoadError["code"],
  builtins = NO_BUILTINS,
): Promise<PluginLoadError> {
  const error = await assertRejects(
    () => importPlugin(artifact, builtins),
    PluginLoadError,
  );
  assertEquals(error.code, code, error.message);
  return error;
}

Deno.test("importPlugin gives the default export of a fetched module", async () => {
  await using host = new ModuleHost({
    "/p.ts": `export default { name: "p", setup: () => ({}) };`,
  });
  using loader = new Loader();
  const artifact = await loader.resolve(`${host.origin}/p.ts`);
  const plugin = await importPlugin(artifact, NO_BUILTINS);
  assertEquals(plugin.name, "p");
  assertEquals(await importPlugin(artifact, NO_BUILTINS), plugin);
});

Deno.test("importPlugin runs a module again after its bytes changed, the old one stays", async () => {
  await using host = new ModuleHost({});
  using loader = new Loader();
  const plugins: Plugin[] = [];
  for (const name of ["one", "two"]) {
    host.pages.set("/p.js", `export default { name: "${name}", setup() {} };`);
    const artifact = await loader.resolve(`${host.origin}/p.js`);
    plugins.push(await importPlugin(artifact, NO_BUILTINS));
  }
  assertEquals(plugins.map(({ name }) => name), ["one", "two"]);
});

Deno.test("importPlugin gives built-in plugins and refuses unknown ones", async () => {
  using loader = new Loader();
  const artifact = await loader.resolve("builtin:headers");
  const plugin: Plugin = { name: "headers", setup: () => ({}) };
  const builtins = new Map([
    ["headers", () => Promise.resolve({ default: plugin })],
  ]);
  assertEquals(await importPlugin(artifact, builtins), plugin);
  await refusesImport(artifact, "unknown_builtin");
});

Deno.test("importPlugin imports the built-in plugin that is asked for, and no other", async () => {
  using loader = new Loader();
  const asked: string[] = [];
  const builtins: Builtins = new Map(
    ["access-log", "headers"].map((name) => [name, () => {
      asked.push(name);
      return Promise.resolve({ default: { name, setup: () => ({}) } });
    }]),
  );
  await importPlugin(await loader.resolve("builtin:headers"), builtins);
  assertEquals(asked, ["headers"]);
});

Deno.test("importPlugin tells why the module of a built-in plugin can't be had", async () => {
  using folder = new TempFolder();
  folder.write({
    "throws.js": "throw new RangeError('too much');",
    "unparsed.js": "const a = 1;\nconst b = ;\n",
    "lacks.js": `import "./none.js";`,
    "empty.js": "",
  });
  using loader = new Loader();
  const artifact = await loader.resolve("builtin:headers");
  for (
    const [file, code, reason] of [
      ["throws.js", "import_failed", "RangeError: too much"],
      ["unparsed.js", "parse_error", "unparsed.js:2:11"],
      ["lacks.js", "import_failed", "none.js"],
      ["empty.js", "no_default_export", "no default export"],
    ] as const
  ) {
    const builtins: Builtins = new Map([
      ["headers", () => import(`file://${folder.path}/${file}`)],
    ]);
    const { message } = await refusesImport(artifact, code, builtins);
    assertStringIncludes(message, "Cannot load plugin builtin:headers: ");
    assertStringIncludes(message, reason);
  }
});

Deno.test("importPlugin leaves npm: to the runtime", async () => {
  using loader = new Loader();
  const artifact = await loader.resolve("npm:zod@^4.1.0");
  const error = await refusesImport(artifact, "bad_plugin");
  assertStringIncludes(error.message, "npm:zod@^4.1.0");
});

Deno.test("importPlugin names URL and place of JavaScript that the runtime can't parse", async () => {
  await using host = new ModuleHost({
    "/p.js": `import "./bad.js"; export default {};`,
    "/bad.js": "const a = 1;\nconst b = ;\n",
    "/twice.js": "const a = 1;\nconst a = 2;\n",
  });
  using loader = new Loader();
  const nested = await loader.resolve(`${host.origin}/p.js`);
  const unparsed = await refusesImport(nested, "parse_error");
  assertStringIncludes(unparsed.message, `${host.origin}/bad.js:2:11`);
  const twice = await loader.resolve(`${host.origin}/twice.js`);
  const redeclared = await refusesImport(twice, "parse_error");
  assertStringIncludes(redeclared.message, `${host.origin}/twice.js:2:7`);
});

Deno.test("importPlugin names the modules of an export that is missing", async () => {
  await using host = new ModuleHost({
    "/p.js": `import { nope } from "./a.js"; export default nope;`,
    "/a.js": "export const a = 1;",
  });
  using loader = new Loader();
  const artifact = await loader.resolve(`${host.origin}/p.js`);
  const { message } = await refusesImport(artifact, "parse_error");
  assertStringIncludes(message, "'nope'");
  assertStringIncludes(message, `${host.origin}/a.js`);
  assertStringIncludes(message, `${host.origin}/p.js:1:`);
});

Deno.test("importPlugin passes on what a module throws at its top level", async () => {
  using loader = new Loader();
  const range = await refusesImport(
    await loader.resolve(
      "data:text/javascript,throw new RangeError('too much')",
    ),
    "import_failed",
  );
  assertStringIncludes(range.message, "RangeError: too much");
  assert(range.cause instanceof RangeError);
  await refusesImport(
    await loader.resolve("data:text/javascript,JSON.parse('{')"),
    "import_failed",
  );
});

Deno.test("importPlugin refuses modules that export no plugin", async () => {
  using loader = new Loader();
  const none = await loader.resolve("data:text/javascript,export const a = 1");
  await refusesImport(none, "no_default_export");
  const bare = await loader.resolve("data:text/javascript,export default 1");
  const { message, use } = await refusesImport(bare, "bad_plugin");
  assertStringIncludes(message, "it is a number");
  assertEquals(use, bare.use);
});
