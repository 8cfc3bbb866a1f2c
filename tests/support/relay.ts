/**
 * A TCP relay before a server, which a test can cut: what was TLS then ends
 * without its end.
 *
 * @module
 */
import { writeAll } from "./byte_streams.ts";
import { closeQuietly, isBroken, serveTcpBackend } from "./tcp_backend.ts";

/** A listening relay. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Connections taken so far. */
  readonly accepted: number;
  /** Ends every connection, without a word to TLS. */
  cut(): void;
}

/** Relays to a port of 127.0.0.1. */
export function serveRelay(port: number): Relay {
  const cuts = new Set<() => void>();
  const server = serveTcpBackend(async (near) => {
    const far = await Deno.connect({ hostname: "127.0.0.1", port });
    const { promise: isCut, resolve: cut } = Promise.withResolvers<void>();
    cuts.add(cut);
    const pumped = Promise.all([pump(near, far), pump(far, near)]);
    await Promise.race([pumped, isCut]);
    cuts.delete(cut);
    // A FIN before the close: with unread bytes that alone would be a reset.
    await near.closeWrite().catch(() => {});
    closeQuietly(near);
    closeQuietly(far);
    await pumped;
  });
  return {
    port: server.port,
    get accepted() {
      return server.accepted;
    },
    cut() {
      for (const cut of cuts) cut();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function pump(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 << 10);
  try {
    for (;;) {
      const count = await from.read(buffer);
      if (count === null) break;
      await writeAll(to, buffer.subarray(0, count));
    }
    await to.closeWrite();
  } catch (thrown) {
    // Cut, or one side has left: the other learns it from the close.
    if (!isBroken(thrown)) throw thrown;
  }
}
