/**
 * A session's backend that Headrace dialled itself: the link over an attempt's
 * connection.
 *
 * @module
 */
import type { Socket } from "../net/socket.ts";
import type { BackendConnection } from "../plugin.ts";
import type { Link } from "../websocket/link.ts";
import { WebSocketLink } from "../websocket/websocket_link.ts";
import type { Attempt } from "./attempt.ts";
import type { Transaction } from "./transaction.ts";
import { OwnConnectionView } from "./websocket_views.ts";
import type { SessionBackend, WebSocketSession } from "./websocket_session.ts";

/** A backend of the cluster's. */
export class OwnBackend implements SessionBackend {
  readonly dialer: undefined;
  readonly link: Link;
  readonly #attempt: Attempt;

  /** Takes over the connection, with which the attempt ends. */
  constructor(transaction: Transaction, attempt: Attempt) {
    this.#attempt = attempt;
    attempt.keepViews();
    const socket = attempt.connection!.tunnel();
    const ended = socket.onClosed;
    socket.onClosed = () => {
      ended?.();
      attempt.close();
    };
    socket.settle();
    this.link = makeLink(transaction, socket, "server");
  }

  get backendId(): string {
    return this.#attempt.backend.id;
  }

  view(session: WebSocketSession): BackendConnection {
    return new OwnConnectionView(session, this, this.#attempt);
  }
}

/** A link over one of a session's connections. */
export function makeLink(
  { snapshot, cluster, listener, session: { env } }: Transaction,
  socket: Socket,
  peer: "client" | "server",
): WebSocketLink {
  const { websocket } = snapshot.cluster(cluster!)!.config;
  return new WebSocketLink(socket, {
    peer,
    buffers: env.buffers,
    deadlines: env.deadlines,
    maxMessage: websocket.maxMessage,
    pingInterval: websocket.pingInterval,
    pongTimeout: websocket.pongTimeout,
    writeTimeout: listener.timeouts.write,
  });
}
