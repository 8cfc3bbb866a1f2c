/**
 * The system's `openssl`, where there is one: tests against it are skipped
 * otherwise, and say so.
 *
 * @module
 */
import { latin1Text } from "./latin1.ts";

/** What a run has put out. */
export interface OpensslOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Whether tests against openssl are to be skipped; tells so. */
export function opensslMissing(): boolean {
  try {
    const { success } = new Deno.Command("openssl", { args: ["version"] })
      .outputSync();
    if (success) return false;
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
  console.warn("openssl is not here: its tests are skipped");
  return true;
}

/** Milliseconds after which a run is ended: that is a failure. */
const PATIENCE = 20_000;

/** Runs it with `input` on its standard input, which then ends. */
export async function openssl(
  args: readonly string[],
  input = "",
): Promise<OpensslOutput> {
  const child = new Deno.Command("openssl", {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(PATIENCE),
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await output;
  return { code, stdout: latin1Text(stdout), stderr: latin1Text(stderr) };
}

/** A running `openssl s_server`. */
export interface OpensslServer extends AsyncDisposable {
  readonly port: number;
}

/** Starts a server that answers HTTP GETs with its status page (`-www`). */
export async function serveOpenssl(
  args: readonly string[],
): Promise<OpensslServer> {
  const child = new Deno.Command("openssl", {
    args: ["s_server", "-accept", "127.0.0.1:0", "-www", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  let told = "";
  let port: string | undefined;
  while (port === undefined) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`openssl s_server ended after: ${told}`);
    told += latin1Text(value);
    port = /^ACCEPT 127\.0\.0\.1:(\d+)$/m.exec(told)?.[1];
  }
  // What else it says nobody reads, but a full pipe would stop it.
  const drained = (async () => {
    while (!(await reader.read()).done) { /* to the end */ }
  })();
  return {
    port: Number(port),
    async [Symbol.asyncDispose]() {
      child.kill();
      await drained;
      await child.status;
    },
  };
}
