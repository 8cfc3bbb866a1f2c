import { loadConfig } from "../../../core/config/load.ts";
import { formatProblem } from "../../../core/config/problem.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { makeAuthority } from "../../support/certificates.ts";
import { readPair } from "../../support/certificate_files.ts";

const pair = await (await makeAuthority()).issue({ names: ["a.test"] });

const FOLDER = new URL("../../../config/", import.meta.url);

for (const name of ["minimal.yaml", "headrace.yaml"]) {
  Deno.test(`config/${name} loads without problems in an empty environment`, async () => {
    const { problems } = await loadConfig({
      path: name,
      text: await Deno.readTextFile(new URL(name, FOLDER)),
      env: () => undefined,
      readFile: readPair(pair),
    });
    assertEquals(problems.map(formatProblem), []);
  });

  Deno.test(`config/${name} names its schema for editors`, async () => {
    const text = await Deno.readTextFile(new URL(name, FOLDER));
    const [first] = text.split("\n");
    assertEquals(
      first,
      "# yaml-language-server: $schema=./headrace.schema.json",
    );
  });
}

Deno.test("config/minimal.yaml has at most twelve lines", async () => {
  const text = await Deno.readTextFile(new URL("minimal.yaml", FOLDER));
  assert(text.trimEnd().split("\n").length <= 12);
});
