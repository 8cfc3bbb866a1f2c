/**
 * Writes down what happens to one transaction, for whoever asked by
 * X-Headrace-Explain. Transactions without one pay a comparison a step.
 *
 * @module
 */
import { CALLBACK_POINTS, POINT } from "../callback_points.ts";
import type { ProxyError } from "../errors.ts";
import { formatHost } from "../net/address.ts";
import type { SocketAddress } from "../plugin.ts";
import type { Attempt } from "./attempt.ts";
import { kindOf, type RunEnded } from "./handler_runs.ts";
import type { BoundHandler } from "./handlers.ts";
import type { Response } from "./response.ts";
import type { State } from "./states.ts";
import type {
  TracedAttempt,
  TracedError,
  TracedHandler,
  TracedPoint,
  TraceReport,
  TraceStep,
} from "./trace_report.ts";
import { EXPLAIN_FIELD } from "./trace_request.ts";
import type { Transaction } from "./transaction.ts";

/** Steps that are kept: a WebSocket session may dial for weeks. */
const MAX_STEPS = 256;

/** Bytes that the response's field may have. */
const MAX_FIELD = 4 << 10;

type TracedRequest = Pick<
  TraceReport,
  | "id"
  | "session"
  | "startedAt"
  | "method"
  | "scheme"
  | "host"
  | "target"
  | "client"
  | "listener"
>;

/** The trace of one transaction, from its head on. */
export class TransactionTrace {
  readonly id: string;
  /** What is known from the beginning, and can't be read once the heads are gone. */
  readonly #request: TracedRequest;
  readonly #steps: TraceStep[] = [];
  #lost = 0;
  /** The point that fires now. */
  #point: TracedPoint | undefined;
  /** Undefined once it is over: its heads and connections must not outlive it. */
  #transaction: Transaction | undefined;
  #elapsed: () => number;
  #report: TraceReport | undefined;

  constructor(transaction: Transaction) {
    this.id = transaction.id;
    this.#transaction = transaction;
    const { begunAt, head, request, session } = transaction;
    const { clock } = session.env;
    this.#request = {
      id: this.id,
      session: session.id,
      startedAt: transaction.startedAt,
      method: head!.method,
      scheme: transaction.scheme,
      host: request!.host,
      target: head!.target,
      client: transaction.clientAddress,
      listener: transaction.listener.name,
    };
    const elapsed = () => clock.now() - begunAt;
    this.#elapsed = elapsed;
    this.moved(transaction.state);
  }

  /** It is in another state. */
  moved({ name }: State): void {
    this.#add({ at: this.#now(), state: name });
  }

  /** A point fires, whether anybody handles it or not. */
  fires(place: number): void {
    const { name: point } = CALLBACK_POINTS[place]!;
    this.#point = { at: this.#now(), point };
    this.#add(this.#point);
  }

  /** A handler of the point begins. */
  handlerBegins(handler: BoundHandler): RunEnded | undefined {
    const point = this.#point;
    if (point === undefined) return undefined;
    const began = this.#elapsed();
    const traced: TracedHandler = {
      plugin: handler.plugin,
      scope: this.#scopeOf(handler),
    };
    (point.handlers ??= []).push(traced);
    return (verdict, error) => {
      traced.ms = rounded(this.#elapsed() - began);
      if (error !== undefined) traced.error = told(error);
      const kind = kindOf(verdict);
      if (kind !== undefined) point.verdict = kind;
    };
  }

  /** Says in a response's head what happened so far, or where it can be read if that is too much for a field. */
  tell({ fields, status }: Response): void {
    const whole = asciiJson({ ...this.report(), status });
    fields.put(
      EXPLAIN_FIELD,
      whole.length <= MAX_FIELD
        ? whole
        : asciiJson({ id: this.id, at: `/api/transactions/${this.id}` }),
    );
  }

  /** The transaction is over. */
  end(): void {
    this.#report = this.report();
    this.#transaction = undefined;
  }

  /** What is known now. */
  report(): TraceReport {
    const transaction = this.#transaction;
    if (transaction === undefined) return this.#report!;
    const { product, rule, exchange, finishedAt } = transaction;
    return {
      ...this.#request,
      state: transaction.state.name,
      product: product?.name,
      rule: rule && product!.rules.indexOf(rule) + 1,
      cluster: transaction.cluster,
      steps: this.#steps,
      stepsLost: this.#lost || undefined,
      attempts: transaction.attempts.map(tracedAttempt),
      status: transaction.status,
      error: transaction.error && told(transaction.error),
      bytesIn: finishedAt === undefined
        ? exchange.bytesIn
        : transaction.bytesIn,
      bytesOut: finishedAt === undefined
        ? exchange.bytesOut
        : transaction.bytesOut,
      timings: transaction.timings,
    };
  }

  #add(step: TraceStep): void {
    if (this.#steps.length < MAX_STEPS) this.#steps.push(step);
    else this.#lost++;
  }

  #now(): number {
    return rounded(this.#elapsed());
  }

  #scopeOf(handler: BoundHandler): TracedHandler["scope"] {
    const { listener, table, sessionHandlers } = this.#transaction!;
    const place = POINT[handler.point];
    if (listener.handlers[place]?.includes(handler)) return "global";
    if (table[place]?.includes(handler)) return "product";
    return sessionHandlers?.[place]?.includes(handler)
      ? "session"
      : "transaction";
  }
}

function tracedAttempt(attempt: Attempt): TracedAttempt {
  const { number, backend, facts, error } = attempt;
  return {
    number,
    cluster: backend.cluster,
    subcluster: backend.subcluster,
    backend: backend.id,
    pinned: attempt.pinned,
    addresses: attempt.addresses.map(formatSocket),
    remote: facts && formatSocket(facts.remote),
    reused: facts?.reused,
    status: attempt.status,
    error: error && told(error),
  };
}

function told({ code, message }: ProxyError): TracedError {
  return { code, message };
}

function formatSocket({ address, port }: SocketAddress): string {
  return port === 0 ? address : `${formatHost(address)}:${port}`;
}

/** To microseconds: more digits would be noise. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}

/** JSON that fits a field's value: escapes for all that is not ASCII. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
