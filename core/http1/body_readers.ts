/**
 * Bodies of HTTP/1.1 messages, pulled out of a socket's inbound buffer.
 *
 * @module
 */
import { type FailureCode, ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import type { Socket } from "../net/socket.ts";
import type { ChunkDecoder } from "./chunk_decoder.ts";

/** How reads of a body are bounded. */
export interface BodyReadOptions {
  /** Milliseconds that may pass between two reads. */
  readonly idle: number;
  /** What a longer wait is called. */
  readonly idleCode: FailureCode;
  /** What an end before the body's end is called. */
  readonly truncatedCode: FailureCode;
  /** Bytes that the body may have; `Infinity` for any number. */
  readonly limit: number;
  /** Whether a late read leaves the connection open, so that it can be answered. */
  readonly interruptible: boolean;
}

/** What all three have in common: the piece at hand and how to wait for another. */
abstract class SocketBody implements BodyReader {
  bytes: Uint8Array;
  start = 0;
  end = 0;
  last = false;
  /** Milliseconds that may pass between two reads. */
  idle: number;
  protected readonly socket: Socket;
  protected readonly options: BodyReadOptions;

  constructor(socket: Socket, options: BodyReadOptions) {
    this.socket = socket;
    this.options = options;
    this.idle = options.idle;
    this.bytes = socket.bytes;
  }

  get tailroom(): number {
    const { socket } = this;
    if (this.bytes !== socket.bytes) return 0;
    return (socket.held === 0 ? this.bytes.length : socket.start) - this.end;
  }

  abstract advance(): boolean;

  async next(): Promise<boolean> {
    if (this.last) return false;
    for (;;) {
      if (this.advance()) return this.end > this.start;
      const { socket, options } = this;
      socket.armRead(this.idle, options.idleCode);
      const more = await (options.interruptible
        ? socket.fillInterruptibly()
        : socket.fill());
      socket.disarmRead();
      if (!more) {
        this.atEnd();
        return false;
      }
    }
  }

  cancel(): void {
    if (this.last) return;
    this.socket.interruptRead(
      new ProxyError("client_closed", "The rest of the body is not wanted"),
    );
  }

  /** The peer ended its direction before the body was known to be complete. */
  protected atEnd(): void {
    throw new ProxyError(
      this.options.truncatedCode,
      "The peer ended the connection within a body",
    );
  }

  /** Takes the piece from `start` to `end` of the socket's buffer. */
  protected take(start: number, end: number): void {
    this.bytes = this.socket.bytes;
    this.start = start;
    this.end = end;
  }
}

/** A body of declared length. */
export class LengthBody extends SocketBody {
  /** Bytes that are still to come. */
  remaining: number;

  constructor(socket: Socket, length: number, options: BodyReadOptions) {
    super(socket, options);
    this.remaining = length;
  }

  override advance(): boolean {
    const { socket } = this;
    const count = Math.min(this.remaining, socket.held);
    if (count === 0 && this.remaining > 0) return false;
    this.take(socket.start, socket.start + count);
    socket.start += count;
    this.remaining -= count;
    this.last = this.remaining === 0;
    return true;
  }
}

/** A body in chunks, without their framing. */
export class ChunkedBody extends SocketBody {
  readonly #decoder: ChunkDecoder;
  #total = 0;

  constructor(
    socket: Socket,
    decoder: ChunkDecoder,
    options: BodyReadOptions,
  ) {
    super(socket, options);
    this.#decoder = decoder;
  }

  override advance(): boolean {
    const { socket } = this;
    const decoder = this.#decoder;
    if (socket.held === 0) return false;
    socket.start = decoder.decode(socket.bytes, socket.start, socket.end);
    this.take(decoder.dataStart, decoder.dataEnd);
    this.#total += this.end - this.start;
    if (this.#total > this.options.limit) {
      throw new ProxyError(
        "body_too_large",
        `The body exceeds ${this.options.limit} bytes`,
      );
    }
    this.last = decoder.done;
    return this.last || this.end > this.start;
  }
}

/** A body that ends with the connection: responses of old backends. */
export class UntilEndBody extends SocketBody {
  override advance(): boolean {
    const { socket } = this;
    if (socket.held === 0) return false;
    this.take(socket.start, socket.end);
    socket.start = socket.end;
    return true;
  }

  protected override atEnd(): void {
    this.start = this.end = 0;
    this.last = true;
  }
}
