/**
 * Handlers at callback points and the walk over them.
 *
 * A point without handlers costs a comparison, one with sync handlers no
 * promise: an `await` at 15 points would cost 6 % of a request (measured).
 *
 * @module
 */
import { CALLBACK_POINTS, POINT, type PointName } from "../callback_points.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import type { CounterSeries, HistogramSeries } from "../observe/metrics.ts";
import { guardVerdict, type VerdictPoint } from "../plugins/guard_verdict.ts";
import type { Verdict } from "../verdict.ts";

/** A handler of any point: the table's types hold where it was registered. */
// deno-lint-ignore no-explicit-any
export type AnyHandler = (...views: any[]) => unknown;

/** A plugin's handler with what the config says of it. */
export interface BoundHandler {
  /** The plugin instance's name. */
  readonly plugin: string;
  readonly point: PointName;
  readonly run: AnyHandler;
  /** Milliseconds that an async handler may take. */
  readonly timeout: number;
  readonly onError: "refuse" | "ignore";
  readonly errors: CounterSeries;
  readonly duration: HistogramSeries;
  /** Calls so far: sync ones are timed by sample. */
  calls: number;
}

/** Handlers of each point by its number, in the order in which they run; null where there is none. */
export type HandlerTable = readonly (readonly BoundHandler[] | null)[];

/** A table without handlers. */
export const NO_HANDLERS: HandlerTable = Object.freeze(
  CALLBACK_POINTS.map(() => null),
);

/** Handlers that `on` added for one session or transaction, by point number. */
export type ScopedHandlers = (BoundHandler[] | undefined)[];

/** Whose handlers run: a transaction, or a session outside of one. */
export interface HandlerOwner {
  readonly deadlines: Deadlines;
  /** The static lists that hold now; grows once the product is known. */
  readonly table: HandlerTable;
  /** `session.on`'s. */
  readonly sessionHandlers: ScopedHandlers | undefined;
  /** `transaction.on`'s. */
  readonly transactionHandlers: ScopedHandlers | undefined;
  /** The handler that runs: what it registers with `on` is its plugin's. */
  running: BoundHandler | undefined;
  /** Fires the signal that handlers asked for, and forgets it. */
  abortSignal(reason: unknown): void;
  /** Where failures at points 18 to 20, and ignored ones, are told. */
  handlerFailed(handler: BoundHandler, error: ProxyError): void;
}

/** From requestFinish on a failing handler is only logged: nothing is left to refuse. */
const ONLY_LOGGED = POINT.requestFinish;

/** Where a walk is. */
interface Cursor {
  scope: 0 | 1 | 2;
  index: number;
}

/** Whether anybody handles this point now. */
export function handles(owner: HandlerOwner, point: number): boolean {
  return owner.table[point] !== null ||
    owner.sessionHandlers?.[point] !== undefined ||
    owner.transactionHandlers?.[point] !== undefined;
}

/**
 * Runs the handlers of a point in order: global and product's, then the
 * session's, then the transaction's. The first verdict other than going on ends
 * it. A promise comes only where a handler gave one. Throws or rejects with a
 * ProxyError where a handler fails and is not to be ignored.
 */
export function runHandlers(
  owner: HandlerOwner,
  point: number,
  first: unknown,
  second?: unknown,
  third?: unknown,
): Verdict | undefined | Promise<Verdict | undefined> {
  if (!handles(owner, point)) return undefined;
  return walk(owner, point, { scope: 0, index: 0 }, first, second, third);
}

function walk(
  owner: HandlerOwner,
  point: number,
  cursor: Cursor,
  first: unknown,
  second: unknown,
  third: unknown,
): Verdict | undefined | Promise<Verdict | undefined> {
  for (;;) {
    const handler = nextHandler(owner, point, cursor);
    if (handler === undefined) return undefined;
    const outcome = callHandler(owner, handler, first, second, third);
    if (outcome === undefined) continue;
    if (outcome instanceof Promise) {
      return resume(owner, point, cursor, outcome, first, second, third);
    }
    return outcome;
  }
}

