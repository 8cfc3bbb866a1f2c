/**
 * HTTP/1.1 on a session: each request of the connection is a transaction.
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import { Http1ClientConnection } from "../http1/client_connection.ts";
import type { Socket } from "../net/socket.ts";
import type { Session } from "./session.ts";
import { STATES } from "./states.ts";
import { Transaction } from "./transaction.ts";

/** A protocol at work on a session's connection. */
export interface Served {
  /** Settles when it is over. Rejects with a ProxyError where it ended badly. */
  readonly done: Promise<void>;
  /** What it does now, for listings. */
  readonly state: string;
  /** Ends as soon as nothing is at work. */
  drain(): void;
  /** The connection is about to be closed. */
  abort(reason: ProxyError): void;
}

/** Serves HTTP/1.1 until the connection ends. */
export function serveHttp1(session: Session, socket: Socket): Served {
  const { env, listenerRuntime } = session;
  const connection = new Http1ClientConnection(socket, {
    buffers: env.buffers,
    clock: env.clock,
    date: env.date,
    limits: listenerRuntime.limits,
    timeouts: listenerRuntime.timeouts,
  });
  let current: Transaction | undefined;
  const done = connection.serve((exchange) => {
    // An exchange that is not answered is the connection's end.
    if (session.finished) return Promise.resolve();
    if (session.plane.draining) connection.drain();
    current = new Transaction(session, exchange, ++session.transactions);
    return current.run();
  }, () => current = undefined);
  const working = () => current?.state === STATES.closed ? undefined : current;
  return {
    done,
    get state() {
      return working()?.state.name ?? "idle";
    },
    drain: () => connection.drain(),
    abort: (reason) => working()?.clientGone(reason),
  };
}
