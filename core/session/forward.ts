/**
 * From a cluster to a response's head: attempts, points 12 to 15.
 *
 * @module
 */
import type { Cluster } from "../balance/cluster.ts";
import type { Backend } from "../connect/backend.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { ResponseHead } from "../message/head.ts";
import type { Verdict } from "../verdict.ts";
import { Attempt } from "./attempt.ts";
import { outgoingRequest } from "./outgoing_request.ts";
import type { Request } from "./request.ts";
import { hasBody, Response } from "./response.ts";
import type { Outcome, Transaction } from "./transaction.ts";

/** Attempts after the first: one on another backend where the first can't be connected to. */
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

/** Asks backends until one answers. Rejects with the last attempt's ProxyError. */
export async function forward(transaction: Transaction): Promise<Outcome> {
  const cluster = transaction.snapshot.cluster(transaction.cluster!)!;
  const tries = new Tries(transaction, cluster);
  for (;;) {
    transaction.move("forward");
    const attempt = tries.next();
    try {
      const outcome = await makeAttempt(transaction, attempt, tries);
      if (outcome !== "retry") return outcome;
      tries.exclude(attempt.backend);
    } catch (thrown) {
      const error = failAttempt(transaction, attempt, thrown);
      await stopUpload(transaction, attempt);
      if (!tries.mayFollow(attempt, error)) throw error;
    }
  }
}

/** Which attempts were made and which may follow. */
class Tries {
  readonly #transaction: Transaction;
  readonly #cluster: Cluster;
  #excluded: Set<Backend> | undefined;
  #retries = 0;
  /** A pooled connection was dead: the next one is new. */
  fresh = false;

  constructor(transaction: Transaction, cluster: Cluster) {
    this.#transaction = transaction;
    this.#cluster = cluster;
  }

