/**
 * Payloads of Close frames (RFC 6455 §5.5.1, §7.4): a code and a reason.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import { MAX_CONTROL } from "./frame_header.ts";
import { WebSocketError } from "./websocket_error.ts";

/** A Close had no code. Never on the wire. */
export const NO_STATUS = 1005;

/** No Close came. Never on the wire. */
export const ABNORMAL = 1006;

/** What a Close says. */
export interface ClosePayload {
  readonly code: number;
  readonly reason: string;
}

/** Reads one. Throws a {@linkcode WebSocketError}. */
export function readClosePayload(
  bytes: Uint8Array,
  start: number,
  end: number,
): ClosePayload {
  if (end === start) return { code: NO_STATUS, reason: "" };
  if (end - start === 1) throw new WebSocketError(1002, "half a close code");
  const code = bytes[start]! << 8 | bytes[start + 1]!;
  if (!mayBeSent(code)) throw new WebSocketError(1002, `close code ${code}`);
  const text = bytes.subarray(start + 2, end);
  if (!isUtf8(text)) {
    throw new WebSocketError(1007, "close reason is no UTF-8");
  }
  return { code, reason: decoder.decode(text) };
}

/**
 * The payload for a code and a reason; empty for 1005. A reason that is too long
 * is cut between characters. A code that may not be sent becomes 1001, "going
 * away": 1006's cause is that the other side is gone.
 */
export function closePayload(code: number, reason: string): Uint8Array {
  if (code === NO_STATUS) return new Uint8Array(0);
  const payload = new Uint8Array(MAX_CONTROL);
  const sent = mayBeSent(code) ? code : 1001;
  payload[0] = sent >> 8;
  payload[1] = sent;
  const { written } = encoder.encodeInto(reason, payload.subarray(2));
  return payload.subarray(0, 2 + written);
}

/** Whether the code may stand in a Close: RFC 6455 §7.4.2 and what IANA has registered since (1012 to 1014). */
export function mayBeSent(code: number): boolean {
  return (code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_STATUS &&
    code !== ABNORMAL) || (code >= 3000 && code <= 4999);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
