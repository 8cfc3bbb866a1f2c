import { entryText } from "../../../core/compile/entry.ts";
import type { EmbeddedPlugin } from "../../../core/plugins/embedded.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";

Deno.test("entryText names each plugin's file literally and keeps what is known of it", async () => {
  const plugins: EmbeddedPlugin[] = [
    {
      url: `data:text/javascript,"\${x}\`\u2028`,
      kind: "module",
      entry: "./embedded/00-1/000_a.mjs",
      hash: "sha256-a",
      modules: [{ url: "https://a.example/x.ts", size: 3, sha256: "00" }],
    },
    {
      url: "npm:b@1",
      kind: "runtime",
      entry: "npm:b@1",
      hash: "sha256-b",
      modules: [],
    },
  ];
  const text = entryText(plugins);
  assertStringIncludes(text, `() => import("./embedded/00-1/000_a.mjs")`);
  assertStringIncludes(text, `() => import("npm:b@1")`);
  // The table as the entry would hold it.
  const [, table] = /EmbeddedPlugin\[\] = (\[[^]*?\n?\]);\n/.exec(text)!;
  const module = `export default ${
    table!.replaceAll("import.meta.resolve", "((path) => path)")
  };`;
  const { default: held } = await import(
    `data:text/javascript,${encodeURIComponent(module)}`
  );
  assertEquals(held, plugins);
});
