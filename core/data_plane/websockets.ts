/**
 * The WebSocket sessions of a data plane as operators list, end and move them.
 *
 * @module
 */
import type { BackendEvent } from "../plugin.ts";
import { formatSocket } from "../net/socket_address.ts";
import type { WebSocketSession } from "../session/websocket_session.ts";
import type {
  MovedSessions,
  Moves,
  WebSocketListing,
  WebSocketQuery,
  WebSocketReport,
} from "./control.ts";
import type { DataPlane } from "./data_plane.ts";

/** Those that are open and asked for; the worker's number stands in each. */
export function listWebSockets(
  plane: DataPlane,
  { limit, ...wanted }: WebSocketQuery,
  worker: number,
): WebSocketListing {
  const sessions: WebSocketReport[] = [];
  const now = plane.env.clock.now();
  let open = 0;
  for (const session of plane.websockets.values()) {
    if (!isMeant(session, wanted)) continue;
    if (open++ < limit) sessions.push(tell(session, worker, now));
  }
  return { open, sessions };
}

/** Closes one; false where there is none of this id. */
export function abortWebSocket(plane: DataPlane, id: string): boolean {
  const session = plane.websockets.get(id);
  if (session === undefined || session.proxy.state === "closed") return false;
  session.proxy.close(1000, "");
  return true;
}

/** Moves one, or all of a backend, to other backends. */
export function moveWebSockets(
  plane: DataPlane,
  which: MovedSessions,
): Moves {
  const meant = "id" in which
    ? [plane.websockets.get(which.id)].filter((one) => one !== undefined)
    : [...plane.websockets.values()].filter(({ backendId }) =>
      backendId === which.backend
    );
  const open = meant.filter(({ proxy }) => proxy.state !== "closed");
  return {
    sessions: open.length,
    moving: open.filter((session) => leave(plane, session)).length,
  };
}

/**
 * A session whose backend is gone, or is to be left, goes to another one.
 * Nothing happens where it is on its way already: it is looked at again when it
 * has settled.
 */
export function moveOrphan(
  plane: DataPlane,
  { cluster: name, backend: { backendId, dialer }, proxy }: WebSocketSession,
): void {
  const cluster = plane.current.cluster(name);
  // A dialer's connection lives on whatever becomes of the dialer.
  if (cluster === undefined || dialer !== undefined) return;
  const backend = cluster.find(backendId);
  if (backend === undefined) proxy.move("drain", { must: true });
  else if (isLeft(backend.health.state)) proxy.move("drain", { must: false });
}

/** A dialer knows this backend no longer: its sessions go to another one. */
export function leaveDeleted(
  plane: DataPlane,
  cluster: string,
  backendId: string,
): void {
  for (const session of plane.websockets.values()) {
    const { backend, proxy } = session;
    if (
      session.cluster === cluster && backend.dialer !== undefined &&
      backend.backendId === backendId
    ) proxy.move("admin", { must: true });
  }
}

/** A backend that is drained is left; one that may be back is tried by who waits for any. */
export function followBackend(
  { backendId, proxy }: WebSocketSession,
  { backend, kind, to }: BackendEvent,
): void {
  if (backend === backendId && kind === "admin" && isLeft(to)) {
    proxy.move("drain", { must: false });
  } else proxy.retry();
}

/** Whether an operator wants live sessions to leave a backend of this state. */
function isLeft(state: string): boolean {
  return state === "drain" || state === "maintenance";
}

/** Whether it is on its way to another backend. */
function leave(
  plane: DataPlane,
  { cluster: name, backend, proxy }: WebSocketSession,
): boolean {
  const cluster = plane.current.cluster(name);
  if (cluster === undefined) return false;
  const { dialer, backendId } = backend;
  // Who else there is only the dialer knows.
  const elsewhere = dialer !== undefined || cluster.servesWithout(backendId);
  if (proxy.state === "open" && !elsewhere) return false;
  if (!proxy.move("admin", { must: false })) proxy.retry();
  return true;
}

function isMeant(
  session: WebSocketSession,
  { cluster, backend, listener, state }: Omit<WebSocketQuery, "limit">,
): boolean {
  const { proxy, transaction } = session;
  return proxy.state !== "closed" &&
    (state === undefined || state === proxy.state) &&
    (cluster === undefined || cluster === session.cluster) &&
    (backend === undefined || backend === session.backendId) &&
    (listener === undefined || listener === transaction.session.listener);
}

function tell(
  session: WebSocketSession,
  worker: number,
  now: number,
): WebSocketReport {
  const { id, cluster, backendId, uri, proxy } = session;
  const { session: connection } = session.transaction;
  const { state } = proxy;
  if (state === "closed") throw new TypeError("A closed session is not listed");
  const age = now - session.startedAt;
  return {
    id,
    worker,
    listener: connection.listener,
    cluster,
    backend: backendId,
    remote: formatSocket(connection.initiator.remote),
    uri,
    state,
    startedAt: Math.round(connection.env.clock.wall() - age),
    age: Math.round(age),
    backendAge: Math.round(now - session.movedAt),
    buffered: proxy.buffered,
    reconnects: proxy.reconnects,
    messagesReceived: proxy.messagesReceived,
    messagesSent: proxy.messagesSent,
  };
}