  /** The next attempt, on a backend that has not failed. Throws `no_backend`. */
  next(): Attempt {
    const { attempts } = this.#transaction;
    const backend = this.#cluster.pick(this.#excluded);
    if (backend === undefined) {
      throw new ProxyError(
        "no_backend",
        `The cluster "${this.#cluster.name}" has no backend to try`,
      );
    }
    const attempt = new Attempt(attempts.length + 1, this.#cluster, backend);
    attempts.push(attempt);
    return attempt;
  }

  exclude(backend: Backend): void {
    (this.#excluded ??= new Set()).add(backend);
  }

  /** Whether another attempt is safe and left after this failure; notes what it must avoid. */
  mayFollow(attempt: Attempt, error: ProxyError): boolean {
    if (this.#transaction.gone !== undefined) return false;
    if (error.retry === "always") {
      this.exclude(attempt.backend);
      return this.#retries++ < MAX_RETRIES && this.anyLeft;
    }
    if (error.retry !== "if-reused") return false;
    const { connection } = attempt;
    // The backend may have closed the pooled connection just before; a new one
    // decides. Not where it may have begun to work on something unsafe.
    if (
      connection === undefined || !connection.facts.reused ||
      connection.answered || this.fresh || !this.replayable
    ) return false;
    this.fresh = true;
    return true;
  }

  /** Whether a backend is left that was not excluded. */
  get anyLeft(): boolean {
    return this.#cluster.backends.some(({ backend, weight }) =>
      weight > 0 && this.#excluded?.has(backend) !== true
    );
  }

  /** Whether the request can be sent again: nothing of its body was read, and its method is safe to repeat. */
  get replayable(): boolean {
    const { request, exchange } = this.#transaction;
    return exchange.body === null && IDEMPOTENT.has(request!.method);
  }

  /** Whether a handler's `retry` can be followed. */
  get mayRetry(): boolean {
    return this.replayable && this.#retries < MAX_RETRIES && this.anyLeft;
  }

  countRetry(): void {
    this.#retries++;
  }
}

/** One attempt: a reply, or "retry" where a handler wants and may have another one. */
async function makeAttempt(
  transaction: Transaction,
  attempt: Attempt,
  tries: Tries,
): Promise<Outcome | "retry"> {
  const request = requestOfAttempt(transaction);

  let verdict = fire(transaction, "forward", request, attempt);
  if (verdict instanceof Promise) verdict = await verdict;
  if (verdict !== undefined) return answered(transaction, verdict);
  attempt.fix();

  transaction.move("resolve");
  const { backend } = attempt;
  const resolved = backend.resolve();
  attempt.addresses = resolved instanceof Promise ? await resolved : resolved;
  verdict = fire(transaction, "resolve", request, attempt);
  if (verdict instanceof Promise) verdict = await verdict;
  if (verdict !== undefined) return answered(transaction, verdict);

  transaction.move("connect");
  const pooled = tries.fresh
    ? undefined
    : backend.takePooled(attempt.addresses);
  const connection = pooled ?? await backend.connect(attempt.addresses);
  attempt.connection = connection;
  transaction.connectedAt = transaction.elapsed();
  if (transaction.gone !== undefined) throw transaction.gone;
  verdict = fire(transaction, "sendRequestHeader", request, attempt);
  if (verdict instanceof Promise) verdict = await verdict;
  if (verdict !== undefined) {
    connection.release();
    return answered(transaction, verdict);
  }

  const sent = transaction.elapsed();
  await connection.send(
    outgoingRequest(transaction, request, attempt),
    transaction.exchange.body,
  );
  transaction.exchange.watch();
  return await awaitResponse(transaction, attempt, request, tries, sent);
}

/** Waits for the final response, passing interim ones on. */
async function awaitResponse(
  transaction: Transaction,
  attempt: Attempt,
  request: Request,
  tries: Tries,
  sent: number,
): Promise<Outcome | "retry"> {
  const connection = attempt.connection!;
  const { config } = attempt.cluster;
  const rule = transaction.rule?.config;
  const timeout =
    (rule?.cluster === undefined ? undefined : rule.timeouts.response) ??
      config.timeouts.response;
  for (;;) {
    transaction.move("wait");
    const head = await connection.readHead(timeout);
    checkSwitch(transaction, head);
    attempt.status = head.status;
    const response = new Response({
      status: head.status,
      reason: head.reason,
      fields: head.fields,
      from: "backend",
      bodyLength: saidLength(head, transaction.head!.method),
      method: transaction.head!.method,
    });
    const fired = transaction.fire(
      "readResponseHeader",
      request,
      response,
      attempt.view,
    );
    const verdict = fired instanceof Promise ? await fired : fired;
    if (verdict?.kind === "retry") {
      if (head.status !== 101 && tries.mayRetry) {
        tries.countRetry();
        dropConnection(attempt);
        attempt.backend.attempts.failed.add(1);
        return "retry";
      }
      transaction.session.plane.refuseRetry();
    } else if (verdict !== undefined) {
      dropConnection(attempt);
      return answered(transaction, verdict);
    }
    if (head.status < 200 && head.status !== 101) {
      if (transaction.exchange.takesInterim) {
        await transaction.exchange.sendInterim(response);
      }
      continue;
    }
    const now = transaction.elapsed();
    transaction.responseHeadAt = now;
    attempt.backend.attempts.ok.add(1);
    attempt.backend.responseTime.observe((now - sent) / 1000);
    return {
      response,
      body: response.hasBody ? connection.body(config.timeouts.read) : null,
      close: false,
      attempt,
    };
  }
}

/** The length to say: the body's or, where none follows, what the body would have had (RFC 9110 §8.6). */
function saidLength(head: ResponseHead, method: string): number | undefined {
  if (hasBody(method, head.status)) return head.bodyLength;
  const said = head.status === 304 || head.status >= 200 && method === "HEAD"
    ? head.fields.first("content-length")
    : undefined;
  return said === undefined ? undefined : Number(said);
}

/** A backend may switch only to what the client asked for (RFC 9110 §15.2.2). */
function checkSwitch(transaction: Transaction, head: ResponseHead): void {
  if (head.status !== 101) return;
  const wanted = transaction.head!.upgrade;
  const got = head.fields.first("upgrade")?.toLowerCase();
  if (wanted === undefined || got !== wanted) {
    throw new ProxyError(
      "bad_response",
      `The backend switched to ${got ?? "nothing"}, asked for was ${
        wanted ?? "nothing"
      }`,
    );
  }
}

/**
 * Ends sending the request's body once its backend's connection is released or
 * closed: nobody wants the rest (RFC 9112 §9.3), and the exchange may read it.
 */
export async function stopUpload(
  transaction: Transaction,
  attempt: Attempt,
): Promise<void> {
  const upload = attempt.connection?.upload;
  if (upload === undefined || upload === null) return;
  transaction.exchange.body?.cancel();
  await upload;
}

function failAttempt(
  transaction: Transaction,
  attempt: Attempt,
  thrown: unknown,
): ProxyError {
  // A broken upload explains a broken connection, not the other way round.
  const upload = attempt.connection?.uploadError;
  const error = upload?.side === "client" ? upload : asProxyError(thrown);
  attempt.error = error;
  attempt.connection?.close();
  if (error.side === "backend") attempt.backend.attempts.failed.add(1);
  return transaction.gone ?? error;
}

function dropConnection(attempt: Attempt): void {
  attempt.connection?.close();
}

function answered(transaction: Transaction, verdict: Verdict): Outcome {
  // The table allows no verdict at these points that has no outcome.
  return transaction.replyOf(verdict) ?? "close";
}

function fire(
  transaction: Transaction,
  point: "forward" | "resolve" | "sendRequestHeader",
  request: Request,
  attempt: Attempt,
): Verdict | undefined | Promise<Verdict | undefined> {
  return transaction.fires(point)
    ? transaction.fire(point, request, attempt.view)
    : undefined;
}

/** Each attempt has its own copy, where handlers could change it. */
function requestOfAttempt(transaction: Transaction): Request {
  const request = transaction.request!;
  return transaction.fires("forward") || transaction.fires("resolve") ||
      transaction.fires("sendRequestHeader") ||
      transaction.fires("readResponseHeader")
    ? request.copy()
    : request;
}
