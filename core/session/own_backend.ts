/**
 * A session's backend that Headrace dialled itself: the link over an attempt's
 * connection.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import type { WebSocketConfig } from "../config/config_cluster_parts.ts";
import type { Socket } from "../net/socket.ts";
import type { BackendConnection } from "../plugin.ts";
import type { Link } from "../websocket/link.ts";
import {
  WebSocketLink,
  type WebSocketLinkOptions,
} from "../websocket/websocket_link.ts";
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
    if (isSeen(transaction)) attempt.keepViews();
    // Each session would hold a KB for nothing.
    else attempt.forget();
    const socket = attempt.tunnel();
    socket.settle();
    this.link = makeLink(transaction, socket, "server");
  }

  get backendId(): string {
    return this.#attempt.backend.id;
  }

  get url(): string {
    return this.#attempt.backend.url.href;
  }

  view(session: WebSocketSession): BackendConnection {
    return new OwnConnectionView(session, this, this.#attempt);
  }
}

/** Whether a plugin has seen, or may ask for, the backend's 101. */
function isSeen(transaction: Transaction): boolean {
  const { listener, product } = transaction;
  const { providers, listeners } = listener.websocketOf(product!.name);
  return providers.length > 0 || listeners.length > 0 ||
    transaction.fires(POINT.readResponseHeader);
}

/** A link over one of a session's connections. */
export function makeLink(
  { snapshot, cluster, listener, session: { env } }: Transaction,
  socket: Socket,
  peer: "client" | "server",
): WebSocketLink {
  const { websocket } = snapshot.cluster(cluster!)!.config;
  const { timeouts: { write: writeTimeout } } = listener;
  const known = OPTIONS[peer].get(websocket);
  if (
    known?.buffers === env.buffers && known.writeTimeout === writeTimeout
  ) return new WebSocketLink(socket, known);
  const options: WebSocketLinkOptions = {
    peer,
    buffers: env.buffers,
    deadlines: env.deadlines,
    maxMessage: websocket.maxMessage,
    pingInterval: websocket.pingInterval,
    pongTimeout: websocket.pongTimeout,
    writeTimeout,
  };
  OPTIONS[peer].set(websocket, options);
  return new WebSocketLink(socket, options);
}

/** What links of one cluster go by, made once: sessions are many. */
const OPTIONS = {
  client: new WeakMap<WebSocketConfig, WebSocketLinkOptions>(),
  server: new WeakMap<WebSocketConfig, WebSocketLinkOptions>(),
};
