/**
 * What a peer did that the WebSocket protocol does not allow.
 *
 * @module
 */

/** A violation, with the Close code that tells the peer (RFC 6455 §7.4.1). */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError";
  /** 1002 protocol, 1007 no UTF-8, 1009 too big. */
  readonly code: 1002 | 1007 | 1009;

  constructor(code: 1002 | 1007 | 1009, message: string) {
    super(message);
    this.code = code;
  }
}
