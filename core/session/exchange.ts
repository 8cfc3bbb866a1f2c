/**
 * The client's side of one transaction as the transaction knows it: an HTTP/1.1
 * connection's current message, later an HTTP/2 stream.
 *
 * @module
 */
import type { BodyReader, RequestBody } from "../message/body.ts";
import type { OutgoingResponse, RequestHead } from "../message/head.ts";
import type { ProxyError } from "../errors.ts";
import type { Socket } from "../net/socket.ts";

/** Who waits for what becomes of an exchange. */
export interface ExchangeOwner {
  /** The client is gone for good. */
  clientGone(reason: ProxyError): void;
}

/**
 * What goes on when the functions that began it have returned: where each of
 * them waited for it, a silent tunnel would hold all their frames (measured:
 * 450 bytes each).
 */
export interface Lasting {
  /** Resolves when it is over; never rejects. */
  readonly over: Promise<unknown>;
  /** Does what is then left to be done. Throws or rejects with a ProxyError. */
  end(): void | Promise<void>;
}

/** One request of a client and the way to answer it. */
export interface ClientExchange {
  /**
   * The request's head, without a promise where it is at hand. Fails with a
   * ProxyError of the client's side.
   */
  readHead(): RequestHead | Promise<RequestHead>;
  /** The request's body, null where it has none; after `readHead`. */
  readonly body: RequestBody | null;
  /** Whether so much of the request's body is still to come that the connection can't be kept. */
  readonly mustClose: boolean;
  /** Notices from here on when the client resets the connection, as far as that can be told. */
  watch(): void;
  /** Is told of the client's end. */
  owner: ExchangeOwner | undefined;
  /** Whether the client takes interim responses (HTTP/1.0 has none). */
  readonly takesInterim: boolean;
  /** Sends a 1xx. */
  sendInterim(response: OutgoingResponse): Promise<void>;
  /**
   * Sends the final response with its body; with `close` the connection (for
   * HTTP/2 the session) ends after it. Rejects with a ProxyError: of the
   * client's side where it can't be written, else the response's own. What was
   * begun is then broken off so that the client can tell; where no byte of it
   * was sent, another response can be.
   */
  send(
    response: OutgoingResponse,
    body: BodyReader | null,
    options: { readonly close: boolean },
  ): Promise<void>;
  /** Sends a 101 and hands over the connection: bytes from here on are the tunnel's. */
  switchProtocols(response: OutgoingResponse): Promise<Socket>;
  /** Breaks the exchange off: nothing (more) is sent. */
  abort(reason: ProxyError): void;
  /** Bytes of this exchange read from the client so far. */
  readonly bytesIn: number;
  /** Bytes of this exchange written to the client so far. */
  readonly bytesOut: number;
}
