/**
 * A relay before a TLS listener that gathers what a client sends behind its
 * ClientHello, up to its end: the listener gets all of it in one piece.
 *
 * @module
 */
import { readAll, writeAll } from "./byte_streams.ts";

/** Relays one connection. */
export interface GatheringRelay extends AsyncDisposable {
  readonly port: number;
}

/** Bytes of a TLS 1.3 record with an alert. */
const ALERT_RECORD = 24;

/**
 * A relay for one connection to a port of 127.0.0.1. Close the client before it.
 * `silent` keeps the client's close_notify back: the end is TCP's alone.
 */
export function gatheringRelay(
  port: number,
  { silent = false } = {},
): GatheringRelay {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = relay(listener, port, silent ? -ALERT_RECORD : undefined);
  // The test sees a relay that breaks by its client.
  done.catch(() => {});
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      await done.catch(() => {});
    },
  };
}

async function relay(
  listener: Deno.TcpListener,
  port: number,
  upTo: number | undefined,
): Promise<void> {
  using client = await listener.accept();
  listener.close();
  using server = await Deno.connect({ hostname: "127.0.0.1", port });
  const back = (async () => {
    const buffer = new Uint8Array(64 << 10);
    let count: number | null;
    while ((count = await server.read(buffer)) !== null) {
      await writeAll(client, buffer.subarray(0, count));
    }
    await client.closeWrite();
  })();
  // The test sees by its client what breaks here.
  back.catch(() => {});
  const hello = new Uint8Array(64 << 10);
  await writeAll(server, hello.subarray(0, (await client.read(hello))!));
  await writeAll(server, (await readAll(client)).subarray(0, upTo));
  await server.closeWrite();
  await back.catch(() => {});
}
