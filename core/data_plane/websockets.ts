/**
 * The WebSocket sessions of a data plane: known while they live, listed, ended
 * and moved as operators and configs want it.
 *
 * @module
 */
import type { BackendEvent } from "../plugin.ts";
import { formatSocket } from "../net/socket_address.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { Session } from "../session/session.ts";
import type { WebSocketSession } from "../session/websocket_session.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type {
  MovedSessions,
  Moves,
  WebSocketListing,
  WebSocketQuery,
  WebSocketReport,
} from "./control.ts";
import type { Tally } from "./tally.ts";

/** What the WebSocket sessions of a plane need of it. */
export interface WebSocketSessionsOptions {
  /** The plane's number among the workers, from 0. */
  readonly worker: number;
  readonly env: Pick<PlaneEnv, "clock" | "metrics">;
  /** Where they are counted. */
  readonly tally: Tally;
  /** The config that says which clusters and backends there are. */
  readonly current: () => Snapshot;
}

/** The WebSocket sessions of one data plane. */
export class WebSocketSessions {
  readonly #options: WebSocketSessionsOptions;
  readonly #all = new Map<string, WebSocketSession>();

  constructor(options: WebSocketSessionsOptions) {
    this.#options = options;
    options.env.metrics.websocketBuffered.collect(() => {
      let sum = 0;
      for (const { proxy } of this.values()) sum += proxy.buffered;
      return sum;
    });
  }

  /** All that are there. */
  values(): Iterable<WebSocketSession> {
    return this.#all.values();
  }

  /** One is there. */
  add(session: WebSocketSession): void {
    this.#all.set(session.id, session);
    this.#options.tally.websockets = this.#all.size;
    // It may have begun under a config that is gone.
    this.moveOrphan(session);
  }

  /** It is over. */
  delete(session: WebSocketSession): void {
    this.#all.delete(session.id);
    this.#options.tally.websockets = this.#all.size;
  }

  /** Those that are open and asked for; the worker's number stands in each. */
  list({ limit, ...wanted }: WebSocketQuery): WebSocketListing {
    const { worker, env } = this.#options;
    const sessions: WebSocketReport[] = [];
    const now = env.clock.now();
    let open = 0;
    for (const session of this.values()) {
      if (!isMeant(session, wanted)) continue;
      if (open++ < limit) sessions.push(tell(session, worker, now));
    }
    return { open, sessions };
  }

  /** Closes one; false where there is none of this id. */
  abort(id: string): boolean {
    const session = this.#all.get(id);
    if (session === undefined || session.proxy.state === "closed") return false;
    session.proxy.close(1000, "");
    return true;
  }

  /** Closes all, with a Close that their clients get if they listen; on which connections that is. */
  closeAll(): ReadonlySet<Session> {
    const told = new Set<Session>();
    for (const { transaction, proxy } of this.values()) {
      proxy.close(1001, "The proxy shuts down");
      told.add(transaction.session);
    }
    return told;
  }

  /** Moves one, or all of a backend, to other backends. */
  move(which: MovedSessions): Moves {
    const meant = "id" in which
      ? [this.#all.get(which.id)].filter((one) => one !== undefined)
      : [...this.values()].filter(({ backendId }) =>
        backendId === which.backend
      );
    const open = meant.filter(({ proxy }) => proxy.state !== "closed");
    return {
      sessions: open.length,
      moving: open.filter((session) => this.#leave(session)).length,
    };
  }

  /** Another config is the current one: looks at each as `moveOrphan` does. */
  moveOrphans(): void {
    for (const session of this.values()) this.moveOrphan(session);
  }

  /**
   * A session whose backend is gone, or is to be left, goes to another one.
   * Nothing happens where it is on its way already: it is looked at again when it
   * has settled.
   */
  moveOrphan(
    { cluster: name, backend: { backendId, url, dialer }, proxy }:
      WebSocketSession,
  ): void {
    const cluster = this.#options.current().cluster(name);
    // A dialer's connection lives on whatever becomes of the dialer.
    if (cluster === undefined || dialer !== undefined) return;
    const backend = cluster.find(backendId);
    // Another one may have its id.
    if (backend === undefined || backend.url.href !== url) {
      proxy.move("drain", { must: true });
    } else if (isLeft(backend.health.state)) {
      proxy.move("drain", { must: false });
    }
  }

  /** A dialer knows this backend no longer: its sessions go to another one. */
  leaveDeleted(cluster: string, backendId: string): void {
    for (const session of this.values()) {
      const { backend: { dialer }, proxy } = session;
      if (session.cluster === cluster && dialer !== undefined) {
        proxy.leaveDeleted(backendId);
      }
    }
  }

  /** A backend that is drained is left; one that may be back is tried by who waits for any. */
  backendChanged({ cluster, backend, kind, to }: BackendEvent): void {
    for (const session of this.values()) {
      if (session.cluster !== cluster) continue;
      const { backendId, proxy } = session;
      if (backend === backendId && kind === "admin" && isLeft(to)) {
        proxy.move("drain", { must: false });
      } else proxy.retry();
    }
  }

  /** Whether it is on its way to another backend. */
  #leave({ cluster: name, backend, proxy }: WebSocketSession): boolean {
    const cluster = this.#options.current().cluster(name);
    if (cluster === undefined) return false;
    const { dialer, backendId } = backend;
    // Who else there is only the dialer knows.
    const elsewhere = dialer !== undefined || cluster.servesWithout(backendId);
    if (proxy.state === "open" && !elsewhere) return false;
    if (!proxy.move("admin", { must: false })) proxy.retry();
    return true;
  }
}

/** Whether an operator wants live sessions to leave a backend of this state. */
function isLeft(state: string): boolean {
  return state === "drain" || state === "maintenance";
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
