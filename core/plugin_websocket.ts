/**
 * What plugins see of WebSocket sessions: valves that change messages,
 * listeners, dialers that bring backends of their own. Types, and nothing at run
 * time; `core/plugin.ts` exports all of them.
 *
 * @module
 */
import type { HttpRequest, ResponseParts, Transaction } from "./plugin.ts";

// ------------------------------------------------------------------- messages

/** A whole message of a session, as client and backend send them. */
export type WsMessage = WsText | WsBinary;

/** A message of text. */
export interface WsText {
  /** The opcode on the wire (RFC 6455 §5.2). */
  readonly type: 1;
  /** The text as UTF-8. Whoever is given it may change and keep the bytes. */
  readonly data: Uint8Array;
}

/** A message of bytes. */
export interface WsBinary {
  /** The opcode on the wire (RFC 6455 §5.2). */
  readonly type: 2;
  /** The payload. Whoever is given it may change and keep the bytes. */
  readonly data: Uint8Array;
}

/** How one side of a session ended, told to the other one: never on the wire, never shown to valves. */
export type WsClosure = WsNormalClosure | WsAbnormalClosure;

/**
 * One side closed. Without a code the other one is closed with 1000. From a
 * backend a code of the cluster's `websocket.abnormalCodes` means that it failed,
 * as it does where Headrace dials itself. To a backend: the session is done with
 * it, be it that the client closed (its code, none where it gave none), that the
 * client was lost (1001 and why) or that the session goes on elsewhere (1000).
 */
export interface WsNormalClosure {
  /** `ws.NORMAL_CLOSURE`. */
  readonly type: 32;
  /** The Close code, where there was one. */
  readonly code?: number | undefined;
  /** The Close reason, of which at most 123 bytes of UTF-8 get through. */
  readonly reason?: string | undefined;
}

/** The backend failed, whatever the code: the session looks for another one. Never goes to a backend. */
export interface WsAbnormalClosure {
  /** `ws.ABNORMAL_CLOSURE`. */
  readonly type: 64;
  /** The Close code, where there was one. */
  readonly code?: number | undefined;
  /** What happened, for people. */
  readonly reason?: string | undefined;
}

// ------------------------------------------------------------------- sessions

/** Something that begins to work once it is told to. */
export interface Starter {
  /** Begins to read and write. */
  readonly start: () => void | Promise<void>;
}

/** Something that begins to work and ends. */
export interface StartCloser extends Starter {
  /** Ends it. */
  readonly close: () => void | Promise<void>;
}

/** Something with a name for logs and listings. */
export interface Identifier {
  /** Unique among its kind. */
  readonly id: string;
}

/** A connection: it begins to work, ends and has a name. */
export interface StartCloseIdentifier extends StartCloser, Identifier {}

/** The client's side of a session. */
export interface FrontendConnection extends StartCloseIdentifier {
  /** The id of the address where the client came in, as `/frontend/list` tells it: `127-0-0-1-8080`. */
  readonly frontendId: string;
  /** Does nothing: it works once the session does. */
  readonly start: () => void;
  /** Ends the session: the client gets a Close with this code (1000) and reason, its backend one too. */
  readonly close: (code?: number, reason?: string) => void;
}

/**
 * The backend's side of a session. Of a connection that Headrace made itself
 * `start` does nothing, and `close` gives it up: the session goes on with another
 * backend. One that a dialer made is its own object.
 */
export interface BackendConnection extends StartCloseIdentifier {
  /**
   * Called once, before the first message that it may take: from here on it
   * takes messages from `fromFrontend` and sends to `toFrontend`. Not called
   * where nobody wants the connection any more. A failure is taken for a lost
   * backend.
   */
  readonly start: () => void | Promise<void>;
  /**
   * Called once when the session has done with it, whoever ended it: after its
   * own type 32 or 64, at once where it is given up, else at the latest 5 s
   * behind the type 32 that it was sent.
   */
  readonly close: () => void | Promise<void>;
  /** The id of the backend that it leads to. */
  readonly backendId: string;
  /** What the backend chose of the client's offer; undefined or empty for nothing. One that was not offered, or is another one than before on a re-dial, fails the dial. */
  readonly subprotocol?: string | undefined;
  /** Field lines for the client's 101, beside Headrace's own; of no effect on a re-dial. */
  readonly additionalHeaders?: ResponseParts["headers"] | undefined;
}

