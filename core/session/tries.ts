/**
 * Which attempts of a transaction were made and which may follow.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import { BLACKHOLE, type Cluster, type Tried } from "../balance/cluster.ts";
import type { Backend } from "../connect/backend.ts";
import type { BackendConnection } from "../connect/backend_connection.ts";
import type { Preface } from "../connect/preface.ts";
import { ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import { BufferedBody } from "../message/buffered_body.ts";
import { ReplayableBody } from "../message/replayable_body.ts";
import { Attempt } from "./attempt.ts";
import type { Request } from "./request.ts";
import type { Transaction } from "./transaction.ts";
import type { Registered } from "./transforms.ts";

/** Attempts of one transaction that are remembered: the first and the latest. */
const MAX_KEPT = 64;

/** Methods that may be sent twice, whatever a config says (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
  "TRACE",
]);

/** A WebSocket session that looks for another backend. */
export interface Again {
  /** The id of the backend that is left and not to be asked; undefined where any will do. */
  readonly leaving: string | undefined;
  /** Messages that may come for the second time. */
  readonly replayed: number;
}

/** The attempts of one transaction. */
export class Tries {
  /** Undefined but for a session that lives already. */
  readonly again: Again | undefined;
  /** The request's body, kept to be sent again where that may come to it. */
  readonly body: BodyReader | null;
  /** A pooled connection was dead: the next one is new. */
  #fresh = false;
  readonly #transaction: Transaction;
  readonly #cluster: Cluster;
  #backend: Backend | undefined;
  /** The backend is the one that the client's cookie names. */
  #sticky = false;
  #tried: Tried & { readonly excluded: Set<Backend> } | undefined;
  #retries = 0;
  #crossed = 0;
  /** The attempt that was made last. */
  #latest: Attempt | undefined;
  #abandoned = false;
  /** How many transforms there were before the first attempt. */
  readonly #ownRequest: number;
  readonly #ownResponse: number;

  /** Throws `blackholed`. */
  constructor(transaction: Transaction, again?: Again) {
    const name = transaction.cluster!;
    this.#transaction = transaction;
    this.again = again;
    // A session outlives snapshots: a new backend is one of the current config's.
    this.#cluster =
      (again && transaction.session.plane.current.cluster(name)) ??
        transaction.snapshot.cluster(name)!;
    this.#cluster.life.budget.request(transaction.begunAt);
    this.body = this.#keepBody();
    this.#ownRequest = transaction.requestTransforms?.length ?? 0;
    this.#ownResponse = transaction.responseTransforms?.length ?? 0;
    this.#leave(again?.leaving);
    this.#backend = this.#stickyBackend() ?? this.#pick();
  }

