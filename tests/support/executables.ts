/**
 * Executables for tests, made by `headrace compile` for real.
 *
 * Deno's compiler appends to a program that it downloads, or that `DENORT_BIN`
 * names. `HEADRACE_COMPILER` names the Deno that compiles, where that is not the
 * one that runs the tests: a program in `DENORT_BIN` is of one version of Deno
 * (`.ci/compiler` finds a pair of both).
 *
 * @module
 */
import { textOf } from "./byte_streams.ts";
import { runHeadrace } from "./headrace_process.ts";

/** The Deno that compiles. */
export const COMPILER = Deno.env.get("HEADRACE_COMPILER") || Deno.execPath();

/** Why nothing can be compiled here; undefined where it can. */
export async function whyNoCompiler(): Promise<string | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-probe-" });
  try {
    await Deno.writeTextFile(`${folder}/probe.js`, `console.log("compiled");`);
    const compile = await new Deno.Command(COMPILER, {
      args: ["compile", "--output", "probe", "probe.js"],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    if (!compile.success) {
      const said = textOf(compile.stderr);
      return /error sending .*/.exec(said)?.[0] ?? said.trim();
    }
    // A base that ignores what is appended to it starts as well.
    const { stdout } = await new Deno.Command(`${folder}/probe`, {
      stdin: "null",
    }).output();
    return textOf(stdout) === "compiled\n"
      ? undefined
      : `A compiled program says ${JSON.stringify(textOf(stdout))}`;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs `headrace compile` with arguments, by the Deno that compiles. */
export function runCompile(
  ...args: string[]
): ReturnType<typeof runHeadrace> {
  return runHeadrace(["compile", ...args], { deno: COMPILER });
}