async function resume(
  owner: HandlerOwner,
  point: number,
  cursor: Cursor,
  pending: Promise<Verdict | undefined>,
  first: unknown,
  second: unknown,
  third: unknown,
): Promise<Verdict | undefined> {
  return await pending ??
    await walk(owner, point, cursor, first, second, third);
}

/** The lists are looked up anew each time: a running handler may add to them. */
function nextHandler(
  owner: HandlerOwner,
  point: number,
  cursor: Cursor,
): BoundHandler | undefined {
  for (;;) {
    const list = cursor.scope === 0
      ? owner.table[point]
      : cursor.scope === 1
      ? owner.sessionHandlers?.[point]
      : owner.transactionHandlers?.[point];
    const handler = list?.[cursor.index];
    if (handler !== undefined) {
      cursor.index++;
      return handler;
    }
    if (cursor.scope === 2) return undefined;
    cursor.scope++;
    cursor.index = 0;
  }
}

/** One in so many calls of a sync handler is timed: two looks at the clock cost 170 ns (measured). */
const TIMED = 16;

/** One handler's answer, guarded; its failure turned into what the config wants. */
function callHandler(
  owner: HandlerOwner,
  handler: BoundHandler,
  first: unknown,
  second: unknown,
  third: unknown,
): Verdict | undefined | Promise<Verdict | undefined> {
  const timed = handler.calls++ % TIMED === 0;
  const started = timed ? performance.now() : 0;
  owner.running = handler;
  try {
    const answer = handler.run(first, second, third);
    if (isThenable(answer)) return awaitAnswer(owner, handler, answer);
    owner.running = undefined;
    if (timed) {
      handler.duration.observe((performance.now() - started) / 1000, TIMED);
    }
    return accepted(handler, answer);
  } catch (thrown) {
    owner.running = undefined;
    return failed(owner, handler, thrown);
  }
}

async function awaitAnswer(
  owner: HandlerOwner,
  handler: BoundHandler,
  answer: PromiseLike<unknown>,
): Promise<Verdict | undefined> {
  const started = performance.now();
  const deadline = new HandlerDeadline(owner, handler);
  owner.deadlines.add(deadline);
  try {
    // Promise.race handles the loser's rejection too.
    const value = await Promise.race([answer, deadline.passed]);
    return accepted(handler, value);
  } catch (thrown) {
    return failed(owner, handler, thrown);
  } finally {
    owner.running = undefined;
    owner.deadlines.delete(deadline);
    handler.duration.observe((performance.now() - started) / 1000);
  }
}

/** The verdict of a legal answer, undefined for going on. */
function accepted(
  handler: BoundHandler,
  answer: unknown,
): Verdict | undefined {
  // selectAlternate has a walk of its own: its handlers answer a quality.
  return guardVerdict(handler.point as VerdictPoint, answer);
}

function failed(
  owner: HandlerOwner,
  handler: BoundHandler,
  thrown: unknown,
): undefined {
  const error = asProxyError(thrown, "handler_error");
  handler.errors.add(1);
  const told = new ProxyError(
    error.code,
    `Plugin "${handler.plugin}" failed at ${handler.point}: ${error.message}`,
    { cause: error.cause ?? error },
  );
  owner.handlerFailed(handler, told);
  if (handler.onError === "ignore" || POINT[handler.point] >= ONLY_LOGGED) {
    return undefined;
  }
  throw told;
}

/** The time limit of one async handler. */
class HandlerDeadline implements Expiring {
  readonly deadline: number;
  readonly passed: Promise<never>;
  readonly #owner: HandlerOwner;
  readonly #timeout: number;
  #reject: (reason: ProxyError) => void = () => {};

  constructor(owner: HandlerOwner, handler: BoundHandler) {
    this.#owner = owner;
    this.#timeout = handler.timeout;
    this.deadline = owner.deadlines.after(handler.timeout);
    this.passed = new Promise((_, reject) => this.#reject = reject);
  }

  expire(): void {
    const error = new ProxyError(
      "handler_timeout",
      `No answer within ${this.#timeout} ms`,
    );
    this.#owner.abortSignal(error);
    this.#reject(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as PromiseLike<unknown>).then === "function";
}
