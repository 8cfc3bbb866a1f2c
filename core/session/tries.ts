/**
 * Which attempts of a transaction were made and which may follow.
 *
 * @module
 */
import type { Cluster } from "../balance/cluster.ts";
import type { Backend } from "../connect/backend.ts";
import type { BackendConnection } from "../connect/backend_connection.ts";
import type { Preface } from "../connect/preface.ts";
import { ProxyError } from "../errors.ts";
import { Attempt } from "./attempt.ts";
import type { Request } from "./request.ts";
import type { Transaction } from "./transaction.ts";

/** Attempts on another backend after the first: design.md §4's `retries` may come to say more. */
const MAX_RETRIES = 1;

/** Methods that may be sent twice (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
  "TRACE",
]);

/** The attempts of one transaction. */
export class Tries {
  /** A pooled connection was dead: the next one is new. */
  #fresh = false;
  readonly #transaction: Transaction;
  readonly #cluster: Cluster;
  #backend: Backend | undefined;
  #excluded: Set<Backend> | undefined;
  #retries = 0;

  constructor(transaction: Transaction) {
    this.#transaction = transaction;
    this.#cluster = transaction.snapshot.cluster(transaction.cluster!)!;
    this.#backend = this.#cluster.pick(undefined);
  }

  /** The next attempt; the first one throws `no_backend` where there is none. */
  next(): Attempt {
    let backend = this.#backend;
    let permit = backend?.health.begin();
    while (backend !== undefined && permit === undefined) {
      // Another worker's attempt tries whether it is well again.
      (this.#excluded ??= new Set()).add(backend);
      backend = this.#cluster.pick(this.#excluded);
      permit = backend?.health.begin();
    }
    if (backend === undefined || permit === undefined) {
      throw new ProxyError(
        "no_backend",
        `The cluster "${this.#cluster.name}" has no backend to try`,
      );
    }
    const { attempts } = this.#transaction;
    const attempt = new Attempt(
      attempts.length + 1,
      this.#cluster,
      backend,
      permit,
      this.#requestOfAttempt(),
    );
    attempts.push(attempt);
    return attempt;
  }

  /** Whether another attempt is safe and left after a failure, which is then the next. */
  afterFailure(attempt: Attempt, error: ProxyError): boolean {
    if (this.#transaction.gone !== undefined) return false;
    if (error.retry === "always") return this.#elsewhere(attempt);
    const { connection } = attempt;
    // The backend may have closed the pooled connection just before; a new one
    // decides. Not where it may have begun to work on something unsafe.
    if (
      error.retry === "never" || connection === undefined ||
      !attempt.facts!.reused || connection.answered || this.#fresh ||
      !this.#isReplayable(attempt)
    ) return false;
    this.#fresh = true;
    this.#backend = attempt.backend;
    return true;
  }

  /**
   * Drops the response for a handler's `retry` where another attempt can follow,
   * which is then the next; false, and counted, where it can't.
   */
  afterVerdict(attempt: Attempt): boolean {
    if (
      attempt.status === 101 || !this.#isReplayable(attempt) ||
      !this.#elsewhere(attempt)
    ) {
      this.#transaction.session.plane.refuseRetry(attempt.backend);
      return false;
    }
    attempt.close();
    attempt.backend.attempts.failed.add(1);
    return true;
  }

  /** An idle connection for the attempt, where one may be used. */
  takePooled(
    { backend, addresses }: Attempt,
    preface: Preface | undefined,
  ): BackendConnection | undefined {
    return this.#fresh ? undefined : backend.takePooled(addresses, preface);
  }

  /** Whether a backend is left to try after this one. */
  #elsewhere(attempt: Attempt): boolean {
    if (this.#retries === MAX_RETRIES) return false;
    (this.#excluded ??= new Set()).add(attempt.backend);
    this.#backend = this.#cluster.pick(this.#excluded);
    if (this.#backend === undefined) return false;
    this.#retries++;
    return true;
  }

  /** Whether the request can be sent again: nothing of a body was read, and its method is safe to repeat. */
  #isReplayable({ request }: Attempt): boolean {
    return this.#transaction.exchange.body === null &&
      IDEMPOTENT.has(request.method);
  }

  /** Each attempt has its own copy, where handlers could change it. */
  #requestOfAttempt(): Request {
    const transaction = this.#transaction;
    const request = transaction.request!;
    return transaction.fires("forward") || transaction.fires("resolve") ||
        transaction.fires("sendRequestHeader") ||
        transaction.fires("readResponseHeader")
      ? request.copy()
      : request;
  }
}
