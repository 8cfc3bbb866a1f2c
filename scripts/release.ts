/**
 * Makes what a release consists of: an executable for each target, completions,
 * the systemd unit, and SHA256SUMS over all of them: `deno task release`;
 * `--help` tells its options.
 *
 * @module
 */
import { basename, join } from "node:path";
import { completions } from "../core/cli/command_completions.ts";
import { COMMANDS } from "../core/cli/commands.ts";
import { compileExecutable } from "../core/compile/compile.ts";
import { sha256Hex } from "../core/plugins/graph_hash.ts";
import { VERSION } from "../core/version.ts";
import { list, one, oneOf, PATH, readOptions } from "./options.ts";

/** What Deno's compiler makes executables for. */
const TARGETS = [
  "aarch64-apple-darwin",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "x86_64-pc-windows-msvc",
  "x86_64-unknown-linux-gnu",
];

const UNIT = new URL("packaging/headrace.service", import.meta.url);

const { output, target } = readOptions({
  task: "release",
  does: "Makes what a release consists of: an executable for each target, " +
    "completions, the systemd unit, and SHA256SUMS over all of them.",
  options: {
    output: one(PATH, { does: "folder for all of it", default: "dist" }),
    target: list(oneOf(TARGETS), {
      does: "what executables are for",
      default: TARGETS,
      byDefault: "all",
    }),
  },
  example: "--target x86_64-unknown-linux-gnu --output out",
});
await release(output, target);

async function release(
  folder: string,
  targets: readonly string[],
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const target of targets) {
    const { output } = await compileExecutable({
      load: undefined,
      output: join(folder, `headrace-${VERSION}-${target}`),
      target,
      allow: [],
    });
    console.log(output);
    files.push(output);
  }
  for (const shell of ["bash", "zsh", "fish"]) {
    const file = join(folder, `headrace.${shell}`);
    await Deno.writeTextFile(file, completions(shell, COMMANDS)! + "\n");
    files.push(file);
  }
  const unit = join(folder, "headrace.service");
  await Deno.copyFile(UNIT, unit);
  files.push(unit);
  await writeSums(join(folder, "SHA256SUMS"), files);
}

/** As `sha256sum -c` reads it. */
async function writeSums(
  path: string,
  files: readonly string[],
): Promise<void> {
  const lines: string[] = [];
  for (const file of files.toSorted()) {
    const hash = sha256Hex(await Deno.readFile(file));
    lines.push(`${hash}  ${basename(file)}\n`);
  }
  await Deno.writeTextFile(path, lines.join(""));
}
