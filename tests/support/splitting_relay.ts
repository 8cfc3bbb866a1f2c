/**
 * A relay before a listener that cuts what a client sends in two, so that no
 * message arrives whole.
 *
 * @module
 */
import { bytesOf, writeAll } from "./byte_streams.ts";

/** Relays one connection. */
export interface SplittingRelay extends AsyncDisposable {
  readonly port: number;
}

/** Milliseconds between both pieces. */
const PAUSE = 5;

/**
 * A relay for one connection to a port of 127.0.0.1; each read of the client's
 * is cut after `at` bytes. `prefix` goes before the first one, as a balancer
 * writes a PROXY header. Close the client before it.
 */
export function splittingRelay(
  port: number,
  at: number,
  prefix = "",
): SplittingRelay {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = relay(listener, port, at, bytesOf(prefix));
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
  at: number,
  prefix: Uint8Array,
): Promise<void> {
  using client = await listener.accept();
  listener.close();
  using server = await Deno.connect({ hostname: "127.0.0.1", port });
  server.setNoDelay(true);
  const back = pump(server, (bytes) => writeAll(client, bytes))
    .then(() => client.closeWrite(), () => {});
  let before = prefix;
  try {
    await pump(client, async (read) => {
      const bytes = new Uint8Array([...before, ...read]);
      before = new Uint8Array(0);
      await writeAll(server, bytes.subarray(0, at));
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      await writeAll(server, bytes.subarray(at));
    });
    await server.closeWrite();
  } finally {
    await back.catch(() => {});
  }
}

async function pump(
  from: Deno.Conn,
  to: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const buffer = new Uint8Array(64 << 10);
  let count: number | null;
  while ((count = await from.read(buffer)) !== null) {
    await to(buffer.subarray(0, count));
  }
}
