/**
 * Heads of WebSocket frames (RFC 6455 §5.2), read and written.
 *
 * @module
 */
import { WebSocketError } from "./websocket_error.ts";

/** Opcodes. */
export const OPCODE = Object.freeze({
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
});

/** Payloads of control frames are no longer. */
export const MAX_CONTROL = 125;

/** A head is no longer: two bytes, eight of length, four of mask. */
export const MAX_HEADER = 14;

/** Whose frames are read. */
export type Sender = "client" | "server";

/** The head of one frame; used again for the next one. */
export class FrameHeader {
  final = false;
  opcode = 0;
  /** Bytes of the payload. */
  length = 0;
  /** The mask, its first byte the lowest; 0 where there is none. */
  mask = 0;
  /** Bytes of the head itself. */
  size = 0;
  readonly #masked: boolean;

  /** A client's frames are masked, a server's are not (RFC 6455 §5.1). */
  constructor(sender: Sender) {
    this.#masked = sender === "client";
  }

  /**
   * Reads the head that begins at `start`; false where more bytes are needed.
   * Throws a {@linkcode WebSocketError} for one that the protocol does not have:
   * no extension is ever agreed on, so that reserved bits are errors.
   */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const held = end - start;
    if (held < 1) return false;
    const first = bytes[start]!;
    checkFirst(first);
    if (held < 2) return false;
    const second = bytes[start + 1]!;
    if ((second & 0x80) !== 0 !== this.#masked) {
      throw new WebSocketError(
        1002,
        this.#masked ? "incorrect mask flag" : "a server's frame is masked",
      );
    }
    const opcode = first & 0x0f;
    const short = second & 0x7f;
    if (opcode >= 8 && short > MAX_CONTROL) {
      throw new WebSocketError(1002, "control frame too long");
    }
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    const size = 2 + extended + (this.#masked ? 4 : 0);
    if (held < size) return false;
    this.final = (first & 0x80) !== 0;
    this.opcode = opcode;
    this.size = size;
    this.length = extended === 0
      ? short
      : readLength(bytes, start + 2, extended);
    this.mask = this.#masked ? readWord(bytes, start + size - 4) : 0;
    return true;
  }
}

function checkFirst(first: number): void {
  if ((first & 0x70) !== 0) {
    throw new WebSocketError(1002, "reserved bits set");
  }
  const opcode = first & 0x0f;
  if (opcode > 10 || (opcode > 2 && opcode < 8)) {
    throw new WebSocketError(1002, `unknown opcode ${opcode}`);
  }
  if (opcode >= 8 && (first & 0x80) === 0) {
    throw new WebSocketError(1002, "fragmented control frame");
  }
}

function readLength(bytes: Uint8Array, at: number, count: 2 | 8): number {
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + bytes[at + i]!;
  if (length < (count === 2 ? 126 : 0x10000)) {
    throw new WebSocketError(1002, "length not in its shortest form");
  }
  // The highest bit must be 0; what exceeds 2^53 exceeds every limit as well.
  if (count === 8 && bytes[at]! > 0x7f) {
    throw new WebSocketError(1002, "length out of range");
  }
  return length;
}

function readWord(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 |
    bytes[at + 3]! << 24;
}

/** Bytes of the head of a frame with such a payload. */
export function headerSize(length: number, masked: boolean): number {
  return (length < 126 ? 2 : length < 0x10000 ? 4 : 10) + (masked ? 4 : 0);
}

/**
 * Writes the head of an unfragmented frame; where the payload begins. `mask` is
 * undefined for a server's frame.
 */
export function writeFrameHeader(
  out: Uint8Array,
  at: number,
  opcode: number,
  length: number,
  mask: number | undefined,
): number {
  const flag = mask === undefined ? 0 : 0x80;
  out[at] = 0x80 | opcode;
  let end = at + 2;
  if (length < 126) {
    out[at + 1] = flag | length;
  } else if (length < 0x10000) {
    out[at + 1] = flag | 126;
    out[at + 2] = length >> 8;
    out[at + 3] = length;
    end += 2;
  } else {
    out[at + 1] = flag | 127;
    let rest = length;
    for (let i = 7; i >= 0; i--) {
      out[at + 2 + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    end += 8;
  }
  if (mask !== undefined) {
    out[end] = mask;
    out[end + 1] = mask >>> 8;
    out[end + 2] = mask >>> 16;
    out[end + 3] = mask >>> 24;
    end += 4;
  }
  return end;
}
