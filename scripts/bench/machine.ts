/**
 * What was measured, and on what.
 *
 * @module
 */
import type { ProxyName } from "./cases.ts";

/** Facts without which figures say little. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly kernel: string;
  readonly deno: string;
  /** First lines of what the others tell of themselves. */
  readonly versions: Partial<Record<ProxyName, string>>;
}

const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  haproxy: ["haproxy", "-v"],
  nginx: ["nginx", "-v"],
  caddy: ["caddy", "version"],
};

/** Looks them up. */
export async function describeMachine(
  proxies: readonly ProxyName[],
): Promise<Machine> {
  const versions: Partial<Record<ProxyName, string>> = {};
  for (const name of proxies) {
    const [command, ...args] = VERSIONS[name] ?? [];
    if (command === undefined) continue;
    const { stdout, stderr } = await new Deno.Command(command, { args })
      .output();
    const text = new TextDecoder().decode(stdout) +
      new TextDecoder().decode(stderr);
    const version = /\d+\.\d+\.\d+/.exec(text)?.[0];
    if (version !== undefined) versions[name] = version;
  }
  const info = await Deno.readTextFile("/proc/cpuinfo");
  return {
    cores: navigator.hardwareConcurrency,
    processor: /model name\s*: (.*)/.exec(info)?.[1] ?? Deno.build.arch,
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
    versions,
  };
}

/** Whether a program is installed. */
export async function isInstalled(command: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", `command -v ${command}`],
    stdout: "null",
  }).output();
  return success;
}

/** The commit that is checked out; with `+` where files differ from it. */
export async function currentCommit(): Promise<string> {
  const git = async (...args: string[]) => {
    const { stdout } = await new Deno.Command("git", {
      args,
      cwd: new URL("../..", import.meta.url),
    }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  const changes = await git("status", "--porcelain", "--untracked-files=no");
  return await git("rev-parse", "HEAD") + (changes === "" ? "" : "+");
}
