/**
 * A WebSocket session as listings, operators and plugins know it.
 *
 * @module
 */
import { asProxyError } from "../errors.ts";
import type {
  BackendConnection,
  ProxySession as ProxySessionFacts,
  SessionListener,
} from "../plugin.ts";
import type { Dialled, MessageSizes } from "../websocket/backend_side.ts";
import type { ProxySession } from "../websocket/proxy_session.ts";
import type { MoveReason } from "../websocket/session_owner.ts";
import type { Transaction } from "./transaction.ts";
import { type Gates, gatherValves } from "./valves.ts";
import type { BoundDialer, WebSocketParts } from "./websocket_parts.ts";
import { FrontendView, ProxySessionView } from "./websocket_views.ts";

/** A backend of a session, whoever dialled it. */
export interface SessionBackend extends Dialled {
  /** Who dialled it; undefined where Headrace did. */
  readonly dialer: BoundDialer | undefined;
  /** Its backend's URL; undefined where only the dialer knows. */
  readonly url: string | undefined;
  /** What plugins see of it. */
  view(session: WebSocketSession): BackendConnection;
}

/** One session, in the plane's list while it lives. */
export class WebSocketSession {
  readonly transaction: Transaction;
  /** The cluster's name. */
  readonly cluster: string;
  /** The target of its handshake. */
  readonly uri: string;
  /** When it came to its backend, by the clock's monotonic time. */
  movedAt: number;
  /** Where its client came in, as operators and metrics know it. */
  readonly frontendId: string;
  readonly #startedAt: number;
  readonly #parts: WebSocketParts;
  #backend: SessionBackend;
  #session: ProxySession | undefined;
  #started = false;
  /** What is to be said where it was ended before its start. */
  #close: readonly [code: number, reason: string] | undefined;
  #frontend: FrontendView | undefined;
  /** What listeners were told of, and not yet that it is over. */
  #created: ProxySessionView | undefined;

  constructor(transaction: Transaction, backend: SessionBackend) {
    this.transaction = transaction;
    this.cluster = transaction.cluster!;
    this.uri = transaction.request!.target;
    const { frontend, listener, env } = transaction.session;
    this.frontendId = frontend?.id ?? listener;
    this.movedAt = this.#startedAt = env.clock.now();
    this.#backend = backend;
    this.#parts = transaction.listener.websocketOf(transaction.product!.name);
  }

  /**
   * It is about to begin: asks plugins for valves, then tells listeners. Where a
   * plugin fails whose failures refuse, the session ends as soon as it runs.
   */
  begin(): Gates {
    const { providers, listeners } = this.#parts;
    if (providers.length === 0 && listeners.length === 0) return NO_GATES;
    const view = this.#view();
    let gates: Gates;
    try {
      gates = gatherValves(providers, view, {
        providerFailed: (plugin, thrown) =>
          this.#partFailed(plugin, "addValves", thrown),
        valveFailed: (plugin, point, thrown, first) =>
          this.#partFailed(plugin, point, thrown, first),
      });
    } catch (thrown) {
      this.transaction.fail(asProxyError(thrown));
      this.close(1011, "A plugin failed");
      return CLOSED_GATES;
    }
    this.#tellCreated(view);
    return this.#close === undefined ? gates : CLOSED_GATES;
  }

