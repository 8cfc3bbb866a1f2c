/**
 * What a client still sends that nobody wants: dropped within bounds, so that
 * its connection can be kept, or ends in a way that lets the answer arrive.
 *
 * @module
 */
import type { Clock } from "../net/clock.ts";
import type { Socket } from "../net/socket.ts";
import type { SocketBody } from "./body_readers.ts";

/** An unread body of at most so many bytes is drained to keep the connection (design.md §2). */
export const MAX_DRAIN = 64 << 10;

/** How long a drain may take, in milliseconds. */
const DRAIN_TIME = 1_000;

/**
 * Reads what is left of a request's body, within bounds; whether all of it came.
 * Rejects with a ProxyError where the connection is closed.
 */
export async function drainBody(
  socket: Socket,
  body: SocketBody,
  clock: Clock,
): Promise<boolean> {
  body.resume();
  body.limitIdle(DRAIN_TIME);
  const until = clock.now() + DRAIN_TIME;
  let drained = 0;
  try {
    while (!body.last) {
      if (!body.advance() && !await body.next()) break;
      drained += body.end - body.start;
      if (drained > MAX_DRAIN || clock.now() > until) return false;
    }
  } catch (thrown) {
    // What is wrong with a body that nobody wants is told by closing.
    if (!socket.closed) return false;
    throw thrown;
  }
  return body.last;
}

/**
 * Closes the connection so that the client gets the answer: closing with unread
 * bytes would send a reset, which can overtake it (RFC 9112 §9.6).
 */
export async function linger(socket: Socket): Promise<void> {
  await socket.closeWrite();
  socket.armRead(DRAIN_TIME, "client_idle");
  let drained = 0;
  try {
    do {
      drained += socket.held;
      socket.start = socket.end;
    } while (drained <= MAX_DRAIN && await socket.fill());
  } catch {
    // It took too long or was reset: the answer is out, nothing is lost.
  }
  socket.close();
}
