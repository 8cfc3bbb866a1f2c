/**
 * HTTP/1.1 on a session: each request of the connection is a transaction.
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import { Http1ClientConnection } from "../http1/client_connection.ts";
import type { Socket } from "../net/socket.ts";
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

class ServedHttp1 implements Served {
  readonly done: Promise<Lasting | undefined>;
  readonly #session: Session;
  readonly #connection: Http1ClientConnection;
  #current: Transaction | undefined;

  constructor(session: Session, socket: Socket) {
    const { env, listenerRuntime } = session;
    this.#session = session;
    this.#connection = new Http1ClientConnection(socket, {
      buffers: env.buffers,
      clock: env.clock,
      date: env.date,
      limits: listenerRuntime.limits,
      timeouts: listenerRuntime.timeouts,
    });
    this.done = this.#connection.serve(
      (exchange) => this.#run(exchange),
      () => this.#current = undefined,
    );
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

  #run(exchange: ClientExchange): Promise<Lasting | undefined> {
    const session = this.#session;
    // An exchange that is not answered is the connection's end.
    if (session.finished) return Promise.resolve(undefined);
    if (session.plane.draining) this.drain();
    const number = ++session.transactions;
    this.#current = new Transaction(session, exchange, number);
    return this.#current.run();
  }

  get #working(): Transaction | undefined {
    const current = this.#current;
    return current?.state === STATES.closed ? undefined : current;
  }
}