  /** What an attempt's handlers registered is for that attempt: the next one's do so again. */
  forgetTransforms(): void {
    const transaction = this.#transaction;
    const { requestTransforms: request, responseTransforms: response } =
      transaction;
    if (request !== undefined) {
      transaction.requestTransforms = firstOf(request, this.#ownRequest);
    }
    if (response !== undefined) {
      transaction.responseTransforms = firstOf(response, this.#ownResponse);
    }
  }

  /** Excludes a backend that is left. */
  #leave(id: string | undefined): void {
    const backend = id === undefined ? undefined : this.#cluster.find(id);
    if (backend !== undefined) this.#exclude(backend);
  }

  /** The next attempt; the first one throws `no_backend` where there is none. */
  next(): Attempt {
    let backend = this.#backend;
    let permit = backend?.takeSlot();
    while (backend !== undefined && permit === undefined && backend.hasSlot) {
      // Another attempt tries whether it is well again.
      this.#exclude(backend);
      backend = this.#pick();
      permit = backend?.takeSlot();
    }
    if (backend === undefined) {
      throw new ProxyError(
        "no_backend",
        `The cluster "${this.#cluster.name}" has no backend to try`,
      );
    }
    const { attempts } = this.#transaction;
    const attempt = new Attempt(
      (attempts.at(-1)?.number ?? 0) + 1,
      this.#cluster,
      backend,
      permit,
      this.#requestOfAttempt(),
      this.again !== undefined,
    );
    attempt.pinned = this.#sticky;
    this.#latest = attempt;
    attempts.push(attempt);
    // A session that lives for weeks must not keep every dial.
    if (attempts.length > MAX_KEPT) attempts.splice(1, 1);
    return attempt;
  }

  /** Nobody wants a response any more: ends the attempt that is made, and none follows. */
  abandon(): void {
    this.#abandoned = true;
    this.#latest?.close();
  }

  /** Waits in the cluster's queue for a slot. Throws or rejects with a ProxyError. */
  waitForSlot(attempt: Attempt): Promise<void> {
    const { life, queue } = this.#cluster;
    const tried = this.#tried;
    const { backend, pinned } = attempt;
    const waiting = life.queue.wait(
      (free) => pinned ? free === backend : this.#cluster.mayServe(free, tried),
      queue,
    );
    if (this.again === undefined) this.#transaction.exchange.watch();
    return attempt.wait(waiting);
  }

  /** Whether another attempt is safe and left after a failure, which is then the next. */
  afterFailure(attempt: Attempt, error: ProxyError): boolean {
    if (this.#transaction.gone !== undefined || this.#abandoned) return false;
    const { retries } = this.#cluster;
    const { method } = attempt.request;
    // Where nobody heard of the request, it may be sent whatever it wants.
    const unheard = error.retry === "always" ||
      (error.retry === "if-reused" && attempt.connection?.untouched === true);
    if (
      this.#isStale(attempt, error) && (unheard || this.#isRepeatable(attempt))
    ) {
      this.#fresh = true;
      this.#backend = attempt.backend;
      return true;
    }
    // Each backend may be asked for a WebSocket once: nobody has begun to work.
    if (this.#transaction.websocket !== undefined) {
      return error.side === "backend" &&
        this.#elsewhere(attempt, { budgeted: false });
    }
    if (!retries.followsFailure(error)) return false;
    if (!unheard && !this.#isRepeatable(attempt, retries.mayRepeat(method))) {
      return false;
    }
    return this.#elsewhere(attempt, { budgeted: !unheard });
  }

  /**
   * Drops the response for a handler's `retry` where another attempt can follow,
   * which is then the next; false, and counted, where it can't.
   */
  afterVerdict(attempt: Attempt): boolean {
    if (this.#afterResponse(attempt, IDEMPOTENT.has(attempt.request.method))) {
      return true;
    }
    this.#transaction.session.plane.refuseRetry(attempt.backend);
    return false;
  }

  /** Drops a response that the cluster's retries name where another attempt can follow, which is then the next. */
  afterStatus(attempt: Attempt): boolean {
    const { retries } = this.#cluster;
    return retries.followsStatus(attempt.status) &&
      this.#afterResponse(attempt, retries.mayRepeat(attempt.request.method));
  }

  /** An idle connection for the attempt, where one may be used. */
  takePooled(
    { backend, addresses }: Attempt,
    preface: Preface | undefined,
  ): BackendConnection | undefined {
    return this.#fresh ? undefined : backend.takePooled(addresses, preface);
  }

  #afterResponse(attempt: Attempt, safe: boolean): boolean {
    if (
      this.#abandoned || attempt.status === 101 ||
      !this.#isRepeatable(attempt, safe) ||
      !this.#elsewhere(attempt, { budgeted: true })
    ) return false;
    attempt.close();
    attempt.backend.attempts.failed.add(1);
    return true;
  }

  /** The backend may have closed the pooled connection just before: a new one decides. */
  #isStale(attempt: Attempt, error: ProxyError): boolean {
    return error.retry === "if-reused" && attempt.facts?.reused === true &&
      !attempt.connection!.answered && !this.#fresh;
  }

