/**
 * HTTP/1.1 on a session: each request of the connection is a transaction.
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import {
  type ExchangeRunner,
  Http1ClientConnection,
  type Http1ClientOptions,
} from "../http1/client_connection.ts";
import { HeadIndexPool } from "../http1/head_index_pool.ts";
import type { Socket } from "../net/socket.ts";
import type { ListenerRuntime } from "../snapshot/snapshot.ts";
import type { ClientExchange, Lasting } from "./exchange.ts";
import type { Session } from "./session.ts";
import { STATES } from "./states.ts";
import { Transaction } from "./transaction.ts";

/** A protocol at work on a session's connection. */
export interface Served {
  /** Settles when it is over. Rejects with a ProxyError where it ended badly. */
  readonly done: Promise<Lasting | undefined>;
  /** What it does now, for listings. */
  readonly state: string;
  /** Ends as soon as nothing is at work. */
  drain(): void;
  /** The connection is about to be closed. */
  abort(reason: ProxyError): void;
}

/** Serves HTTP/1.1 until the connection ends. */
export function serveHttp1(session: Session, socket: Socket): Served {
  return new ServedHttp1(session, socket);
}

class ServedHttp1 implements Served, ExchangeRunner {
  readonly done: Promise<Lasting | undefined>;
  readonly #session: Session;
  readonly #connection: Http1ClientConnection;
  #current: Transaction | undefined;

  constructor(session: Session, socket: Socket) {
    this.#session = session;
    this.#connection = new Http1ClientConnection(socket, optionsOf(session));
    this.done = this.#connection.serve(this);
  }

  get state(): string {
    return this.#working?.state.name ?? "idle";
  }

  drain(): void {
    this.#connection.drain();
  }

  abort(reason: ProxyError): void {
    this.#working?.clientGone(reason);
  }

  run(exchange: ClientExchange): Promise<Lasting | undefined> {
    const session = this.#session;
    // An exchange that is not answered is the connection's end.
    if (session.finished) return Promise.resolve(undefined);
    if (session.plane.draining) this.drain();
    const number = ++session.transactions;
    this.#current = new Transaction(session, exchange, number);
    return this.#current.run();
  }

  ended(): void {
    this.#current = undefined;
  }

  rests(): void {
    this.#session.settle();
  }

  get #working(): Transaction | undefined {
    const current = this.#current;
    return current?.state === STATES.closed ? undefined : current;
  }
}

/** What a listener's connections go by, made once: they are many. */
const OPTIONS = new WeakMap<ListenerRuntime, Http1ClientOptions>();

function optionsOf({ env, listenerRuntime }: Session): Http1ClientOptions {
  let options = OPTIONS.get(listenerRuntime);
  if (options?.buffers !== env.buffers) {
    const { limits, timeouts } = listenerRuntime;
    const { buffers, clock, date } = env;
    const indexes = new HeadIndexPool(limits.headers);
    options = { buffers, indexes, clock, date, limits, timeouts };
    OPTIONS.set(listenerRuntime, options);
  }
  return options;
}
