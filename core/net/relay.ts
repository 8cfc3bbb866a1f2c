/**
 * The autonomous mode: both directions of two connections forwarded as they
 * come. Nobody is woken but for an end, an error or a timeout.
 *
 * Plain reads and writes; never `conn.readable`, whose end closes
 * the whole connection, so that half-close is lost (measured).
 *
 * @module
 */
import { asProxyError, type FailureCode, type ProxyError } from "../errors.ts";
import type { Socket } from "./socket.ts";

/** Options of a relay. */
export interface RelayOptions {
  /** Both directions silent for so many milliseconds end it. */
  readonly idle: number;
  /** What that end is called. */
  readonly idleCode: FailureCode;
}

/**
 * Relays until both directions have ended; a FIN is passed on per direction,
 * then both sockets are closed. While nothing comes their standing reads are as
 * small as can be, and nobody waits in a function: what an idle relay holds is
 * memory times their number.
 */
export class Relay {
  /** Resolves when both directions have ended; never rejects. */
  readonly ended: Promise<void>;
  /** Why it ended, undefined for well. */
  failure: ProxyError | undefined;
  readonly #client: Socket;
  readonly #backend: Socket;
  readonly #options: RelayOptions;
  // Held, so that whoever keeps a relay that is over keeps all of its kinds of
  // objects (session/specimens.ts).
  readonly #up: Direction;
  readonly #down: Direction;
  #open = 2;
  #resolve: () => void = () => {};

  /** Begins. */
  constructor(client: Socket, backend: Socket, options: RelayOptions) {
    this.#client = client;
    this.#backend = backend;
    this.#options = options;
    this.ended = new Promise((resolve) => this.#resolve = resolve);
    client.limitWrites(Infinity, options.idleCode);
    backend.limitWrites(Infinity, options.idleCode);
    client.settle();
    backend.settle();
    this.touch();
    this.#up = new Direction(this, client, backend);
    this.#down = new Direction(this, backend, client);
    this.#up.start();
    this.#down.start();
  }

  /** Bytes went through: neither direction is idle. */
  touch(): void {
    const { idle, idleCode } = this.#options;
    this.#client.armRead(idle, idleCode);
    this.#backend.armRead(idle, idleCode);
  }

  /** A direction is broken. That ends the other: nobody would read its bytes. */
  broken(thrown: unknown): void {
    this.failure ??= asProxyError(thrown);
    this.#client.abort(this.failure);
    this.#backend.abort(this.failure);
    this.directionEnded();
  }

  /** A direction is over. */
  directionEnded(): void {
    if (--this.#open > 0) return;
    this.#client.close();
    this.#backend.close();
    this.#resolve();
  }
}

/** One direction of a relay. */
class Direction {
  readonly #relay: Relay;
  readonly #from: Socket;
  readonly #to: Socket;

  constructor(relay: Relay, from: Socket, to: Socket) {
    this.#relay = relay;
    this.#from = from;
    this.#to = to;
  }

  /** Passes on what is held, then what comes. */
  start(): void {
    if (this.#from.held > 0) this.#pass();
    else this.#wait();
  }

  #wait(): void {
    try {
      this.#from.fill().then(this.#onFilled, this.#onBroken);
    } catch (thrown) {
      this.#onBroken(thrown);
    }
  }

  #pass(): void {
    this.#from.passTo(this.#to).then(this.#onPassed, this.#onBroken);
  }

  readonly #onFilled = (more: boolean): void => {
    if (more) this.#pass();
    else this.#to.closeWrite().then(this.#onEnded, this.#onBroken);
  };

  readonly #onPassed = (): void => {
    this.#relay.touch();
    this.#wait();
  };

  readonly #onEnded = (): void => this.#relay.directionEnded();

  readonly #onBroken = (thrown: unknown): void => this.#relay.broken(thrown);
}
