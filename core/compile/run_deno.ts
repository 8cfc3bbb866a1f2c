/**
 * Runs Deno's own compiler.
 *
 * @module
 */

/** Why there is no executable. */
export class CompileError extends Error {
  override readonly name = "CompileError";
}

/** What {@linkcode runDenoCompile} needs. */
export interface DenoCompile {
  /** The folder that `included` is relative to. */
  readonly folder: string;
  /** The config of Deno. */
  readonly config: string;
  readonly entry: string;
  /** Files beyond those that the entry imports. */
  readonly included: readonly string[];
  /** Flags such as `--allow-net`. */
  readonly permissions: readonly string[];
  /** An absolute path. */
  readonly output: string;
  /** Such as `aarch64-apple-darwin`; undefined for this machine's. */
  readonly target: string | undefined;
}

/** Compiles by the Deno that runs this. Rejects with a {@linkcode CompileError}. */
export async function runDenoCompile(job: DenoCompile): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      // Types of plugins were dropped, and those of the sources are checked by
      // their own task.
      "--no-check",
      "--no-prompt",
      "--config",
      job.config,
      ...job.permissions,
      ...job.included.flatMap((path) => ["--include", path]),
      ...(job.target === undefined ? [] : ["--target", job.target]),
      "--output",
      job.output,
      job.entry,
    ],
    cwd: job.folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  const said = new TextDecoder().decode(stderr).trim();
  throw new CompileError(
    /base binary|denort/.test(said)
      ? `${said}\nDeno's compiler downloads the program that it appends to; where that is out of reach, name one in DENORT_BIN.`
      : said,
  );
}

/** Rejects with a {@linkcode CompileError} unless the executable starts and says `version`. */
export async function checkExecutable(
  path: string,
  version: string,
): Promise<void> {
  const { stdout, stderr } = await new Deno.Command(path, {
    args: ["--version"],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stdout).trim();
  if (said.startsWith(`headrace ${version} `)) return;
  const [complaint] = new TextDecoder().decode(stderr).trim().split("\n");
  throw new CompileError(
    `What was compiled does not start as Headrace ${version}: it says ${
      JSON.stringify(said || complaint)
    }. Does DENORT_BIN name a program that this Deno can append to?`,
  );
}
