/**
 * A TCP backend, with or without TLS, whose every connection a test handles.
 *
 * @module
 */
import { formatHost } from "../../core/net/address.ts";
import type { Identity } from "./certificates.ts";

/** A listening backend. */
export interface TcpBackend extends AsyncDisposable {
  /** As a config names it. */
  readonly url: string;
  readonly port: number;
  /** Connections taken so far. */
  readonly accepted: number;
}

/** Where it listens: a free port of 127.0.0.1 unless said otherwise. */
export type TcpBackendAddress =
  | {
    readonly hostname?: string;
    readonly port?: number;
    /** Who it is in TLS; without it speaks plain TCP. */
    readonly identity?: Identity;
    /** Protocols that its TLS agrees to. */
    readonly alpn?: string[];
  }
  | { readonly path: string };

const LOOPBACK = "127.0.0.1";

/** Takes connections and hands each to `handle`, which closes it; failures of a peer that left are its own. */
export function serveTcpBackend(
  handle: (conn: Deno.Conn) => Promise<void>,
  address: TcpBackendAddress = {},
): TcpBackend {
  const listener = listen(address);
  const open = new Set<Deno.Conn>();
  const handled = new Set<Promise<void>>();
  let accepted = 0;
  const run = async (conn: Deno.Conn) => {
    open.add(conn);
    try {
      await handle(conn);
    } catch (thrown) {
      // A connection that breaks is what many tests are about; others fail by
      // what the client then misses.
      if (!isBroken(thrown)) throw thrown;
    } finally {
      open.delete(conn);
      closeQuietly(conn);
    }
  };
  const loop = (async () => {
    for await (const conn of listener) {
      accepted++;
      const done = run(conn);
      handled.add(done);
      done.then(() => handled.delete(done));
    }
  })();
  const { addr } = listener;
  const port = addr.transport === "tcp" ? addr.port : 0;
  return {
    port,
    url: "path" in address
      ? `unix:${address.path}`
      : `tcp://${formatHost(address.hostname ?? LOOPBACK)}:${port}`,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await loop;
      for (const conn of open) closeQuietly(conn);
      await Promise.all(handled);
    },
  };
}

function listen(address: TcpBackendAddress): Deno.Listener {
  if ("path" in address) {
    return Deno.listen({ transport: "unix", path: address.path });
  }
  const { hostname = LOOPBACK, identity, alpn = [] } = address;
  return identity === undefined
    ? Deno.listen({ hostname, port: address.port ?? 0 })
    : Deno.listenTls({
      hostname,
      port: address.port ?? 0,
      ...identity,
      alpnProtocols: alpn,
    });
}

/** Sends back what comes, up to the peer's end. */
export async function echo(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 << 10);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) break;
    for (let at = 0; at < count;) {
      at += await conn.write(buffer.subarray(at, count));
    }
  }
  await conn.closeWrite();
}

/** Whether it says that the peer or the test ended the connection. */
export function isBroken(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.ConnectionReset ||
    thrown instanceof Deno.errors.BrokenPipe ||
    thrown instanceof Deno.errors.Interrupted ||
    thrown instanceof Deno.errors.BadResource ||
    // TLS: an end without its end, an alert, garbage.
    thrown instanceof Deno.errors.UnexpectedEof ||
    thrown instanceof Deno.errors.InvalidData ||
    thrown instanceof Deno.errors.NotConnected;
}

/** Closes a connection that may be closed already. */
export function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed before: that is what was wanted.
  }
}
