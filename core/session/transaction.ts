/**
 * One request and its response inside a session, whatever the protocol.
 *
 * The life of a request, read from top to bottom: `run` here, then `locate`,
 * `forward`, `deliver` and `conclude`. Each moves the transaction through the
 * table of states and fires the table's callback points.
 *
 * @module
 */
import { CALLBACK_POINTS, POINT, type PointName } from "../callback_points.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { BufferedBody } from "../message/buffered_body.ts";
import type { RequestHead } from "../message/head.ts";
import type { Deadlines } from "../net/deadlines.ts";
import type { HostParts } from "../net/host_name.ts";
import type { BodyTransform, Timings, TransformOptions } from "../plugin.ts";
import type { Product, Rule } from "../route/product.ts";
import type { ListenerRuntime, Snapshot } from "../snapshot/snapshot.ts";
import type { Verdict } from "../verdict.ts";
import type { Handshake } from "../websocket/handshake.ts";
import type { Attempt } from "./attempt.ts";
import { bindHandler } from "./bind_handler.ts";
import { type Identified, identify, type Origin } from "./client_address.ts";
import type { Caching } from "./caching.ts";
import { breakOff, conclude, LastingTransaction } from "./conclude.ts";
import { deliver } from "./deliver.ts";
import type { ClientExchange, ExchangeOwner, Lasting } from "./exchange.ts";
import { forward } from "./forward.ts";
import {
  both,
  type HandlerObserver,
  isOfAttempt,
  type RunEnded,
  tellStarted,
} from "./handler_runs.ts";
import {
  type AnyHandler,
  type BoundHandler,
  type HandlerOwner,
  type HandlerTable,
  handles,
  runHandlers,
  type ScopedHandlers,
  withHandler,
} from "./handlers.ts";
import { locate } from "./locate.ts";
import { failureReply, type Outcome, pausedReply } from "./reply.ts";
import { Request, type RequestContext } from "./request.ts";
import type { Response } from "./response.ts";
import type { Session } from "./session.ts";
import { bitsBefore, mayMove, type State, STATES } from "./states.ts";
import { type Registered, registered } from "./transforms.ts";
import { takeTraceRequest } from "./trace_request.ts";
import type { TransactionTrace } from "./transaction_trace.ts";
import { TransactionView } from "./views.ts";

