/**
 * What plugins see of sessions, transactions and attempts: objects of their own
 * with the members of `core/plugin.ts` and no more.
 *
 * @module
 */
import type { PointName } from "../callback_points.ts";
import type {
  Attempt as AttemptFacts,
  BodyTransform,
  ConnectionFacts,
  Failure,
  HandlerAt,
  HttpRequest,
  HttpResponse,
  ProxyFacts,
  Session as SessionFacts,
  SocketAddress,
  Timings,
  TlsFacts,
  Transaction as TransactionFacts,
  TransformOptions,
} from "../plugin.ts";
import type { Attempt } from "./attempt.ts";
import type { AnyHandler } from "./handlers.ts";
import type { Session } from "./session.ts";
import type { Transaction } from "./transaction.ts";

/** A session as plugins see it. */
export class SessionView implements SessionFacts {
  readonly #session: Session;
  #data: Map<unknown, unknown> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether plugins put nothing into its data but texts, numbers and the like. */
  static isLight(view: SessionView): boolean {
    return areLight(view.#data);
  }

  get id(): string {
    return this.#session.id;
  }
  get listener(): string {
    return this.#session.listener;
  }
  get protocol(): "http" | "tcp" {
    return this.#session.protocol;
  }
  get remote(): SocketAddress {
    return this.#session.initiator.remote;
  }
  get local(): SocketAddress {
    return this.#session.initiator.local;
  }
  get proxy(): ProxyFacts | undefined {
    return this.#session.initiator.proxy;
  }
  get internal(): boolean {
    return this.#session.initiator.internal;
  }
  get tls(): TlsFacts | undefined {
    return this.#session.tls;
  }
  get startedAt(): number {
    return this.#session.startedAt;
  }
  get backend(): string | undefined {
    return this.#session.backend;
  }
  get transactions(): number {
    return this.#session.transactions;
  }
  get bytesIn(): number {
    return this.#session.bytesIn;
  }
  get bytesOut(): number {
    return this.#session.bytesOut;
  }
  get error(): Failure | undefined {
    return this.#session.error;
  }
  get data(): Map<unknown, unknown> {
    return this.#data ??= new Map();
  }
  get signal(): AbortSignal {
    return this.#session.signal;
  }
  on<P extends PointName>(point: P, handler: HandlerAt<P>): void {
    this.#session.addHandler(point, handler as AnyHandler);
  }
}

/** A transaction as plugins see it. */
export class TransactionView implements TransactionFacts {
  readonly #transaction: Transaction;
  #data: Map<unknown, unknown> | undefined;

  constructor(transaction: Transaction) {
    this.#transaction = transaction;
  }

  /** Whether plugins put nothing into its data but texts, numbers and the like. */
  static isLight(view: TransactionView): boolean {
    return areLight(view.#data);
  }

  get id(): string {
    return this.#transaction.id;
  }
  get session(): SessionFacts {
    return this.#transaction.session.view;
  }
  get request(): HttpRequest | undefined {
    return this.#transaction.request;
  }
  get response(): HttpResponse | undefined {
    return this.#transaction.response;
  }
  get number(): number {
    return this.#transaction.number;
  }
  get startedAt(): number {
    return this.#transaction.startedAt;
  }
  get attempts(): readonly AttemptFacts[] {
    return this.#transaction.attempts.map((attempt) => attempt.view);
  }
  get error(): Failure | undefined {
    return this.#transaction.error;
  }
  get status(): number {
    return this.#transaction.status;
  }
  get bytesIn(): number {
    return this.#transaction.bytesIn;
  }
  get bytesOut(): number {
    return this.#transaction.bytesOut;
  }
  get timings(): Timings {
    return this.#transaction.timings;
  }
  get data(): Map<unknown, unknown> {
    return this.#data ??= new Map();
  }
  get signal(): AbortSignal {
    return this.#transaction.signal;
  }
  on<P extends PointName>(point: P, handler: HandlerAt<P>): void {
    this.#transaction.addHandler(point, handler as AnyHandler);
  }
  transformRequest(
    transform: BodyTransform,
    options?: TransformOptions,
  ): void {
    this.#transaction.addTransform("request", transform, options);
  }
  transformResponse(
    transform: BodyTransform,
    options?: TransformOptions,
  ): void {
    this.#transaction.addTransform("response", transform, options);
  }
}

/** An attempt as plugins see it. */
export class AttemptView implements AttemptFacts {
  readonly #attempt: Attempt;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get number(): number {
    return this.#attempt.number;
  }
  get cluster(): string {
    return this.#attempt.backend.cluster;
  }
  get subcluster(): string {
    return this.#attempt.backend.subcluster;
  }
  get backend(): string {
    return this.#attempt.backend.id;
  }
  set backend(id: string) {
    this.#attempt.replaceBackend(id);
  }
  get addresses(): SocketAddress[] {
    return this.#attempt.addresses;
  }
  set addresses(addresses: SocketAddress[]) {
    this.#attempt.addresses = addresses;
  }
  get connection(): ConnectionFacts | undefined {
    return this.#attempt.facts;
  }
  /** WebSocket sessions that are dialled anew set it; a first dial never does. */
  get reconnect(): boolean {
    return this.#attempt.reconnect;
  }
  get status(): number {
    return this.#attempt.status;
  }
  get error(): Failure | undefined {
    return this.#attempt.error;
  }
}

function areLight(data: ReadonlyMap<unknown, unknown> | undefined): boolean {
  return data === undefined ||
    data.values().every((value) => Object(value) !== value);
}