  /**
   * Whether a backend is left to try after this one. An attempt that no backend
   * heard of made nobody work: it takes nothing of the budget.
   */
  #elsewhere(
    attempt: Attempt,
    { budgeted }: { readonly budgeted: boolean },
  ): boolean {
    const { retries, life } = this.#cluster;
    const websocket = this.#transaction.websocket !== undefined;
    if (!websocket && this.#retries >= retries.max) return false;
    this.#exclude(attempt.backend);
    const next = this.#pick();
    if (next === undefined) return false;
    const now = this.#transaction.session.env.clock.now();
    if (budgeted && !life.budget.take(now, retries.budget)) return false;
    if (next.subcluster !== this.#tried!.subcluster) this.#crossed++;
    this.#retries++;
    this.#backend = next;
    this.#sticky = false;
    this.#fresh = false;
    return true;
  }

  #exclude(backend: Backend): void {
    const excluded = this.#tried?.excluded ?? new Set();
    excluded.add(backend);
    this.#tried = {
      excluded,
      subcluster: this.#tried?.subcluster ?? backend.subcluster,
      mayCross: this.#transaction.websocket !== undefined ||
        this.#crossed < this.#cluster.retries.crossSubcluster,
    };
  }

  /** Throws `blackholed`. */
  #pick(): Backend | undefined {
    const picked = this.#cluster.pick(this.#transaction, this.#tried);
    if (picked !== BLACKHOLE) return picked;
    throw new ProxyError(
      "blackholed",
      `The cluster "${this.#cluster.name}" answers a share of requests so on purpose`,
    );
  }

  /** The backend that the client's cookie names, unless it can't serve now. */
  #stickyBackend(): Backend | undefined {
    const backend = this.#cluster.stickyFor(this.#transaction);
    if (backend === undefined || this.#tried?.excluded.has(backend)) {
      return undefined;
    }
    this.#sticky = true;
    return backend;
  }

  /** Whether the request can be sent again: what was read of a body is kept, and its method is safe to repeat. */
  #isRepeatable(
    { request }: Attempt,
    safe = IDEMPOTENT.has(request.method),
  ): boolean {
    const { body } = this;
    // A stream has been read: only what makes a new one can do so again.
    const once =
      this.#transaction.requestTransforms?.some(({ transform }) =>
        typeof transform !== "function"
      ) === true;
    if (once && body !== null) return false;
    return safe && (body === null ||
      (isRewindable(body) && body.replayable));
  }

  #keepBody(): BodyReader | null {
    const { buffered, exchange, head, request } = this.#transaction;
    if (buffered !== undefined) return buffered;
    const { body } = exchange;
    const { retries } = this.#cluster;
    if (
      body === null || retries.max === 0 ||
      head!.bodyLength > retries.bufferBytes ||
      !retries.mayRepeat(request!.method)
    ) return body;
    return new ReplayableBody(body, retries.bufferBytes);
  }

  /** Has the body read from its start; the attempt before must not read it any more. */
  rewind(): void {
    if (this.body !== null && isRewindable(this.body)) this.body.rewind();
  }

  /** Each attempt has its own copy, where handlers could change it. */
  #requestOfAttempt(): Request {
    const transaction = this.#transaction;
    const request = transaction.caching?.request ?? transaction.request!;
    return transaction.fires(POINT.forward) ||
        transaction.fires(POINT.resolve) ||
        transaction.fires(POINT.sendRequestHeader) ||
        transaction.fires(POINT.readResponseHeader)
      ? request.copy()
      : request;
  }
}

/** The first of them, undefined for none. */
function firstOf(
  transforms: Registered[],
  count: number,
): Registered[] | undefined {
  return count === 0 ? undefined : transforms.slice(0, count);
}

function isRewindable(
  body: BodyReader,
): body is ReplayableBody | BufferedBody {
  return body instanceof ReplayableBody || body instanceof BufferedBody;
}
