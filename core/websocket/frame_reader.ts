/**
 * Frames to whole messages: masks taken off, fragments put together, control
 * frames between them handed out at once, every limit held (RFC 6455 §5).
 *
 * A message of one frame that is all in the buffer is handed out where it lies;
 * only fragments and what outgrows the buffer are copied.
 *
 * @module
 */
import type { MessageKind } from "./link.ts";
import { FrameHeader, OPCODE, type Sender } from "./frame_header.ts";
import { applyMask } from "./mask.ts";
import { isValidUtf8 } from "./utf8.ts";
import { WebSocketError } from "./websocket_error.ts";

/** Whom frames are handed to; the bytes are valid within a call only. */
export interface FrameSink {
  message(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void;
  /** A Close, a Ping or a Pong. */
  control(opcode: number, bytes: Uint8Array, start: number, end: number): void;
}

/** What a reader waits for. */
export interface FrameReaderOptions {
  /** Whose frames it reads. */
  readonly sender: Sender;
  /** Bytes that a message may have. */
  readonly maxMessage: number;
}

/** The first buffer for a message in parts, in bytes. */
const FIRST_PARTS = 4 << 10;

const EMPTY = new Uint8Array(0);

/** Reads one side's frames. */
export class FrameReader {
  /** Bytes that the frame under way still needs beyond those held; 0 between frames. */
  missing = 0;
  readonly #header: FrameHeader;
  readonly #maxMessage: number;
  readonly #sink: FrameSink;
  /** The kind of the message in parts, 0 where none is under way. */
  #kind: MessageKind | 0 = 0;
  /** What of a message in parts is there. */
  #parts: Uint8Array = EMPTY;
  #size = 0;
  /** Bytes to come of a data frame's payload that is taken piece by piece. */
  #rest = 0;
  #phase = 0;
  /** The sink wants nothing more. */
  #stopped = false;

  constructor(sink: FrameSink, options: FrameReaderOptions) {
    this.#sink = sink;
    this.#maxMessage = options.maxMessage;
    this.#header = new FrameHeader(options.sender);
  }

  /** Bytes of a message that is not complete. */
  get gathered(): number {
    return this.#parts.length;
  }

  /** Hands out no more. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Hands out what is complete from `start` to `end`; where what is not consumed
   * begins. A frame whose payload is longer than `room`, what a buffer can hold,
   * is taken piece by piece. Throws a {@linkcode WebSocketError}.
   */
  read(bytes: Uint8Array, start: number, end: number, room: number): number {
    const header = this.#header;
    let at = start;
    this.missing = 0;
    while (!this.#stopped) {
      if (this.#rest > 0) {
        at = this.#takePiece(bytes, at, end);
        if (this.#rest > 0) return at;
        continue;
      }
      if (!header.read(bytes, at, end)) return at;
      this.#check();
      const payload = at + header.size;
      const frameEnd = payload + header.length;
      if (frameEnd > end) {
        if (header.size + header.length <= room) {
          this.missing = frameEnd - end;
          return at;
        }
        this.#begin();
        at = payload;
        continue;
      }
      if (header.mask !== 0) applyMask(bytes, payload, frameEnd, header.mask);
      this.#whole(bytes, payload, frameEnd);
      at = frameEnd;
    }
    return at;
  }

  #check(): void {
    const { opcode, length } = this.#header;
    if (opcode >= OPCODE.close) return;
    if ((opcode === OPCODE.continuation) !== (this.#kind !== 0)) {
      throw new WebSocketError(
        1002,
        opcode === OPCODE.continuation
          ? "continuation of nothing"
          : "new message within another",
      );
    }
    if (this.#size + length > this.#maxMessage) {
      throw new WebSocketError(1009, `message over ${this.#maxMessage} bytes`);
    }
  }

  /** A frame that is all at hand. */
  #whole(bytes: Uint8Array, start: number, end: number): void {
    const { opcode, final } = this.#header;
    if (opcode >= OPCODE.close) {
      this.#sink.control(opcode, bytes, start, end);
    } else if (final && opcode !== OPCODE.continuation) {
      this.#give(opcode as MessageKind, bytes, start, end);
    } else {
      if (opcode !== OPCODE.continuation) this.#kind = opcode as MessageKind;
      this.#gather(bytes, start, end);
      if (final) this.#complete();
    }
  }

  /** A data frame that no buffer can hold. */
  #begin(): void {
    const { opcode, length } = this.#header;
    if (opcode !== OPCODE.continuation) this.#kind = opcode as MessageKind;
    this.#rest = length;
    this.#phase = 0;
  }

  #takePiece(bytes: Uint8Array, start: number, end: number): number {
    const { mask, final } = this.#header;
    const count = Math.min(this.#rest, end - start);
    if (mask !== 0) applyMask(bytes, start, start + count, mask, this.#phase);
    this.#gather(bytes, start, start + count);
    this.#phase += count;
    this.#rest -= count;
    if (this.#rest === 0 && final) this.#complete();
    return start + count;
  }

  /** Doubles as it fills: what a head only claims costs no memory. */
  #gather(bytes: Uint8Array, start: number, end: number): void {
    const size = this.#size + end - start;
    if (size > this.#parts.length) {
      const room = Math.max(FIRST_PARTS, 2 * this.#parts.length, size);
      const parts = new Uint8Array(Math.min(room, this.#maxMessage));
      parts.set(this.#parts.subarray(0, this.#size));
      this.#parts = parts;
    }
    this.#parts.set(bytes.subarray(start, end), this.#size);
    this.#size = size;
  }

  #complete(): void {
    const kind = this.#kind as MessageKind;
    const parts = this.#parts;
    const size = this.#size;
    this.#kind = 0;
    this.#parts = EMPTY;
    this.#size = 0;
    this.#give(kind, parts, 0, size);
  }

  #give(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (kind === OPCODE.text && !isValidUtf8(bytes, start, end)) {
      throw new WebSocketError(1007, "text is no UTF-8");
    }
    this.#sink.message(kind, bytes, start, end);
  }
}
