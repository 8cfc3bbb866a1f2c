/**
 * Headrace as a process of its own, as people start it.
 *
 * @module
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, inTime } from "./eventually.ts";

const MAIN = new URL("../../main.ts", import.meta.url);

/** Not the folder of those who work on this machine. */
const RUN_DIR = join(tmpdir(), "headrace-test-run");

/** A process at work. */
export interface HeadraceProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it wrote to standard output so far. */
  readonly stdout: string;
  /** What it wrote to standard error so far. */
  readonly stderr: string;
  /** Resolves to the exit code. */
  readonly code: Promise<number>;
  kill(signal: Deno.Signal): void;
  /** Resolves once it has written this text to either. */
  wrote(text: string): Promise<void>;
}

/** Options of a start. */
export interface ProcessOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** An executable to start, with no environment but `env`; by default Deno with the sources. */
  readonly executable?: string | undefined;
  /** The Deno that runs the sources; by default this one. */
  readonly deno?: string | undefined;
  /** More options for the Deno that runs the sources. */
  readonly denoOptions?: readonly string[];
}

/** Starts it with arguments. */
export function startHeadrace(
  args: readonly string[],
  options: ProcessOptions = {},
): HeadraceProcess {
  const { executable, deno = Deno.execPath(), denoOptions = [] } = options;
  const fromSource = executable === undefined
    ? ["run", "-A", ...denoOptions, MAIN.href]
    : [];
  const child = new Deno.Command(executable ?? deno, {
    args: [...fromSource, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    clearEnv: executable !== undefined,
    env: { NO_COLOR: "1", HEADRACE_RUN_DIR: RUN_DIR, ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  }).spawn();
  const written = { stdout: "", stderr: "" };
  const collect = async (name: "stdout" | "stderr") => {
    for await (const text of child[name].pipeThrough(new TextDecoderStream())) {
      written[name] += text;
    }
  };
  const collected = Promise.all([collect("stdout"), collect("stderr")]);
  let ended = false;
  const code = (async () => {
    const { code } = await child.status;
    ended = true;
    await collected;
    return code;
  })();
  return {
    pid: child.pid,
    code,
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
    kill: (signal) => child.kill(signal),
    async wrote(text) {
      await eventually(`"${text}" from the process`, () => {
        if (written.stdout.includes(text)) return true;
        if (written.stderr.includes(text)) return true;
        if (!ended) return false;
        throw new Error(
          `The process ended without "${text}":\n${written.stdout}${written.stderr}`,
        );
      }, 30_000);
    },
    async [Symbol.asyncDispose]() {
      if (!ended) child.kill("SIGKILL");
      await code;
    },
  };
}

/** Runs it to its end. */
export async function runHeadrace(
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  await using process = startHeadrace(args, options);
  const code = await inTime("the process's end", process.code, 30_000);
  return { code, stdout: process.stdout, stderr: process.stderr };
}
