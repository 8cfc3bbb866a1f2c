/**
 * HAProxy beside Headrace, where it is installed: a second opinion on what the
 * two of them say to each other.
 *
 * @module
 */
import { eventually } from "./eventually.ts";

/** Its version, undefined where it is not installed. */
export async function haproxyVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("haproxy", { args: ["-v"] })
      .output();
    return /version (\S+)/.exec(new TextDecoder().decode(stdout))?.[1];
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}

/** A running one. */
export interface Haproxy extends AsyncDisposable {
  /** What it wrote so far. */
  readonly written: string;
}

/** Starts it with these sections behind usual defaults; `ports` are those that it listens on. */
export async function startHaproxy(
  sections: string,
  ports: readonly number[],
): Promise<Haproxy> {
  const file = await Deno.makeTempFile({ suffix: ".cfg" });
  await Deno.writeTextFile(file, DEFAULTS + sections);
  const child = new Deno.Command("haproxy", {
    args: ["-db", "-f", file],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let written = "";
  const collected = (async () => {
    for await (
      const text of child.stderr.pipeThrough(new TextDecoderStream())
    ) {
      written += text;
    }
  })();
  let ended = false;
  child.status.then(() => ended = true);
  await eventually("HAProxy listens", async () => {
    if (ended) throw new Error(`HAProxy ended: ${written}`);
    return await listens(ports);
  });
  return {
    get written() {
      return written;
    },
    async [Symbol.asyncDispose]() {
      if (!ended) child.kill("SIGKILL");
      await child.status;
      await collected;
      await Deno.remove(file);
    },
  };
}

const DEFAULTS = `
defaults
  timeout connect 5s
  timeout client 30s
  timeout server 30s
`;

async function listens(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch (thrown) {
      if (thrown instanceof Deno.errors.ConnectionRefused) return false;
      throw thrown;
    }
  }
  return true;
}
