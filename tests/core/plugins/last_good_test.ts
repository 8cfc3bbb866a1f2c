import { hashGraph } from "../../../core/plugins/resolve_plugin.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { importEntry, Loader, ModuleHost } from "./module_host.ts";

const PAGES = {
  "/p.ts": `import { v } from "./v.ts"; export default v;`,
  "/v.ts": `export const v: number = 1;`,
};

/** A host that was up once, and a loader that fetched from it then. */
async function afterwards(
  loader: Loader,
): Promise<{ use: string; hash: string }> {
  await using host = new ModuleHost(PAGES);
  const use = `${host.origin}/p.ts`;
  const { hash } = await loader.resolve(use);
  return { use, hash };
}

Deno.test("resolvePlugin falls back to the last good copy with a warning when nobody listens", async () => {
  using loader = new Loader();
  const { use, hash } = await afterwards(loader);
  const artifact = await loader.resolve(use);
  assertEquals(artifact.hash, hash);
  assertEquals((await importEntry(artifact)).default, 1);
  assertEquals(loader.warnings.length, 1);
  assertStringIncludes(loader.warnings[0]!, use);
  assertStringIncludes(loader.warnings[0]!, "cannot be fetched");
});

Deno.test("resolvePlugin gives the same artifact from the last good copy", async () => {
  using loader = new Loader();
  await using host = new ModuleHost(PAGES);
  const fresh = await loader.resolve(`${host.origin}/p.ts`);
  host.pages.set("/p.ts", () => new Response("", { status: 503 }));
  assertEquals(await loader.resolve(`${host.origin}/p.ts`), fresh);
});

Deno.test("resolvePlugin falls back when a nested import answers 5xx", async () => {
  using loader = new Loader();
  await using host = new ModuleHost(PAGES);
  const { hash } = await loader.resolve(`${host.origin}/p.ts`);
  host.pages.set("/v.ts", () => new Response("", { status: 502 }));
  assertEquals((await loader.resolve(`${host.origin}/p.ts`)).hash, hash);
  assertStringIncludes(loader.warnings[0]!, "502");
});

Deno.test("resolvePlugin falls back to the newest copy", async () => {
  using loader = new Loader();
  await using host = new ModuleHost(PAGES);
  await loader.resolve(`${host.origin}/p.ts`);
  host.pages.set("/v.ts", `export const v = 2;`);
  const { hash } = await loader.resolve(`${host.origin}/p.ts`);
  host.pages.set("/v.ts", () => new Response("", { status: 500 }));
  assertEquals((await loader.resolve(`${host.origin}/p.ts`)).hash, hash);
});

Deno.test("resolvePlugin refuses what was taken away, last good copy or not", async () => {
  using loader = new Loader();
  await using host = new ModuleHost(PAGES);
  await loader.resolve(`${host.origin}/p.ts`);
  host.pages.delete("/v.ts");
  await loader.refuses(`${host.origin}/p.ts`, "import_not_found");
  host.pages.delete("/p.ts");
  await loader.refuses(`${host.origin}/p.ts`, "not_found");
  assertEquals(loader.warnings, []);
});

Deno.test("resolvePlugin takes a last good copy only if it satisfies the pin", async () => {
  using loader = new Loader();
  const { use, hash } = await afterwards(loader);
  const other = await hashGraph(
    "data:text/javascript,export default 1",
    loader.options,
  );
  const kept = await loader.resolve({ use, integrity: hash });
  assertEquals(kept.hash, hash);
  const message = await loader.refuses(
    { use, integrity: other.hash },
    "fetch_failed",
  );
  assertStringIncludes(message, hash);
  assertStringIncludes(message, other.hash);
});

Deno.test("resolvePlugin takes no last good copy that was damaged or removed", async () => {
  using loader = new Loader();
  const { use } = await afterwards(loader);
  const { entry } = await loader.resolve(use);
  Deno.writeTextFileSync(new URL(entry), "export default 2;");
  await loader.refuses(use, "fetch_failed");
  Deno.removeSync(loader.options.cacheDir, { recursive: true });
  await loader.refuses(use, "fetch_failed");
});

Deno.test("resolvePlugin takes no last good copy that would hide a changed local file", async () => {
  using loader = new Loader();
  await using host = new ModuleHost(PAGES);
  const local = `import v from "${host.origin}/p.ts"; export default v;`;
  loader.folder.write({ "local.ts": local });
  const { hash } = await loader.resolve("./local.ts");
  host.pages.set("/p.ts", () => new Response("", { status: 500 }));
  assertEquals((await loader.resolve("./local.ts")).hash, hash);
  loader.folder.write({ "local.ts": `${local}\n// changed` });
  await loader.refuses("./local.ts", "http_unavailable");
});