/** A transaction. */
export class Transaction
  implements ExchangeOwner, HandlerOwner, RequestContext, Identified {
  readonly session: Session;
  readonly exchange: ClientExchange;
  readonly snapshot: Snapshot;
  readonly listener: ListenerRuntime;
  readonly number: number;
  readonly attempts: Attempt[] = [];
  /** Grows by the product's handlers once the product is known. */
  table: HandlerTable;
  transactionHandlers: ScopedHandlers | undefined;
  /** Who hears of handlers' runs, as `table`; undefined for nobody. */
  observers: readonly HandlerObserver[] | undefined;
  head: RequestHead | undefined;
  request: Request | undefined;
  response: Response | undefined;
  /** The request's whole body, where its cluster has it buffered. */
  buffered: BufferedBody | undefined;
  /** Undefined while there is none. */
  requestTransforms: Registered[] | undefined;
  responseTransforms: Registered[] | undefined;
  /** The opening handshake where it is to become a WebSocket session. */
  websocket: Handshake | undefined;
  /** Where what a backend answers matters to the cache. */
  caching: Caching | undefined;
  error: ProxyError | undefined;
  status = 0;
  bytesIn = 0;
  bytesOut = 0;
  clientAddress = "";
  trusted = false;
  /** Whether a handler has let it in by something else than Authorization. */
  authorized = false;
  /** What a trusted peer says of the way to it. */
  origin: Origin | undefined;
  scheme: "http" | "https" = "http";
  product: Product | undefined;
  rule: Rule | undefined;
  requestHeadAt: number | undefined;
  connectedAt: number | undefined;
  responseHeadAt: number | undefined;
  finishedAt: number | undefined;
  /** The connection was ended with it. */
  brokenOff = false;
  /** Where its client may have it told what happens. */
  trace: TransactionTrace | undefined;
  /** What else it was made of, where that is to be kept as a specimen. */
  specimen: object | undefined;
  /** Set where the client is gone for good. */
  gone: ProxyError | undefined;

  readonly #started: number;
  #state: State = STATES.start;
  #id: string | undefined;
  #view: TransactionView | undefined;
  #controller: AbortController | undefined;
  #cluster: string | undefined;
  #running: BoundHandler | undefined;

  constructor(session: Session, exchange: ClientExchange, number: number) {
    this.session = session;
    this.exchange = exchange;
    this.number = number;
    this.snapshot = session.plane.current.retain();
    this.listener = this.snapshot.listener(session.listener) ??
      session.listenerRuntime;
    this.table = this.listener.handlers;
    this.observers = this.listener.observers;
    this.#started = session.env.clock.now();
  }

  /**
   * Runs it from its first byte to its close, or to where it is a tunnel, which
   * lasts. Never rejects.
   */
  async run(): Promise<Lasting | undefined> {
    this.exchange.owner = this;
    let outcome: Outcome | undefined;
    try {
      const started = this.fireOwn(POINT.transactionStart);
      const verdict = started instanceof Promise ? await started : started;
      if (verdict !== undefined) {
        outcome = "close";
      } else {
        this.move(STATES.head);
        const read = this.exchange.readHead();
        if (read instanceof Promise) {
          this.#begin(await read, this.elapsed());
        } else {
          this.#begin(read, 0);
        }
        const located = this.session.frontend?.paused === true
          ? pausedReply(this)
          : locate(this);
        outcome = located instanceof Promise ? await located : located;
        outcome ??= await forward(this);
      }
    } catch (thrown) {
      outcome = this.#failed(thrown);
    }
    try {
      const sent = outcome === "close" ? outcome : await deliver(this, outcome);
      if (sent === "close") breakOff(this);
      else if (sent !== "sent") return new LastingTransaction(this, sent);
    } catch (thrown) {
      this.fail(asProxyError(thrown));
      breakOff(this);
    }
    const concluding = conclude(this);
    if (concluding !== undefined) await concluding;
    return undefined;
  }

  #begin(head: RequestHead, at: number): void {
    this.requestHeadAt = at;
    this.head = head;
    const asked = head.asksProxy ? takeTraceRequest(head.fields) : undefined;
    const { remote, tls, proxy } = this.session.initiator;
    const secure = (tls ?? proxy?.tls) !== undefined;
    identify(this, this.listener.trust, remote.address, secure, head.fields);
    this.request = new Request(this, head, head.fields);
    if (asked !== undefined) {
      this.trace = this.session.plane.traces.begin(this, asked);
    }
    if (this.listener.tls?.verifyHost === true) this.#checkHost(this.request);
  }

  /** Whoever got one name's certificate does not ask for another's pages here (RFC 9110 §15.5.20). */
  #checkHost({ host }: Request): void {
    if (this.session.initiator.internal || this.session.covers(host)) return;
    throw new ProxyError(
      "misdirected_request",
      `The TLS certificate does not cover the host ${JSON.stringify(host)}`,
    );
  }

  /** A failure before delivery becomes a response, where one can be sent. */
  #failed(thrown: unknown): Outcome {
    const error = asProxyError(thrown);
    this.fail(error);
    const nobody = this.gone !== undefined || error.status === 0 ||
      error.status === 499;
    // Where a handler fails before there is a request, nobody is to be answered.
    const early = error.side === "plugin" && this.request === undefined;
    return nobody || early ? "close" : failureReply(this, error);
  }

  /** Whether anybody handles the point now; a trace notes them all. */
  fires(point: number): boolean {
    return handles(this, point) || this.trace !== undefined;
  }

  /** Whether a plugin has seen it, or will see it or its response at its end. */
  get isSeen(): boolean {
    return this.#view !== undefined || this.session.isSeen ||
      this.fires(POINT.requestFinish) ||
      this.fires(POINT.transactionClose);
  }

  /** As `fire`, for the points that get the transaction; without handlers no view is made. */
  fireOwn(point: number): Verdict | undefined | Promise<Verdict | undefined> {
    return this.fires(point) ? this.fire(point, this.view) : undefined;
  }

  /**
   * Runs a point's handlers; a promise only where a handler gave one. Throws or
   * rejects with a ProxyError; throws a `RangeError` where it is not the point
   * of the state.
   */
  fire(
    point: number,
    first: unknown,
    second?: unknown,
    third?: unknown,
  ): Verdict | undefined | Promise<Verdict | undefined> {
    if (point !== this.#state.point) {
      throw new RangeError(
        `Cannot fire ${
          CALLBACK_POINTS[point]?.name
        } in state ${this.#state.name}`,
      );
    }
    this.trace?.fires(point);
    const fired = runHandlers(this, point, first, second, third);
    return fired instanceof Promise ? this.#unlessGone(fired) : fired;
  }

  /** A client that left while a handler worked wants nothing more, but points 18 and 19 fire. */
  async #unlessGone(
    fired: Promise<Verdict | undefined>,
  ): Promise<Verdict | undefined> {
    const verdict = await fired;
    if (this.gone !== undefined && !this.#isOver) throw this.gone;
    return verdict;
  }

  /** Whether the response is out or given up. */
  get #isOver(): boolean {
    return this.state === STATES.finished || this.state === STATES.closed;
  }

  /** Where it is; `move` alone changes it. */
  get state(): State {
    return this.#state;
  }

  /** Moves to another state. Throws a `RangeError` where the table has no such move. */
  move(to: State): void {
    if (!mayMove(this.#state, to)) {
      throw new RangeError(
        `Cannot move a transaction from ${this.#state.name} to ${to.name}`,
      );
    }
    this.#state = to;
    this.trace?.moved(to);
  }

  /** Notes why it failed; the first reason stands. */
  fail(error: ProxyError): void {
    this.error ??= error;
    if (error.status === 499) this.status ||= 499;
  }

  /** The client is gone for good: whoever waits for handlers or backends is told. */
  clientGone(reason: ProxyError): void {
    if (this.gone !== undefined) return;
    this.gone = reason;
    this.abortSignal(reason);
    if (this.#isOver) return;
    this.fail(reason);
    this.attempts.at(-1)?.close();
    this.caching?.clientGone(reason);
  }

  /** Milliseconds since its start. */
  elapsed(): number {
    return this.session.env.clock.now() - this.#started;
  }

  /** When it began, by the clock's monotonic time. */
  get begunAt(): number {
    return this.#started;
  }

  /** Milliseconds since the epoch. */
  get startedAt(): number {
    return Math.round(this.session.env.clock.wall() - this.elapsed());
  }

  get id(): string {
    return this.#id ??= this.session.env.ids.next();
  }

  /** What plugins see of it. */
  get view(): TransactionView {
    return this.#view ??= new TransactionView(this);
  }

  get timings(): Timings {
    return {
      requestHead: this.requestHeadAt,
      connected: this.connectedAt,
      responseHead: this.responseHeadAt,
      finished: this.finishedAt,
    };
  }

  /** As its session's, and it refers to no bodies that may be large. */
  get isLight(): boolean {
    const { caching, head, requestTransforms, responseTransforms } = this;
    return caching === undefined && head !== undefined &&
      head.bodyLength >= 0 && head.bodyLength <= LIGHT_BODY &&
      requestTransforms === undefined && responseTransforms === undefined &&
      this.transactionHandlers === undefined && this.session.isLight &&
      (this.#view === undefined || TransactionView.isLight(this.#view));
  }

  splitHost(field: string): HostParts {
    return this.session.splitHost(field);
  }

  get cluster(): string | undefined {
    return this.#cluster;
  }

  /** Sets the cluster: routing does, and handlers up to afterLocation. Throws a `RangeError`. */
  set cluster(name: string | undefined) {
    if ((this.state.bit & ROUTING) === 0) {
      throw new RangeError(
        `Cannot set the cluster in state ${this.state.name}: it can be set at foundProduct, afterLocation and requestBuffered`,
      );
    }
    if (name === undefined || this.snapshot.cluster(name) === undefined) {
      throw new RangeError(
        `Cannot set the cluster as the config has none of this name: current value is ${
          JSON.stringify(name)
        }`,
      );
    }
    this.#cluster = name;
  }

  // ------------------------------------------------------------ HandlerOwner

  get deadlines(): Deadlines {
    return this.session.env.deadlines;
  }

  get sessionHandlers(): ScopedHandlers | undefined {
    return this.session.sessionHandlers;
  }

  handlerBegins(handler: BoundHandler): RunEnded | undefined {
    this.#running = handler;
    this.session.running = handler;
    const { trace, observers } = this;
    const traced = trace?.handlerBegins(handler);
    return observers === undefined
      ? traced
      : both(traced, this.#tellStarted(observers, handler));
  }

  #tellStarted(
    observers: readonly HandlerObserver[],
    { plugin, point }: BoundHandler,
  ): RunEnded | undefined {
    return tellStarted(observers, {
      plugin,
      point,
      session: this.session.view,
      transaction: this.view,
      attempt: isOfAttempt(point) ? this.attempts.at(-1)?.view : undefined,
    }, this.session.env.log);
  }

  handlerWaits(): void {
    // Until the head is there its own deadline runs.
    if (this.head !== undefined && this.state !== STATES.closed) {
      this.exchange.watch();
    }
  }

  handlerEnds(handler: BoundHandler): void {
    if (this.#running === handler) this.#running = undefined;
    this.session.handlerEnds(handler);
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.gone !== undefined) this.#controller.abort(this.gone);
    return this.#controller.signal;
  }

  abortSignal(reason: unknown): void {
    this.#controller?.abort(reason);
    this.#controller = undefined;
    this.session.abortSignal(reason);
  }

  handlerFailed(handler: BoundHandler, error: ProxyError): void {
    this.session.env.log.warn("A handler failed", {
      plugin: handler.plugin,
      point: handler.point,
      session: this.session.id,
      transaction: this.id,
      error,
    });
  }

  /** `transaction.transformRequest` and `transformResponse`. */
  addTransform(
    side: "request" | "response",
    transform: BodyTransform,
    options: TransformOptions | undefined,
  ): void {
    if ((this.state.bit & OPEN_FOR[side]) === 0) {
      throw new RangeError(
        `Cannot transform the ${side} in state ${this.state.name}: its head is out`,
      );
    }
    const one = registered(transform, options, this.#running);
    if (side === "request") (this.requestTransforms ??= []).push(one);
    else (this.responseTransforms ??= []).push(one);
  }

  /** `transaction.on`. */
  addHandler(point: PointName, run: AnyHandler): void {
    const { metrics } = this.session.env;
    const bound = bindHandler(point, run, this.#running, metrics);
    const handlers = this.transactionHandlers ??= [];
    handlers[POINT[point]] = withHandler(handlers[POINT[point]], bound);
  }
}

/** The most bytes of its body that a light request has, which may be kept for another attempt. */
const LIGHT_BODY = 4096;

/** The states in which a cluster may be set. */
const ROUTING = STATES.product.bit | STATES.routed.bit | STATES.buffer.bit;

/** The states in which a transform of each side may still be registered. */
const OPEN_FOR = {
  request: bitsBefore("wait"),
  response: bitsBefore("deliver"),
};
