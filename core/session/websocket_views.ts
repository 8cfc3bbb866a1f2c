/**
 * What plugins see of WebSocket sessions: objects of their own with the members
 * of `core/plugin.ts` and no more.
 *
 * @module
 */
import type {
  BackendConnection,
  FrontendConnection,
  ProxySession,
  Transaction as TransactionFacts,
} from "../plugin.ts";
import { mayBeSent } from "../websocket/close_payload.ts";
import type { Attempt } from "./attempt.ts";
import type { SessionBackend, WebSocketSession } from "./websocket_session.ts";

/** A session on one of its backends. */
export class ProxySessionView implements ProxySession {
  readonly #session: WebSocketSession;
  readonly frontend: FrontendConnection;
  readonly backend: BackendConnection;

  constructor(
    session: WebSocketSession,
    frontend: FrontendConnection,
    backend: BackendConnection,
  ) {
    this.#session = session;
    this.frontend = frontend;
    this.backend = backend;
  }

  get id(): string {
    return this.#session.id;
  }
  get transaction(): TransactionFacts {
    return this.#session.transaction.view;
  }
}

/** The client's side. */
export class FrontendView implements FrontendConnection {
  readonly #session: WebSocketSession;

  constructor(session: WebSocketSession) {
    this.#session = session;
  }

  get id(): string {
    return this.#session.id;
  }
  get frontendId(): string {
    return this.#session.frontendId;
  }
  start(): void {}
  close(code = 1000, reason = ""): void {
    if (!mayBeSent(code)) {
      throw new RangeError(
        `Cannot close with a code that may not be sent: current value is ${code}`,
      );
    }
    this.#session.close(code, String(reason));
  }
}

/** A backend's side where Headrace dialled itself. */
export class OwnConnectionView implements BackendConnection {
  readonly #session: WebSocketSession;
  readonly #backend: SessionBackend;
  readonly #attempt: Attempt;

  constructor(
    session: WebSocketSession,
    backend: SessionBackend,
    attempt: Attempt,
  ) {
    this.#session = session;
    this.#backend = backend;
    this.#attempt = attempt;
  }

  get id(): string {
    return `${this.#session.id}.${this.#attempt.number}`;
  }
  get backendId(): string {
    return this.#backend.backendId;
  }
  get subprotocol(): string | undefined {
    return this.#session.transaction.websocket!.subprotocol;
  }
  /** What of its 101 may be passed on. */
  get additionalHeaders(): [string, string][] {
    const { cluster, response } = this.#attempt;
    return cluster.config.websocket.passHeaders.flatMap((name) =>
      response!.headers.getAll(name).map((value): [string, string] => [
        name,
        value,
      ])
    );
  }
  start(): void {}
  close(): void {
    this.#session.leave(this.#backend);
  }
}
