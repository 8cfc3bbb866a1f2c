/**
 * The opening handshake of a WebSocket session as part of its transaction: a
 * request like any other, with the same callback points.
 *
 * @module
 */
import type { WebSocketConfig } from "../config/config_cluster_parts.ts";
import { ProxyError } from "../errors.ts";
import type { RequestHead, ResponseHead } from "../message/head.ts";
import {
  asksForWebSocket,
  checkOrigin,
  Handshake,
} from "../websocket/handshake.ts";
import type { Attempt } from "./attempt.ts";
import type { Request } from "./request.ts";
import { Response } from "./response.ts";
import type { Transaction } from "./transaction.ts";
import type { Again } from "./tries.ts";

/** Checks a client's handshake before any backend hears of it. Throws a ProxyError. */
export function openHandshake(transaction: Transaction): void {
  const { head, request, snapshot, cluster } = transaction;
  if (!asksForWebSocket(head!)) return;
  const { websocket } = snapshot.cluster(cluster!)!.config;
  transaction.websocket = handshakeOf(head!, request!, websocket);
}

/**
 * The handshake of a request that asks for a session; undefined where it is to be
 * none. A tunnel's is the backend's affair but for its origin. Throws a
 * ProxyError.
 */
export function handshakeOf(
  head: RequestHead,
  request: Request,
  websocket: WebSocketConfig,
): Handshake | undefined {
  if (!asksForWebSocket(head)) return undefined;
  if (websocket.mode === "session") return new Handshake(request, websocket);
  checkOrigin(request.headers, websocket);
  return undefined;
}

/**
 * Judges a backend's final response to a handshake: a 101 must fit, a 3xx or 4xx
 * is this client's to have, and whatever else means that another backend is to
 * be asked. Throws a ProxyError of the backend's side.
 */
export function checkHandshake(
  { websocket }: Transaction,
  attempt: Attempt,
  head: ResponseHead,
  again: Again | undefined,
): void {
  if (websocket === undefined) return;
  const { status } = head;
  if (status === 101) {
    const key = attempt.websocketKey;
    if (again === undefined) websocket.checkResponse(head, key);
    else websocket.checkAgain(head, key);
  } else if (status >= 500 || (status >= 200 && status < 300)) {
    throw new ProxyError(
      "upgrade_refused",
      `The backend answered the WebSocket handshake with ${status}`,
    );
  }
}

/** The client's own 101 for the one that a backend gave; undefined for any other response. */
export function switchReply(
  { websocket }: Transaction,
  response: Response,
): Response | undefined {
  if (websocket === undefined || response.status !== 101) return undefined;
  return new Response({
    status: 101,
    reason: response.reason,
    fields: websocket.answerClient(response),
    from: "backend",
    bodyLength: undefined,
    method: "GET",
  });
}
