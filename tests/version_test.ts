import { VERSION } from "../core/version.ts";
import { assertEquals } from "./support/assert.ts";

Deno.test("VERSION is deno.json's", async () => {
  const text = await Deno.readTextFile(
    new URL("../deno.json", import.meta.url),
  );
  assertEquals(VERSION, JSON.parse(text).version);
});
