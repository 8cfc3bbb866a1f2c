import { assertEquals } from "../../support/assert.ts";
import { staticImports } from "../../support/static_imports.ts";

Deno.test("the program begins with the table of commands and loads none of them", async () => {
  assertEquals([...await staticImports("main.ts")].sort(), [
    "core/cli/command.ts",
    "core/cli/commands.ts",
    "core/version.ts",
    "main.ts",
    "node:util",
    "plugins/mod.ts",
  ]);
});
