/**
 * Backends as child processes, and the harness's end of their connections.
 *
 * @module
 */
import type { BackendArguments, BackendCommand } from "./backend_main.ts";
import { isBroken } from "./peer.ts";
import { type BackendRecord, readRecords, RECORD } from "./records.ts";

const MAIN = new URL("./backend_main.ts", import.meta.url);

/** What all backends of a run do alike. */
export type BackendBehaviour = Omit<BackendArguments, "harness" | "number">;

/** Starts backends and hears what they record. */
export class BackendFarm implements AsyncDisposable {
  readonly #behaviour: BackendBehaviour;
  readonly #take: (record: BackendRecord) => void;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #processes: BackendProcess[] = [];
  readonly #hearing: Promise<void>[] = [];
  readonly #accepting: Promise<void>;

  constructor(
    behaviour: BackendBehaviour,
    take: (record: BackendRecord) => void,
  ) {
    this.#behaviour = behaviour;
    this.#take = take;
    this.#accepting = this.#accept();
  }

  /** Starts one, which does not listen yet. */
  async start(): Promise<BackendProcess> {
    const process = new BackendProcess(this.#processes.length + 1, {
      ...this.#behaviour,
      harness: this.#listener.addr.port,
    });
    this.#processes.push(process);
    await process.started;
    return process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await Promise.all(this.#processes.map((process) => process.kill()));
    await Promise.all(this.#hearing);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      this.#hearing.push(this.#hear(conn));
    }
  }

  async #hear(conn: Deno.Conn): Promise<void> {
    let process: BackendProcess | undefined;
    try {
      await readRecords(conn, (record) => {
        if (record.type === RECORD.started) {
          process = this.#processes[record.connection - 1]!;
          process.connected(conn);
        } else if (record.type === RECORD.listening) {
          process!.listens(record.number);
        } else {
          this.#take(record);
        }
      });
    } catch (thrown) {
      if (!isBroken(thrown)) throw thrown;
    } finally {
      process?.disconnected();
      conn.close();
    }
  }
}

/** One process. */
export class BackendProcess {
  /** Its own among all backends of a run. */
  readonly number: number;
  /** Resolves once it hears commands; rejects where it ends before. */
  readonly started: Promise<void>;
  /** Where it listens; 0 before. */
  port = 0;
  /** When the system had closed its sockets, in milliseconds of the harness's clock: some while after its SIGKILL. */
  goneAt: number | undefined;
  readonly #child: Deno.ChildProcess;
  readonly #connected = Promise.withResolvers<void>();
  #listening = Promise.withResolvers<void>();
  #conn: Deno.Conn | undefined;
  #ended = false;

  constructor(number: number, options: Omit<BackendArguments, "number">) {
    this.number = number;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        MAIN.href,
        JSON.stringify({ ...options, number }),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    this.started = Promise.race([this.#connected.promise, this.#end()]);
    this.started.catch(() => {});
  }

  /** Its connection is there. */
  connected(conn: Deno.Conn): void {
    this.#conn = conn;
    this.#connected.resolve();
  }

  /** Its connection is over. */
  disconnected(): void {
    this.goneAt ??= performance.now();
  }

  /** It said so. */
  listens(port: number): void {
    this.port = port;
    this.#listening.resolve();
  }

  /** Whether it is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Lets it listen, at any port or at one that is free again. Where it did before, that one is told nothing any more. */
  async listen(port = 0): Promise<void> {
    this.#listening = Promise.withResolvers();
    await this.tell({ listen: port });
    await this.#listening.promise;
  }

  /** Sends a command. */
  async tell(command: BackendCommand): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify(command)}\n`);
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn!.write(bytes.subarray(at));
    }
  }

  /** SIGSTOP: it does nothing more, its sockets stay. */
  stall(): void {
    this.#child.kill("SIGSTOP");
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#child.kill("SIGKILL");
    await this.#child.status;
  }

  async #end(): Promise<never> {
    const { code } = await this.#child.status;
    this.#ended = true;
    throw new Error(`Backend ${this.number} ended with ${code}`);
  }
}
