/**
 * Handlers at callback points and the walk over them.
 *
 * A point without handlers costs a comparison, one with sync handlers no
 * promise: an `await` at 15 points would cost 6 % of a request (measured).
 *
 * @module
 */
import type { PointName } from "../callback_points.ts";
import type { ProxyError } from "../errors.ts";
import type { Deadlines } from "../net/deadlines.ts";
import type { CounterSeries, HistogramSeries } from "../observe/metrics.ts";
import type { Verdict } from "../verdict.ts";
import { callHandler } from "./call_handler.ts";
import type { RunEnded } from "./handler_runs.ts";

/** A handler of any point: the table's types hold where it was registered. */
// deno-lint-ignore no-explicit-any
export type AnyHandler = (...views: any[]) => unknown;

/** A plugin's handler with what the config says of it. */
export interface BoundHandler {
  /** The plugin instance's name. */
  readonly plugin: string;
  readonly point: PointName;
  readonly run: AnyHandler;
  /** The plugin's `order`. */
  readonly order: number;
  /** The plugin's place in the config. */
  readonly place: number;
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

/** Handlers that `on` added for one session or transaction, by point number; the lists are never changed, but replaced. */
export type ScopedHandlers = (readonly BoundHandler[] | undefined)[];

/** Whose handlers run: a transaction, or a session outside of one. */
export interface HandlerOwner {
  readonly deadlines: Deadlines;
  /** The static lists that hold now; grows once the product is known. */
  readonly table: HandlerTable;
  /** `session.on`'s. */
  readonly sessionHandlers: ScopedHandlers | undefined;
  /** `transaction.on`'s. */
  readonly transactionHandlers: ScopedHandlers | undefined;
  /** A handler begins: what it registers with `on` is its plugin's. What comes back is told how it ended; undefined where nobody wants to know. */
  handlerBegins(handler: BoundHandler): RunEnded | undefined;
  /** It takes its time: from here on the owner notices where the client leaves. */
  handlerWaits(): void;
  /** It has answered or failed. */
  handlerEnds(handler: BoundHandler): void;
  /** Where failures are told, ignored ones too. */
  handlerFailed(handler: BoundHandler, error: ProxyError): void;
  /** Fires the signal that handlers asked for, and forgets it. */
  abortSignal(reason: unknown): void;
}

/** Order inside a scope: by `order`, then by the config's. */
export function compareHandlers(
  a: Pick<BoundHandler, "order" | "place">,
  b: Pick<BoundHandler, "order" | "place">,
): number {
  return a.order - b.order || a.place - b.place;
}

/** The scope's list with one more handler in its place. */
export function withHandler(
  list: readonly BoundHandler[] | undefined,
  handler: BoundHandler,
): readonly BoundHandler[] {
  // Sorting is stable: where all is the same, who came first runs first.
  return [...list ?? [], handler].sort(compareHandlers);
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
  return new Walk(owner, point, first, second, third).run();
}

const NOBODY: readonly BoundHandler[] = Object.freeze([]);

/** One walk over a point's handlers, which a running handler may add to. */
class Walk {
  readonly #owner: HandlerOwner;
  readonly #point: number;
  readonly #first: unknown;
  readonly #second: unknown;
  readonly #third: unknown;
  #scope: 0 | 1 | 2 = 0;
  /** The scope's list when it was last looked at. */
  #source: readonly BoundHandler[] | null | undefined;
  /** What of it is to run, and how far that is done. */
  #list = NOBODY;
  #index = 0;
  /** Those that ran before a list grew under the walk. */
  #done: Set<BoundHandler> | undefined;

  constructor(
    owner: HandlerOwner,
    point: number,
    first: unknown,
    second: unknown,
    third: unknown,
  ) {
    this.#owner = owner;
    this.#point = point;
    this.#first = first;
    this.#second = second;
    this.#third = third;
  }

  run(): Verdict | undefined | Promise<Verdict | undefined> {
    for (;;) {
      const handler = this.#next();
      if (handler === undefined) return undefined;
      const outcome = callHandler(
        this.#owner,
        handler,
        this.#first,
        this.#second,
        this.#third,
      );
      if (outcome === undefined) continue;
      return outcome instanceof Promise ? this.#resume(outcome) : outcome;
    }
  }

  async #resume(
    pending: Promise<Verdict | undefined>,
  ): Promise<Verdict | undefined> {
    return await pending ?? await this.run();
  }

  #next(): BoundHandler | undefined {
    for (;;) {
      const source = this.#lookUp();
      if (source !== this.#source) this.#follow(source);
      const handler = this.#list[this.#index];
      if (handler !== undefined) {
        this.#index++;
        return handler;
      }
      if (this.#scope === 2) return undefined;
      this.#scope++;
      this.#source = undefined;
      this.#list = NOBODY;
      this.#index = 0;
    }
  }

  #lookUp(): readonly BoundHandler[] | null | undefined {
    switch (this.#scope) {
      case 0:
        return this.#owner.table[this.#point];
      case 1:
        return this.#owner.sessionHandlers?.[this.#point];
      case 2:
        return this.#owner.transactionHandlers?.[this.#point];
    }
  }

  /** Goes on in a list that grew: one that came late runs late, whatever its order. */
  #follow(source: readonly BoundHandler[] | null | undefined): void {
    for (let i = 0; i < this.#index; i++) {
      (this.#done ??= new Set()).add(this.#list[i]!);
    }
    const done = this.#done;
    this.#source = source;
    this.#list =
      (done === undefined
        ? source
        : source?.filter((handler) => !done.has(handler))) ?? NOBODY;
    this.#index = 0;
  }
}
