import type { Embedding } from "../../../core/plugins/embedded.ts";
import {
  assertEquals,
  assertNotEquals,
  assertStringIncludes,
} from "../../support/assert.ts";
import { Loader, ModuleHost } from "./module_host.ts";

const HASH = `sha256-${"A".repeat(43)}=`;
const OTHER = `sha256-${"B".repeat(42)}A=`;

/** An executable with one plugin. */
function embedding(url: string, kind: "module" | "runtime"): Embedding {
  const entry = kind === "module" ? "file:///in/executable.mjs" : url;
  return {
    plugins: [{ url, kind, entry, hash: HASH, modules: [] }],
    advice: `"compile it" embeds it`,
  };
}

Deno.test("resolvePlugin: what is embedded under a URL is taken, and nobody is asked", async () => {
  const use = "https://plugins.invalid/hello.ts";
  using loader = new Loader({ embedding: embedding(use, "module") });
  for (const integrity of [undefined, HASH]) {
    const artifact = await loader.resolve({
      use,
      ...(integrity && { integrity }),
    });
    assertEquals(artifact, {
      use,
      url: use,
      kind: "module",
      entry: "file:///in/executable.mjs",
      hash: HASH,
      modules: [],
    });
  }
});

Deno.test("resolvePlugin: a URL is embedded in whatever way it is written", async () => {
  const written = embedding("https://plugins.invalid/a.ts", "module");
  using loader = new Loader({ embedding: written });
  const use = "HTTPS://Plugins.invalid:443/x/../a.ts";
  assertEquals((await loader.resolve(use)).hash, HASH);
});

Deno.test("resolvePlugin: a path is embedded for every folder, and only as it was written", async () => {
  using loader = new Loader({ embedding: embedding("./a.ts", "module") });
  const { path } = loader.folder;
  const artifact = await loader.resolve("./a.ts");
  assertEquals([artifact.hash, artifact.url], [HASH, `file://${path}/a.ts`]);
  loader.folder.write({ "a.ts": "export default 1;" });
  assertNotEquals((await loader.resolve(`${path}/a.ts`)).hash, HASH);
});

Deno.test("resolvePlugin: a pin that asks for other bytes than the embedded ones is fetched", async () => {
  await using host = new ModuleHost({ "/a.ts": "export default 1;" });
  const use = `${host.origin}/a.ts`;
  using loader = new Loader({ embedding: embedding(use, "module") });
  const message = await loader.refuses(
    { use, integrity: OTHER },
    "pin_mismatch",
  );
  assertStringIncludes(message, OTHER);
  assertStringIncludes(message, `"compile it" embeds it`);
  assertEquals(host.asked, ["/a.ts"]);
});

Deno.test("resolvePlugin: what is not embedded is fetched; where it can't be had the refusal says how to embed it", async () => {
  await using host = new ModuleHost({ "/b.ts": "export default 1;" });
  using loader = new Loader({ embedding: embedding("./a.ts", "module") });
  const artifact = await loader.resolve(`${host.origin}/b.ts`);
  assertNotEquals(artifact.hash, HASH);
  const message = await loader.refuses(`${host.origin}/c.ts`, "not_found");
  assertStringIncludes(
    message,
    `it is not in this executable: "compile it" embeds it`,
  );
});

Deno.test("resolvePlugin: packages are embedded or refused, as an executable can't fetch them", async () => {
  const use = "npm:some-plugin@1.2.3";
  using loader = new Loader({ embedding: embedding(use, "runtime") });
  assertEquals((await loader.resolve(use)).entry, use);
  const message = await loader.refuses("npm:other-plugin@1", "not_embedded");
  assertStringIncludes(message, `"compile it" embeds it`);
});
