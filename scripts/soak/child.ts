/**
 * Parts of a soak as child processes that are told and tell by lines of JSON.
 *
 * @module
 */
import { lines } from "./lines.ts";

/** A child at work. */
export class Child<Command, Report> {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  /** Resolves when it has ended and all is read; rejects where it failed. */
  readonly ended: Promise<void>;
  #stopped = false;

  /** Starts a module of this folder; each report is given to `take`. */
  constructor(
    module: string,
    options: unknown,
    take: (report: Report) => void,
  ) {
    this.#name = module;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        new URL(module, import.meta.url).pathname,
        JSON.stringify(options),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.ended = this.#read(take);
    // Whoever waits for it hears of it.
    this.ended.catch(() => {});
  }

  async tell(command: Command): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify(command)}\n`);
    await this.#writer.write(bytes);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#stopped = true;
    try {
      this.#child.kill("SIGKILL");
    } catch (thrown) {
      // It has ended by itself.
      if (!(thrown instanceof TypeError)) throw thrown;
    }
    await this.ended;
  }

  async #read(take: (report: Report) => void): Promise<void> {
    for await (const line of lines(this.#child.stdout)) {
      if (line !== "") take(JSON.parse(line));
    }
    const { code } = await this.#child.status;
    this.#writer.abort().catch(() => {});
    if (code !== 0 && !this.#stopped) {
      throw new Error(`${this.#name} ended with ${code}`);
    }
  }
}
