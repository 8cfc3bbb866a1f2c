/**
 * One try to get a response from a backend.
 *
 * @module
 */
import type { Cluster } from "../balance/cluster.ts";
import type { Waiting } from "../balance/slot_queue.ts";
import type { Backend } from "../connect/backend.ts";
import type { BackendConnection } from "../connect/backend_connection.ts";
import { ProxyError } from "../errors.ts";
import type { Socket } from "../net/socket.ts";
import type { TransformedBody } from "../message/transformed_body.ts";
import type { Permit } from "../health/backend_gates.ts";
import type { ConnectionFacts, SocketAddress } from "../plugin.ts";
import type { Request } from "./request.ts";
import type { Response } from "./response.ts";
import { AttemptView } from "./views.ts";

/** What happened in one attempt. */
export class Attempt {
  readonly number: number;
  readonly cluster: Cluster;
  /** The request as this attempt's handlers leave it. */
  readonly request: Request;
  backend: Backend;
  addresses: SocketAddress[] = [];
  /** The response of the last head that came, while its fields can be read. */
  response: Response | undefined;
  /** A WebSocket session that lives is dialled anew. */
  readonly reconnect: boolean;
  /** The key of its WebSocket handshake. */
  websocketKey = "";
  status = 0;
  error: ProxyError | undefined;
  /** The request's body behind its transforms, where it has any. */
  transformed: TransformedBody | undefined;
  /** It wants this backend and no other: a cookie or a handler says so. */
  pinned = false;
  #view: AttemptView | undefined;
  #fixed = false;
  #connection: BackendConnection | undefined;
  /** Its own: the next user of the connection changes the connection's. */
  #facts: ConnectionFacts | undefined;
  #using = false;
  /** Undefined while it waits for a slot of the backend. */
  #permit: Permit | undefined;
  #waiting: Waiting<Backend, Permit> | undefined;
  /** What its connection is since a 101. */
  #tunnel: Socket | undefined;
  /** Somebody else ends the connection's use. */
  #handedOver = false;
  /** What the backend's health is still to be told. */
  #untold: "result" | "end" | "nothing" = "result";

  /** `permit` is the backend's slot, undefined where none is free. */
  constructor(
    number: number,
    cluster: Cluster,
    backend: Backend,
    permit: Permit | undefined,
    request: Request,
    reconnect: boolean,
  ) {
    this.number = number;
    this.cluster = cluster;
    this.backend = backend;
    this.request = request;
    this.reconnect = reconnect;
    this.#permit = permit;
  }

  /** What plugins see of it. */
  get view(): AttemptView {
    return this.#view ??= new AttemptView(this);
  }

  /** From resolve on its backend stays. */
  fix(): void {
    this.#fixed = true;
  }

  /** Takes another backend of the cluster. Throws a `RangeError` where that can't be. */
  replaceBackend(id: string): void {
    if (this.#fixed) {
      throw new RangeError("Cannot set the backend later than at forward");
    }
    const backend = this.cluster.find(id);
    if (backend === undefined) {
      throw new RangeError(
        `Cannot set the backend as the cluster "${this.cluster.name}" has none of this id: current value is ${
          JSON.stringify(id)
        }`,
      );
    }
    this.#leave();
    this.backend = backend;
    this.pinned = true;
    this.#untold = "result";
    // Who chooses it by name wants it however it is, but not beyond its bound.
    this.#permit = backend.takeSlot() ??
      (backend.hasSlot ? backend.health.beginAnyway() : undefined);
  }

  /** Whether it has no slot of its backend yet. */
  get waits(): boolean {
    return this.#permit === undefined;
  }

  /** Waits for a slot, of whichever backend has one. Rejects with a ProxyError. */
  async wait(waiting: Waiting<Backend, Permit>): Promise<void> {
    this.#waiting = waiting;
    const { backend, permit } = await waiting.granted;
    this.#waiting = undefined;
    if (this.#untold === "nothing") {
      // It was given up in the moment between the grant and here.
      backend.leave(permit);
      throw GIVEN_UP;
    }
    this.backend = backend;
    this.#permit = permit;
  }

  /** Throws where it was given up. */
  checkWanted(): void {
    if (this.#untold === "nothing") throw GIVEN_UP;
  }

  /** Uses a connection until `release` or `close`. Throws where the attempt was given up before it was there. */
  use(connection: BackendConnection): void {
    if (this.#untold === "nothing") {
      connection.close();
      throw GIVEN_UP;
    }
    const { remote, reused } = connection.facts;
    this.#connection = connection;
    this.#facts = { remote, reused };
    this.#using = true;
  }

  /** The connection, also after its use. */
  get connection(): BackendConnection | undefined {
    return this.#connection;
  }

  /** Facts of the connection when its use began. */
  get facts(): ConnectionFacts | undefined {
    return this.#facts;
  }

  /** The backend's final response has this status. */
  answered(status: number): void {
    if (this.#untold !== "result" || this.#permit === undefined) return;
    this.#untold = "end";
    this.backend.health.answered(status, this.#permit);
  }

  /** It failed before a final response. */
  failed(error: ProxyError): void {
    const permit = this.#permit;
    if (this.#untold !== "result" || permit === undefined) return;
    this.#untold = "end";
    // A backend may close a connection that waits; that says nothing of it.
    const stale = error.code === "backend_closed" &&
      this.#facts?.reused === true && !this.#connection!.answered;
    if (!stale) this.backend.health.failed(error, permit);
  }

  /** Gives the slot back, or waits for one no longer. */
  #leave(): void {
    this.#waiting?.leave(GIVEN_UP);
    this.#waiting = undefined;
    if (this.#untold === "nothing") return;
    this.#untold = "nothing";
    if (this.#permit !== undefined) this.backend.leave(this.#permit);
  }

  /**
   * Hands the connection over with the rest of the response's body, which may
   * outlive the transaction: `release` and `close` are from here on whose it is.
   */
  handOver(): { readonly release: () => void; readonly close: () => void } {
    this.#handedOver = true;
    return { release: () => this.#release(), close: () => this.#close() };
  }

  /**
   * After a 101: hands over the connection, with whose end the attempt ends.
   * Nothing else of it is held: a silent tunnel would hold a KB for nothing.
   */
  tunnel(): Socket {
    const socket = this.#connection!.tunnel();
    const ended = socket.onClosed;
    const closed = () => {
      ended?.();
      this.#leave();
    };
    socket.onClosed = closed;
    this.#connection = undefined;
    this.#using = false;
    this.#tunnel = socket;
    return socket;
  }

  /** Nobody is to see any more what came of it. */
  forget(): void {
    this.response = undefined;
    this.addresses = NO_ADDRESSES;
    this.#facts = undefined;
  }

  /** Ends the use of the connection: kept for others where both messages are complete. */
  release(): void {
    if (!this.#handedOver) this.#release();
  }

  #release(): void {
    this.#leave();
    if (!this.#using) return;
    this.#using = false;
    this.#connection!.release();
  }

  /** Ends the connection. */
  close(): void {
    if (!this.#handedOver) this.#close();
  }

  #close(): void {
    this.#leave();
    this.#tunnel?.abort(GIVEN_UP);
    if (!this.#using) return;
    this.keepViews();
    this.#using = false;
    this.#connection!.close();
  }

  /** The connection is about to be ended or used by others, but handlers may still read the response's fields. */
  keepViews(): void {
    if (this.#using) this.response?.fields.keep();
  }
}

const NO_ADDRESSES: SocketAddress[] = [];

const GIVEN_UP = new ProxyError("client_closed", "The attempt was given up");
