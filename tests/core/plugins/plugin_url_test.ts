import { describeUrl } from "../../../core/plugins/plugin_url.ts";
import { assert, assertEquals } from "../../support/assert.ts";

Deno.test("describeUrl hides passwords and shortens data: URLs", () => {
  assertEquals(
    describeUrl(new URL("https://me:secret@a.example/p.ts")),
    "https://me:***@a.example/p.ts",
  );
  const data = describeUrl(new URL(`data:text/javascript,${"a".repeat(1e5)}`));
  assert(data.length < 100, data);
});
