/**
 * A backend as a process of its own. It tells the harness by records, and does
 * what it is told by lines of JSON on the same connection.
 *
 * @module
 */
import { Backend, type BackendOptions } from "./backend.ts";
import { serveEcho } from "./echo.ts";
import { listenLow } from "./listen_low.ts";
import { RECORD, RecordWriter, sharedClock } from "./records.ts";

/** What a process is started with, as JSON. */
export interface BackendArguments extends Omit<BackendOptions, "records"> {
  /** Where the harness listens. */
  readonly harness: number;
  /** It only sends back, and records nothing. */
  readonly echo: boolean;
}

/** What the harness says, a line each. */
export type BackendCommand =
  /** At a port, 0 for any. */
  | { readonly listen: number }
  /** A Close with this code on every connection. */
  | { readonly close: number }
  /** A RST on every connection. */
  | { readonly reset: true }
  /** No more messages of its own. */
  | { readonly calm: true };

if (import.meta.main) {
  const options: BackendArguments = JSON.parse(Deno.args[0]!);
  const conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: options.harness,
  });
  const records = new RecordWriter(conn);
  let backend: Backend | undefined;
  const tell = (type: number, number: number) => {
    records.add({
      type,
      connection: options.number,
      session: 0,
      number,
      answers: 0,
      at: sharedClock(),
    });
    return records.flush();
  };
  const listen = async (port: number) => {
    const listener = port === 0
      ? listenLow()
      : Deno.listen({ hostname: "127.0.0.1", port });
    if (options.echo) serveEcho(listener);
    else backend = new Backend(listener, { ...options, records });
    await tell(RECORD.listening, listener.addr.port);
  };
  await tell(RECORD.started, Deno.pid);
  for await (const line of lines(conn)) {
    const command: BackendCommand = JSON.parse(line);
    if ("listen" in command) await listen(command.listen);
    else if ("close" in command) backend?.closeAll(command.close);
    else if ("reset" in command) backend?.resetAll();
    else backend?.calm();
  }
  // The harness is gone: so is this.
  Deno.exit(0);
}

async function* lines(conn: Deno.Conn): AsyncIterable<string> {
  const decoder = new TextDecoder();
  const bytes = new Uint8Array(4096);
  let text = "";
  for (;;) {
    const count = await conn.read(bytes);
    if (count === null) return;
    text += decoder.decode(bytes.subarray(0, count), { stream: true });
    const complete = text.split("\n");
    text = complete.pop()!;
    yield* complete;
  }
}
