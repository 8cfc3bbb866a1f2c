/**
 * Whole reports: each `tests/golden/config/NAME.yaml` with what `headrace check`
 * says of it in `NAME.txt`. `UPDATE_GOLDEN=1` writes the reports anew.
 *
 * @module
 */
import { loadConfig } from "../../../core/config/load.ts";
import { formatProblem } from "../../../core/config/problem.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const FOLDER = new URL("../../golden/config/", import.meta.url);
const ENVIRONMENT = new Map([
  ["PORT", "8080"],
  ["SECRET", "hunter2"],
  ["EMPTY", ""],
]);

/** Stands in for the rule language: whatever it does not know is refused. */
function checkCondition(text: string): string | undefined {
  const unknown = text.match(/\b\w+(?=\()/g)?.find((name) =>
    !/^(req_|default_t$)/.test(name)
  );
  return unknown === undefined ? undefined : `unknown primitive ${unknown}`;
}

async function reportOf(name: string): Promise<string> {
  const { problems } = await loadConfig({
    path: name,
    text: await Deno.readTextFile(new URL(name, FOLDER)),
    env: (variable) => ENVIRONMENT.get(variable),
    readFile: () => Promise.reject(new Deno.errors.NotFound("no such file")),
  }, { checkCondition });
  return problems.map((problem) => `${formatProblem(problem)}\n`).join("");
}

const names = [...Deno.readDirSync(FOLDER)]
  .map((entry) => entry.name)
  .filter((name) => name.endsWith(".yaml"))
  .sort();

for (const name of names) {
  Deno.test(`loadConfig: the report on ${name} is its golden text`, async () => {
    const report = await reportOf(name);
    const golden = new URL(name.replace(/yaml$/, "txt"), FOLDER);
    if (Deno.env.get("UPDATE_GOLDEN") === "1") {
      await Deno.writeTextFile(golden, report);
    }
    assertEquals(report, await Deno.readTextFile(golden));
  });

  Deno.test(`loadConfig: the report on ${name} holds no secret`, async () => {
    assert(!(await reportOf(name)).includes("hunter2"));
  });
}
