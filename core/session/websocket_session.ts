/**
 * A WebSocket session as listings and operators know it.
 *
 * @module
 */
import type { Backend } from "../connect/backend.ts";
import type { MoveReason, ProxySession } from "../websocket/proxy_session.ts";
import type { MessageSizes } from "../websocket/upstream.ts";
import type { Transaction } from "./transaction.ts";

/** One session, in the plane's list while it lives. */
export class WebSocketSession {
  readonly transaction: Transaction;
  /** The cluster's name. */
  readonly cluster: string;
  /** The target of its handshake. */
  readonly uri: string;
  /** When it came to its backend, by the clock's monotonic time. */
  movedAt: number;
  /** Where its client came in. */
  readonly #frontend: string;
  readonly #startedAt: number;
  #backendId: string;
  #session: ProxySession | undefined;

  constructor(transaction: Transaction, backend: Backend) {
    this.transaction = transaction;
    this.cluster = transaction.cluster!;
    this.uri = transaction.request!.target;
    this.#backendId = backend.id;
    const { frontend, listener, env } = transaction.session;
    this.#frontend = frontend?.id ?? listener;
    this.movedAt = this.#startedAt = env.clock.now();
  }

  /** It is about to start. */
  begin(session: ProxySession): void {
    this.#session = session;
    this.#count(1);
  }

  /** It is over. */
  end(): void {
    this.#count(-1);
  }

  /** It came to another backend. */
  moved(backendId: string, reason: MoveReason): void {
    const { metrics, log, clock } = this.transaction.session.env;
    this.#count(-1);
    const from = this.#backendId;
    this.#backendId = backendId;
    this.#count(1);
    this.movedAt = clock.now();
    metrics.websocketFailovers.series(this.cluster, reason).add();
    log.debug("A WebSocket session came to another backend", {
      websocket: this.id,
      from,
      to: backendId,
      reason,
    });
  }

  /** Its transaction's id. */
  get id(): string {
    return this.transaction.id;
  }

  /** When it began, by the clock's monotonic time. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** The id of the backend that it is on, or was on last. */
  get backendId(): string {
    return this.#backendId;
  }

  /** What runs it. */
  get proxy(): ProxySession {
    return this.#session!;
  }

  /** What counts the messages to and from a backend. */
  messageSizes(backendId: string): MessageSizes {
    const { messageSize } = this.transaction.session.env.metrics;
    return {
      toBackend: messageSize.series("f2b", this.#frontend, backendId),
      fromBackend: messageSize.series("b2f", this.#frontend, backendId),
    };
  }

  #count(by: 1 | -1): void {
    const { env: { metrics }, plane } = this.transaction.session;
    const labels = [this.cluster, this.#backendId] as const;
    const series = metrics.websocketSessionsOpen.series(...labels);
    series.set(series.value + by);
    // The last one has left a backend that is gone.
    if (
      series.value === 0 &&
      plane.current.cluster(this.cluster)?.find(this.#backendId) === undefined
    ) metrics.websocketSessionsOpen.delete(...labels);
    const ends = [this.#frontend, this.#backendId] as const;
    metrics.activeSessions.series(...ends).add(by);
    if (by === 1) metrics.newSession.series(...ends).add();
  }
}
