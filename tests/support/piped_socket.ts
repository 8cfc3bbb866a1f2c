/**
 * A socket on one end of a pipe, with everything that a test looks at.
 *
 * @module
 */
import { Buffers } from "../../core/net/buffer_pool.ts";
import type { ByteConn } from "../../core/net/byte_conn.ts";
import { Deadlines } from "../../core/net/deadlines.ts";
import { createPipe } from "../../core/net/pipe.ts";
import { Socket } from "../../core/net/socket.ts";
import { FakeClock } from "./clock.ts";

/** What there is around the socket. */
export interface PipedSocket {
  readonly socket: Socket;
  /** The other end. */
  readonly peer: ByteConn;
  readonly clock: FakeClock;
  readonly deadlines: Deadlines;
  readonly buffers: Buffers;
  /** Buffers that are out. */
  readonly taken: number;
}

/** Makes one. */
export function pipedSocket(
  closedCode: "client_closed" | "backend_closed" = "client_closed",
  buffer: "small" | "medium" = "small",
): PipedSocket {
  const clock = new FakeClock();
  const buffers = new Buffers();
  const deadlines = new Deadlines(clock);
  const [near, peer] = createPipe();
  const total = { in: 0, out: 0 };
  const options = { buffers, deadlines, closedCode, total, buffer };
  const socket = new Socket(near, options);
  return {
    socket,
    peer,
    clock,
    deadlines,
    buffers,
    get taken() {
      const { small, medium, large } = buffers;
      return small.inUse + medium.inUse + large.inUse;
    },
  };
}
