/**
 * Node's own HTTP parser behind Headrace, in a process of its own.
 *
 * @module
 */
import { eventually } from "./eventually.ts";

const SCRIPT = new URL("./node_recorder.mjs", import.meta.url);

/** A request as Node read it. */
export interface RecordedRequest {
  readonly event: "request";
  /** Which of its connections, from 1. */
  readonly connection: number;
  readonly method: string;
  readonly target: string;
  /** Names and values by turns. */
  readonly fields: readonly string[];
  /** As latin1. */
  readonly body: string;
  readonly complete: boolean;
}

/** What Node could not read, or a connection's early end. */
export interface RecordedError {
  readonly event: "error";
  readonly connection: number;
  readonly code: string;
  /** The bytes at hand, as latin1. */
  readonly packet: string;
}

interface Listening {
  readonly event: "listening";
  readonly port: number;
  readonly version: string;
  readonly methods: readonly string[];
}

/** A running one. */
export interface NodeRecorder extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  /** Methods that it knows: others it refuses. */
  readonly methods: ReadonlySet<string>;
  readonly requests: readonly RecordedRequest[];
  readonly errors: readonly RecordedError[];
}

/** Whether a command can be run. */
export async function hasCommand(name: string, flag: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(name, {
      args: [flag],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

/** Starts it at a free port of 127.0.0.1. */
export async function startNodeRecorder(): Promise<NodeRecorder> {
  const child = new Deno.Command("node", {
    args: [SCRIPT.pathname],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const requests: RecordedRequest[] = [];
  const errors: RecordedError[] = [];
  let listening: Listening | undefined;
  const note = (line: string) => {
    const event = JSON.parse(line) as
      | RecordedRequest
      | RecordedError
      | Listening;
    if (event.event === "request") requests.push(event);
    else if (event.event === "error") errors.push(event);
    else listening = event;
  };
  const reading = (async () => {
    let rest = "";
    const texts = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of texts) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      lines.forEach(note);
    }
  })();
  const { port, version, methods } = await eventually(
    "Node's server",
    () => listening,
  );
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    version,
    methods: new Set(methods),
    requests,
    errors,
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.status;
      await reading;
    },
  };
}
