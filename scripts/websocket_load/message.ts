/**
 * The numbered messages of a load. All bytes are ASCII, so that a message may go
 * as text and as binary.
 *
 * @module
 */
import type { MessageKind } from "../../core/websocket/link.ts";

/** What a message says. */
export interface NumberedMessage {
  /** Who sent it: a client's number or a backend connection's. */
  readonly sender: number;
  /** Counts the sender's messages from 1. */
  readonly number: number;
  /** The number of the client's message that a backend answers; 0 for a push, and for a client's own. */
  readonly answers: number;
}

/** Digits of 7 bits for each of the three. */
const DIGITS = 5;

/** The shortest message, in bytes. */
export const MIN_MESSAGE = 3 * DIGITS;

/** Every other message is text: its kind is part of what may get lost. */
export function kindOf(number: number): MessageKind {
  return number % 2 === 1 ? 1 : 2;
}

/** Fills the bytes with a message: all three numbers, then what only this message has. */
export function writeMessage(
  bytes: Uint8Array,
  { sender, number, answers }: NumberedMessage,
): void {
  writeDigits(bytes, 0, sender, DIGITS);
  writeDigits(bytes, DIGITS, number, DIGITS);
  writeDigits(bytes, 2 * DIGITS, answers, DIGITS);
  for (let i = MIN_MESSAGE; i < bytes.length; i++) {
    bytes[i] = (number + i) & 0x7f;
  }
}

/** Reads one; undefined where any of its bytes, its size or its kind is not as it was sent. */
export function readMessage(
  kind: MessageKind,
  bytes: Uint8Array,
  start: number,
  end: number,
  size: number,
): NumberedMessage | undefined {
  if (end - start !== size) return undefined;
  const sender = readDigits(bytes, start, DIGITS);
  const number = readDigits(bytes, start + DIGITS, DIGITS);
  const answers = readDigits(bytes, start + 2 * DIGITS, DIGITS);
  if (kind !== kindOf(number)) return undefined;
  for (let i = MIN_MESSAGE; i < size; i++) {
    if (bytes[start + i] !== ((number + i) & 0x7f)) return undefined;
  }
  return { sender, number, answers };
}

/** Writes a number below 128 to the power of `count`, its highest digit first. */
export function writeDigits(
  bytes: Uint8Array,
  at: number,
  value: number,
  count: number,
): void {
  let rest = value;
  for (let i = count - 1; i >= 0; i--) {
    bytes[at + i] = rest % 128;
    rest = Math.floor(rest / 128);
  }
}

/** Reads what `writeDigits` wrote. */
export function readDigits(
  bytes: Uint8Array,
  at: number,
  count: number,
): number {
  let value = 0;
  for (let i = 0; i < count; i++) value = value * 128 + bytes[at + i]!;
  return value;
}
