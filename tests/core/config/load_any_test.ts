/**
 * Whatever a file holds, loading it ends in a config or in problems.
 *
 * @module
 */
import fc from "fast-check";
import { loadConfig } from "../../../core/config/load.ts";
import { formatProblem } from "../../../core/config/problem.ts";
import { assert } from "../../support/assert.ts";

const SAMPLE = await Deno.readTextFile(
  new URL("../../golden/config/not_supported_yet.yaml", import.meta.url),
);

/** Text that YAML or the config reads for itself. */
const FRAGMENTS = [
  ..."{}[]:,-#&*!|>'\"%@`\t\n $?~",
  "${A}",
  "${",
  "<<: *a",
  "&a ",
  "- ",
  "0777",
  "2024-01-01",
  "null",
  "[[]]",
  "__proto__: ",
  "!!binary ",
  "!!set ",
  "---\n",
  "\uFEFF",
  "\0",
  "ü",
];

async function load(text: string): Promise<void> {
  const { config, problems } = await loadConfig({
    path: "any.yaml",
    text,
    env: () => "x",
    readFile: () => Promise.reject(new Error("no file")),
  });
  assert((config === undefined) === (problems.length > 0), text);
  for (const problem of problems) {
    assert((problem.line ?? 0) >= 1 && (problem.column ?? 0) >= 1, text);
    assert(/^any\.yaml:\d+:\d+/.test(formatProblem(problem)), text);
  }
}

Deno.test("loadConfig ends well for a sample with pieces put in, over or out", async () => {
  const edit = fc.record({
    at: fc.nat(SAMPLE.length),
    out: fc.nat(20),
    put: fc.constantFrom(...FRAGMENTS),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(edit, { minLength: 1, maxLength: 4 }),
      async (edits) => {
        let text = SAMPLE;
        for (const { at, out, put } of edits) {
          text = text.slice(0, at) + put + text.slice(at + out);
        }
        await load(text);
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("loadConfig ends well for any tree under the right keys", async () => {
  const key = fc.constantFrom(
    ...["listeners", "products", "clusters", "plugins", "rules", "backends"],
    ...["address", "name", "url", "hosts", "when", "limits", "timeouts"],
    ...["targetBytes", "subclusters", "default", "respond", "sni", "admin"],
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, true, 0, 1.5, "a", "${A}", "127.0.0.1:80", "x()"),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(key, tie("tree"), { maxKeys: 5 }),
    ),
  }));
  await fc.assert(
    // JSON is YAML.
    fc.asyncProperty(tree, (value) => load(JSON.stringify(value))),
    { numRuns: 200 },
  );
});
