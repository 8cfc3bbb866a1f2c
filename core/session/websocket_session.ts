/**
 * A WebSocket session as listings and operators know it.
 *
 * @module
 */
import type { Backend } from "../connect/backend.ts";
import type { MoveReason, ProxySession } from "../websocket/proxy_session.ts";
import type { Transaction } from "./transaction.ts";

/** One session, in the plane's list while it lives. */
export class WebSocketSession {
  readonly transaction: Transaction;
  /** The cluster's name. */
  readonly cluster: string;
  /** The target of its handshake. */
  readonly uri: string;
  #backendId: string;
  #session: ProxySession | undefined;

  constructor(transaction: Transaction, backend: Backend) {
    this.transaction = transaction;
    this.cluster = transaction.cluster!;
    this.uri = transaction.request!.target;
    this.#backendId = backend.id;
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
    const { metrics, log } = this.transaction.session.env;
    this.#count(-1);
    const from = this.#backendId;
    this.#backendId = backendId;
    this.#count(1);
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

  /** The id of the backend that it is on, or was on last. */
  get backendId(): string {
    return this.#backendId;
  }

  /** What runs it. */
  get proxy(): ProxySession {
    return this.#session!;
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
  }
}