  /** Begins to read on both sides; `opened` tells the plane, before anything is read. */
  run(session: ProxySession, opened: () => void): void {
    this.#session = session;
    this.#count(1);
    opened();
    session.start();
    this.#started = true;
    if (this.#close !== undefined) session.close(...this.#close);
  }

  /** For plugins: ends it, not within their call; the client gets a Close, its backend too. */
  close(code: number, reason: string): void {
    if (!this.#started) this.#close ??= [code, reason];
    else queueMicrotask(() => this.proxy.close(code, reason));
  }

  /** For plugins: goes on with another backend, where it is on this one and another can be had. */
  leave(backend: SessionBackend): void {
    queueMicrotask(() => {
      if (!this.#started || backend !== this.#backend) return;
      this.proxy.move("admin", { must: false });
    });
  }

  /** It is over. */
  end(): void {
    this.#count(-1);
    this.#tellTerminated();
  }

  /** It came to another backend. */
  moved(to: SessionBackend, reason: MoveReason): void {
    const { metrics, log, clock } = this.transaction.session.env;
    this.#tellTerminated();
    this.#count(-1);
    const from = this.backendId;
    this.#backend = to;
    this.#count(1);
    this.movedAt = clock.now();
    metrics.websocketFailovers.series(this.cluster, reason).add();
    log.debug("A WebSocket session came to another backend", {
      websocket: this.id,
      from,
      to: this.backendId,
      reason,
    });
    if (this.#parts.listeners.length > 0) this.#tellCreated(this.#view());
  }

  /** Its transaction's id. */
  get id(): string {
    return this.transaction.id;
  }

  /** When it began, by the clock's monotonic time. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** The backend that it is on, or was on last. */
  get backend(): SessionBackend {
    return this.#backend;
  }

  /** That backend's id. */
  get backendId(): string {
    return this.#backend.backendId;
  }

  /** What runs it. */
  get proxy(): ProxySession {
    return this.#session!;
  }

  /** What counts the messages to and from a backend. */
  messageSizes(backendId: string): MessageSizes {
    const { messageSize } = this.transaction.session.env.metrics;
    return {
      toBackend: messageSize.series("f2b", this.frontendId, backendId),
      fromBackend: messageSize.series("b2f", this.frontendId, backendId),
    };
  }

  /** What plugins see of it and of the backend that it is on. */
  #view(): ProxySessionView {
    this.#frontend ??= new FrontendView(this);
    return new ProxySessionView(
      this,
      this.#frontend,
      this.#backend.view(this),
    );
  }

  #tellCreated(view: ProxySessionView): void {
    this.#created = view;
    this.#tell("sessionCreated", view);
  }

  #tellTerminated(): void {
    const view = this.#created;
    if (view === undefined) return;
    this.#created = undefined;
    this.#tell("sessionTerminated", view);
  }

  #tell(event: keyof SessionListener, view: ProxySessionFacts): void {
    for (const { plugin, part } of this.#parts.listeners) {
      try {
        const told = part[event]?.(view);
        if (told instanceof Promise) {
          told.catch((thrown) => this.#partFailed(plugin, event, thrown));
        }
      } catch (thrown) {
        this.#partFailed(plugin, event, thrown);
      }
    }
  }

  /** Counts it and, but for what fails with each message, logs it. */
  #partFailed(
    plugin: string,
    point: string,
    thrown: unknown,
    logs = true,
  ): void {
    const { metrics, log } = this.transaction.session.env;
    metrics.handlerErrors.series(plugin, point).add();
    if (!logs) return;
    log.warn("A plugin failed in a WebSocket session", {
      plugin,
      point,
      websocket: this.id,
      error: asProxyError(thrown, "handler_error"),
    });
  }

  #count(by: 1 | -1): void {
    const { env: { metrics }, plane } = this.transaction.session;
    const labels = [this.cluster, this.backendId] as const;
    const series = metrics.websocketSessionsOpen.series(...labels);
    series.set(series.value + by);
    // The last one has left a backend that is gone.
    if (
      series.value === 0 &&
      plane.current.cluster(this.cluster)?.find(this.backendId) === undefined
    ) metrics.websocketSessionsOpen.delete(...labels);
    const ends = [this.frontendId, this.backendId] as const;
    metrics.activeSessions.series(...ends).add(by);
    if (by === 1) metrics.newSession.series(...ends).add();
  }
}

const NO_GATES: Gates = Object.freeze({
  transmit: undefined,
  receive: undefined,
});

/** Of a session that ends before it starts: what came with the handshake goes nowhere. */
const CLOSED_GATES: Gates = Object.freeze({
  transmit: () => null,
  receive: () => null,
});
