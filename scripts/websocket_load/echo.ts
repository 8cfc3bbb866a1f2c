/**
 * A backend that sends every message back, and nothing else: for loads that ask
 * what relaying costs.
 *
 * @module
 */
import { acceptWebSocket } from "./opening.ts";
import { isBroken, type Peer } from "./peer.ts";

/** Serves all that come, to the listener's end. */
export async function serveEcho(listener: Deno.Listener): Promise<void> {
  for await (const conn of listener) echo(conn as Deno.TcpConn);
}

async function echo(conn: Deno.TcpConn): Promise<void> {
  let peer: Peer;
  try {
    peer = await acceptWebSocket(conn, () => Promise.resolve());
  } catch (thrown) {
    if (!isBroken(thrown)) throw thrown;
    return;
  }
  await peer.run({
    message: (kind, bytes, start, end) => peer.send(kind, bytes, start, end),
    ping: (payload) => peer.pong(payload),
    batchEnd: () => peer.flush(),
  });
}
