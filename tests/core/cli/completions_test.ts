import { completions } from "../../../core/cli/command_completions.ts";
import { OPTIONS } from "../../../core/cli/command.ts";
import { COMMANDS } from "../../../core/cli/commands.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../support/assert.ts";
import { textOf } from "../../support/byte_streams.ts";

function scriptOf(shell: string): string {
  const script = completions(shell, COMMANDS);
  assert(script !== undefined, shell);
  return script;
}

/** What a program says to a script; undefined where it is not here. */
async function run(
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    const { stdout, stderr, success } = await new Deno.Command(program, {
      args: [...args],
    }).output();
    assert(success, textOf(stderr));
    return textOf(stdout);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    console.log(`Not tried: there is no ${program} here`);
    return undefined;
  }
}

Deno.test("completions: every command and option is in the script of every shell", () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const script = scriptOf(shell);
    for (const { name, options } of COMMANDS) {
      for (const word of name.split(" ")) assertStringIncludes(script, word);
      for (const option of options) {
        const [, word = ""] = /^--?(\w+)/.exec(OPTIONS[option].usage) ?? [];
        assertStringIncludes(script, word);
      }
    }
  }
  assertEquals(completions("tcsh", COMMANDS), undefined);
  assertEquals(completions("constructor", COMMANDS), undefined);
});

Deno.test("completions: bash completes commands, words of commands, options and files", async () => {
  const rows = [
    ["pl", "plugins plugin"],
    ["plugin ''", "new check hash"],
    ["plugin check --", "--options"],
    ["compile --o", "--output"],
    ["compile --config main.t", "main.ts"],
    ["check main.t", "main.ts"],
    ["completions z", "zsh"],
    ["status ''", ""],
    ["--v", "--version"],
    ["--config main.ts --w", "--watch"],
    ["-c main.ts --ta", "--takeover"],
    ["schema --", ""],
    ["plugins --", "--admin --token"],
  ];
  const root = new URL("../../../", import.meta.url).pathname;
  const said = await run("bash", [
    "-c",
    `${scriptOf("bash")}
    cd ${JSON.stringify(root)}
    try() {
      COMP_WORDS=(headrace "$@"); COMP_CWORD=$#; _headrace
      echo "\${COMPREPLY[*]}"
    }
    ${rows.map(([line]) => `try ${line}`).join("\n")}`,
  ]);
  if (said === undefined) return;
  assertEquals(
    said.trimEnd().split("\n"),
    rows.map(([, expected]) => expected!),
  );
});

Deno.test("completions: fish completes commands, words of commands and options", async () => {
  const said = await run("fish", [
    "-c",
    `${scriptOf("fish")}
    complete -C "headrace comp"
    complete -C "headrace plugin ha"
    complete -C "headrace compile --t"
    complete -C "headrace completions z"
    complete -C "headrace --config main.ts --w"`,
  ]);
  if (said === undefined) return;
  assertEquals(
    said.trimEnd().split("\n").map((line) => line.split("\t")[0]),
    ["compile", "completions", "hash", "--target", "zsh", "--watch"],
  );
});

Deno.test("completions: zsh reads its script", async () => {
  await run("zsh", ["-n", "-c", scriptOf("zsh")]);
});