/** A session and one of its backends: each backend that it comes to has an object of its own. */
export interface ProxySession extends Identifier {
  /** The id of its handshake's transaction: the same whichever backend it is on. */
  readonly id: string;
  /** The transaction of its handshake, which lasts as long as the session. */
  readonly transaction: Transaction;
  /** The client's side: the same whichever backend it is on. */
  readonly frontend: FrontendConnection;
  /** The backend's side. */
  readonly backend: BackendConnection;
}

/**
 * Hears of sessions: `sessionCreated` when one begins, behind its valves and
 * before its first message, `sessionTerminated` when it is over. A change of the
 * backend is `sessionTerminated` with the old one, then `sessionCreated` with the
 * new one. May be async, nothing waits for it; what fails is logged and counted.
 */
export interface SessionListener {
  /** A session has come to a backend. */
  readonly sessionCreated?: (session: ProxySession) => void | Promise<void>;
  /** It has left it. */
  readonly sessionTerminated?: (session: ProxySession) => void | Promise<void>;
}

// --------------------------------------------------------------------- valves

/**
 * What a valve does with a message: it returns the message, a changed one, or
 * `null`, which discards it. Sync. One that throws or answers anything else (a
 * forgotten `return`, too) discards this message; it is counted, the first time
 * in a session it is logged, and the session lives.
 */
export type PassMessage = (message: WsMessage) => WsMessage | null;

/** Changes or drops single messages of one session. It needs one of both. */
export interface MessageValve {
  /** On the way from the client to the backend, in the list's order. */
  readonly beforeTransmit?: PassMessage;
  /** On the way from the backend to the client, in the reverse order. */
  readonly afterReceive?: PassMessage;
}

/** Gives sessions their valves; those of a cluster with `websocket.mode: tunnel` have no messages. */
export interface ValveProvider {
  /**
   * Called once per session, before its first message, in the order of handlers:
   * gets the valves so far and returns the list with its own, wherever they are
   * to stand. Sync. Where it fails, `onError: refuse` ends the session with 1011
   * and `ignore` goes on without it.
   */
  readonly addValves: (
    session: ProxySession,
    current: readonly MessageValve[],
  ) => readonly MessageValve[];
}

// -------------------------------------------------------------------- dialers

/**
 * The messages from the client, in their order, each to be had once. At most ten
 * wait for who takes them, then the client is read no further. What nobody took
 * when the connection ends goes to the next one.
 */
export interface MessageReceiver
  extends AsyncIterable<WsMessage | WsNormalClosure> {
  /** The next one, as soon as there is one; undefined once nothing comes any more: behind the closure, or where the connection is over. */
  readonly receive: () => Promise<WsMessage | WsNormalClosure | undefined>;
}

/** The way to the client. */
export interface MessageSender {
  /**
   * Hands a message over; resolves when there is room for another one. At most
   * ten wait for a client that is slow: who goes on without that promise fills
   * the memory. Rejects with a `TypeError` for what is no message, a text that is
   * no UTF-8 too, and with a `RangeError` for more than `websocket.maxMessage`
   * bytes. Once the connection is over nothing is sent, and nothing waits.
   */
  readonly send: (message: WsMessage | WsClosure) => Promise<void>;
}

/** For whom a backend is wanted. */
export interface BackendDialContext {
  /** `ws://host/path?query` or `wss:`: the host, path and query that the client asked for, escapes kept. */
  readonly url: string;
  /**
   * The client's fields for the backend: without those of its own handshake, of
   * the connection and of `websocket.blockHeaders`, with X-Forwarded-*,
   * Forwarded and Via, and on a re-dial with `websocket.reconnectHeader`. Yours
   * to change.
   */
  readonly headers: Headers;
  /** The client's messages. */
  readonly fromFrontend: MessageReceiver;
  /** Messages for the client. */
  readonly toFrontend: MessageSender;
  /** The connection that the session had before, where the same dialer made it; undefined on a first dial. */
  readonly oldConnection: BackendConnection | undefined;
  /** The id of the backend that is left and not to be chosen; undefined where any will do. */
  readonly leaving: string | undefined;
  /** The request of the handshake, with what handlers made of it. */
  readonly request: HttpRequest;
  /** Fires when nobody wants the connection any more: the client left, or the cluster's `timeouts.response` is over. */
  readonly signal: AbortSignal;
}

/**
 * Chooses backends and dials them, where a cluster's `dialer` names it: all
 * WebSocket sessions of the cluster go to it, other requests to the cluster's
 * own backends.
 *
 * Points 12 to 15 (forward to readResponseHeader) don't fire for its
 * connections: there is no backend, address or response of Headrace's to look at.
 * All others do, readResponse and sendResponseHeader with the 101 or with what a
 * declined client gets.
 *
 * Nothing tells Headrace what such a backend has read, so that nothing is sent
 * twice, as with `websocket.replay: none`: only what nobody took from
 * `fromFrontend` goes to the next connection. A dialer that knows better keeps
 * what is not acknowledged in its connection and sends it first on the next one,
 * which gets it as `oldConnection`.
 */
