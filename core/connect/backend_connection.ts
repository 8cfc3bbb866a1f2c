/**
 * A connection to a backend as a transaction knows it: it carries one request
 * and its response at a time, whatever the protocol.
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import type { OutgoingRequest, ResponseHead } from "../message/head.ts";
import type { Socket } from "../net/socket.ts";
import type { ConnectionFacts } from "../plugin.ts";

/** A new or pooled connection, ready for a request. */
export interface BackendConnection {
  readonly facts: ConnectionFacts;
  /**
   * Sends the head and, in the same write, what of the body is at hand; the rest
   * of the body follows by itself while the response is read. Rejects with a
   * ProxyError of the backend's side.
   */
  send(request: OutgoingRequest, body: BodyReader | null): Promise<void>;
  /** Waits at most so many milliseconds for the next head, interim ones too. */
  readHead(timeout: number): ResponseHead | Promise<ResponseHead>;
  /** The body of the final response that `readHead` gave; null where it has none. `idle` milliseconds may pass between reads. */
  body(idle: number): BodyReader | null;
  /** Why sending the request's body failed, where it did. */
  readonly uploadError: ProxyError | undefined;
  /** Resolves when the request's body is sent or has failed; null where all was sent at once. */
  readonly upload: Promise<void> | null;
  /** Whether any byte of a response came. */
  readonly answered: boolean;
  /** Whether nothing of the request was written, nor read of its body: it can be sent again, whatever it asks for. */
  readonly untouched: boolean;
  /** After a 101: hands over the connection. */
  tunnel(): Socket;
  /** Ends this use: back to the pool where both messages are complete, else closed. */
  release(): void;
  /** Ends this use and the connection. */
  close(): void;
}
