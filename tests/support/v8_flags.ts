/**
 * A Headrace process whose V8 tells what it does.
 *
 * @module
 */
import { freePorts } from "./free_ports.ts";
import { type HeadraceProcess, startHeadrace } from "./headrace_process.ts";
import { serveNamed } from "./named_backend.ts";

/** What it is to be. */
export interface V8FlagsOptions {
  readonly flags: readonly string[];
  /** Further keys of the listener. */
  readonly listener?: string;
  /** Entries of `plugins`. */
  readonly plugins?: readonly string[];
}

/** Runs `use` beside one with one worker, whose listener leads to one backend. */
export async function withV8Flags<T>(
  { flags, listener = "protocol: http", plugins = [] }: V8FlagsOptions,
  use: (proxy: HeadraceProcess, port: number) => Promise<T>,
): Promise<T> {
  await using backend = serveNamed("a");
  const [port] = freePorts(1);
  const dir = await Deno.makeTempDir();
  const config = `${dir}/headrace.yaml`;
  await Deno.writeTextFile(
    config,
    `listeners: [{ name: web, address: "127.0.0.1:${port}", ${listener} }]
clusters: [{ name: one, backends: [{ url: "${backend.url}" }] }]
plugins: [${plugins.join(", ")}]
workers: 1
`,
  );
  try {
    await using proxy = startHeadrace(["--config", config], {
      denoOptions: ["--no-check", `--v8-flags=${flags.join(",")}`],
    });
    await proxy.wrote("Headrace serves");
    return await use(proxy, port!);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