export interface BackendDialer {
  /**
   * Makes a connection; it is started later. Throws
   * `ws.connectionDeclined(…)` where a backend refuses this very client, who
   * then gets that response, on a re-dial a Close 1008 with the message.
   * Throws `ws.systemUnavailable(…)` where none can be had now: 502 for a new
   * client, one that has a session is held for `websocket.hold` while the dialer
   * is asked again. Whatever else it throws is counted and logged as its
   * failure: 500 for a new client, else as unavailable.
   */
  readonly dialUpstream: (
    context: BackendDialContext,
  ) => BackendConnection | Promise<BackendConnection>;
  /** What lets operators see and change its backends; without it these routes answer 501. */
  readonly administrator?: BackendAdministrator;
}

/** What became of an operator's wish: 1 done, 3 nothing to do, 4 failed. */
export type AdminResult = 1 | 3 | 4;

/**
 * A dialer's backends for operators. What comes and goes as JSON is the dialer's
 * own affair. It touches no live connection: Headrace moves the sessions of a
 * backend that was deleted, and leaves those of a disabled one alone. Called in
 * each worker; failures are counted, logged and answered as 4.
 */
export interface BackendAdministrator {
  /** All backends, for `JSON.stringify`. */
  readonly list: () => unknown;
  /** Adds the backend that parsed JSON tells of; what it answers is for `JSON.stringify`. */
  readonly add: (json: unknown) => unknown;
  /** One backend's config, for `JSON.stringify`. */
  readonly config: (id: string) => unknown;
  /** It gets no new sessions. */
  readonly disable: (id: string) => AdminResult | Promise<AdminResult>;
  /** It gets new sessions again. */
  readonly enable: (id: string) => AdminResult | Promise<AdminResult>;
  /** It is known no longer. */
  readonly delete: (id: string) => AdminResult | Promise<AdminResult>;
  /** Its circuit breaker is closed. */
  readonly reset: (id: string) => AdminResult | Promise<AdminResult>;
}

// --------------------------------------------------------------------- errors

/** Why a dialer brings no connection; recognised by a brand of its own, also in copies of this module. */
export interface RemoteSystemError extends Error, Identifier {
  /** The id of the backend, or of whatever else refused. */
  readonly id: string;
  /** The HTTP status that it answered with, where it did. */
  readonly code: number | undefined;
}

/** A backend refuses this very client: no other one is asked. */
export interface ConnectionDeclinedError extends RemoteSystemError {
  /** The status for the client. */
  readonly code: number;
  /** What the client gets beside the status. */
  readonly response: DeclinedResponse | undefined;
}

/** No backend can be had now: of the network, or 5xx. */
export interface SystemUnavailableError extends RemoteSystemError {
  /** Never a status for the client, who gets 502. */
  readonly code: number | undefined;
}

/** A refusal's fields and body; the status of a web `Response` is not looked at. */
export type DeclinedResponse =
  | Response
  | Pick<ResponseParts, "headers" | "body">;

/** What dialers need, in `setup`'s `ws`. */
export interface WebSocketTools {
  /**
   * The error of a backend that refuses this client. `code` is the status for the
   * client; throws a `RangeError` unless it is 300 to 599.
   */
  connectionDeclined(
    id: string,
    message: string,
    code: number,
    response?: DeclinedResponse,
  ): ConnectionDeclinedError;
  /** The error of backends that can't be had now. */
  systemUnavailable(
    id: string,
    message: string,
    code?: number,
  ): SystemUnavailableError;
  /** The type of a {@linkcode WsNormalClosure}. */
  readonly NORMAL_CLOSURE: 32;
  /** The type of a {@linkcode WsAbnormalClosure}. */
  readonly ABNORMAL_CLOSURE: 64;
  /** An administrator's answer: done. */
  readonly RESULT_SUCCESS: 1;
  /** An administrator's answer: nothing to do. */
  readonly RESULT_NO_ACTION: 3;
  /** An administrator's answer: failed. */
  readonly RESULT_FAILED: 4;
  /** The field that offers subprotocols. */
  readonly SUBPROTOCOL_HEADER: "Sec-WebSocket-Protocol";
  /** The field that names clients. */
  readonly FORWARDED_FOR_HEADER: "X-Forwarded-For";
}
