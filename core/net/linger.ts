/**
 * Closes a connection so that what was written last arrives.
 *
 * @module
 */
import type { Socket } from "./socket.ts";

/** The peer may send so many bytes more before it sees the end. */
const MAX_DROPPED = 64 << 10;

/** How long it may take, in milliseconds. */
const LINGER_TIME = 1_000;

/**
 * Ends our direction and drops what still comes, within bounds, until the peer
 * ends its own: closing with unread bytes would send a reset, which can overtake
 * what was written (RFC 9112 §9.6). Never rejects.
 */
export async function linger(socket: Socket): Promise<void> {
  let dropped = 0;
  try {
    await socket.closeWrite();
    socket.armRead(LINGER_TIME, "client_idle");
    do {
      dropped += socket.held;
      socket.start = socket.end;
    } while (dropped <= MAX_DROPPED && await socket.fill());
  } catch {
    // It took too long, was reset or is closed: what could arrive has.
  }
  socket.close();
}
