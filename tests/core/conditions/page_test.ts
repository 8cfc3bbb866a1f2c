/**
 * The page of primitives.
 *
 * @module
 */
import { conditionsPage } from "../../../core/conditions/page.ts";
import { builtinPrimitives } from "../../../core/conditions/primitives.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

const FILE = new URL("../../../config/conditions.md", import.meta.url);

Deno.test("config/conditions.md is what the table of primitives says", async () => {
  const page = conditionsPage();
  if (Deno.env.get("UPDATE_GOLDEN") === "1") {
    await Deno.writeTextFile(FILE, page);
  }
  assertEquals(await Deno.readTextFile(FILE), page);
});

Deno.test("conditionsPage has a row for each primitive", () => {
  const page = conditionsPage();
  for (const name of builtinPrimitives(new FakeClock()).keys()) {
    assertStringIncludes(page, `| \`${name}(`);
  }
});
