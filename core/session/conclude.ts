/**
 * The end of a transaction, whatever happened before: points 18 and 19, and
 * everything that it holds is let go.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { Verdict } from "../verdict.ts";
import type { Lasting } from "./exchange.ts";
import { STATES } from "./states.ts";
import type { Transaction } from "./transaction.ts";

/** What an exchange is aborted with where a verdict closes it. */
const CLOSED = new ProxyError("client_closed", "A handler closed it");

/** Nothing (more) is sent: the connection ends with it. */
export function breakOff(transaction: Transaction): void {
  transaction.brokenOff = true;
  transaction.exchange.abort(transaction.error ?? CLOSED);
}

/** Concludes it, once the response is out or given up; a promise only for an async handler at requestFinish. Never rejects. */
export function conclude(transaction: Transaction): void | Promise<void> {
  const { exchange, attempts } = transaction;
  transaction.finishedAt = transaction.elapsed();
  transaction.bytesIn = exchange.bytesIn;
  transaction.bytesOut = exchange.bytesOut;
  transaction.move(STATES.finished);
  const fired = transaction.fire(
    POINT.requestFinish,
    transaction.request,
    transaction.response,
  );
  if (!(fired instanceof Promise)) return close(transaction, fired);
  // Nobody else should wait for the backend's connection.
  attempts.at(-1)?.keepViews();
  attempts.at(-1)?.release();
  return fired.then((verdict) => close(transaction, verdict));
}

function close(transaction: Transaction, verdict: Verdict | undefined): void {
  const { session, exchange } = transaction;
  if (verdict?.kind === "finish") session.closeAfter();
  exchange.owner = undefined;
  transaction.buffered?.dispose();
  transaction.caching?.over();
  transaction.move(STATES.closed);
  const { error } = transaction;
  session.error = transaction.brokenOff || error?.side === "client"
    ? error
    : undefined;
  session.plane.count(transaction);
  const closing = transaction.fireOwn(POINT.transactionClose);
  const { head, response, snapshot, trace } = transaction;
  if (closing instanceof Promise) {
    // It delays nothing: the next request takes the bytes behind these heads.
    head?.fields.keep();
    response?.fields.keep();
    session.plane.outlives(
      closing.then(() => {
        snapshot.release();
        trace?.end();
      }),
    );
  } else {
    trace?.end();
    response?.fields.release();
    snapshot.release();
    if (transaction.specimen !== undefined && transaction.isLight) {
      session.env.specimens.keep(session, transaction);
    }
  }
  transaction.attempts.at(-1)?.release();
}

/** A transaction that is a tunnel now. */
export class LastingTransaction implements Lasting {
  readonly #transaction: Transaction;
  readonly #tunnel: Lasting;

  constructor(transaction: Transaction, tunnel: Lasting) {
    this.#transaction = transaction;
    this.#tunnel = tunnel;
  }

  get over(): Promise<unknown> {
    return this.#tunnel.over;
  }

  /** Never rejects. */
  end(): void | Promise<void> {
    const transaction = this.#transaction;
    try {
      this.#tunnel.end();
    } catch (thrown) {
      transaction.fail(asProxyError(thrown));
      breakOff(transaction);
    }
    return conclude(transaction);
  }
}
