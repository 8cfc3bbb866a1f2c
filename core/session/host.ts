/**
 * What sessions need of the data plane that they live in.
 *
 * @module
 */
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { Backend } from "../connect/backend.ts";
import type { PlaneEnv } from "./env.ts";
import type { Session } from "./session.ts";
import type { WebSocketSession } from "./websocket_session.ts";
import type { TraceRequest } from "./trace_request.ts";
import type { TransactionTrace } from "./transaction_trace.ts";
import type { Transaction } from "./transaction.ts";

/** Keeps traces of transactions. */
export interface TraceKeeper {
  /** Begins one; undefined where whoever asks may not have it. */
  begin(
    transaction: Transaction,
    request: TraceRequest,
  ): TransactionTrace | undefined;
}

/** A data plane as its sessions see it. */
export interface SessionHost {
  readonly env: PlaneEnv;
  /** What a transaction that starts now goes by. */
  readonly current: Snapshot;
  /** What clients may have told of their requests. */
  readonly traces: TraceKeeper;
  /** No connection is kept for another request. */
  readonly draining: boolean;
  /** A session is there, to be listed and drained. */
  opened(session: Session): void;
  /** It is over. */
  ended(session: Session): void;
  /** A WebSocket session is there, to be listed and moved. */
  websocketOpened(session: WebSocketSession): void;
  /** It has come to another backend and may be moved again. */
  websocketSettled(session: WebSocketSession): void;
  /** It is over. */
  websocketEnded(session: WebSocketSession): void;
  /** A transaction is over: counts it. */
  count(transaction: Transaction): void;
  /** A handler's `retry` of this backend's response could not be followed: counts it. */
  refuseRetry(backend: Backend): void;
  /**
   * Has the cache fetch anew what this transaction's client was given stale;
   * `ended` is called when that is over. Left aside where `may` comes to false.
   */
  refresh(
    transaction: Transaction,
    ended: () => void,
    may?: Promise<boolean>,
  ): void;
  /** Handlers are at work that delay nobody: only the plane's end waits for them. */
  outlives(work: Promise<unknown>): void;
}
