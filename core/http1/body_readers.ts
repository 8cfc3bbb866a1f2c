/**
 * Bodies of HTTP/1.1 messages, pulled out of a socket's inbound buffer.
 *
 * @module
 */
import { type FailureCode, ProxyError } from "../errors.ts";
import { HEADROOM, type RequestBody } from "../message/body.ts";
import type { ListFields } from "../message/list_fields.ts";
import type { Socket } from "../net/socket.ts";
import type { ChunkDecoder } from "./chunk_decoder.ts";

/** How reads of a body are bounded. */
export interface BodyReadOptions {
  /** Milliseconds that may pass between two reads. */
  readonly idle: number;
  /** The peer may wait to be asked for it: time runs from its first byte on, or from `limitIdle`. Default false. */
  readonly onDemand?: boolean;
  /** What a longer wait is called. */
  readonly idleCode: FailureCode;
  /** What an end before the body's end is called. */
  readonly truncatedCode: FailureCode;
  /** Bytes that the body may have; `Infinity` for any number. */
  readonly limit: number;
  /** Whether a late read leaves the connection open, so that it can be answered. */
  readonly interruptible: boolean;
  /** Called when the last of several pieces is there. */
  readonly onComplete?: () => void;
}

/** Refuses a body that says that it is larger than may be. Throws `body_too_large`. */
export function checkBodyLength(length: number, limit: number): void {
  if (length <= limit) return;
  throw new ProxyError(
    "body_too_large",
    `The body's ${length} bytes exceed ${limit}`,
  );
}

/** What all three have in common: the piece at hand and how to wait for another. */
export abstract class SocketBody implements RequestBody {
  bytes: Uint8Array;
  start = 0;
  end = 0;
  last = false;
  /** Reading it has failed: what follows on the connection is not known any more. */
  broken = false;
  protected readonly socket: Socket;
  protected readonly options: BodyReadOptions;
  /** Somebody waits for the next piece. */
  waiting = false;
  readonly #headBytes: Uint8Array;
  readonly #headEnd: number;
  #idle: number;
  #cancelled = false;

  constructor(socket: Socket, options: BodyReadOptions) {
    this.socket = socket;
    this.options = options;
    this.#idle = options.onDemand === true ? Infinity : options.idle;
    this.bytes = this.#headBytes = socket.bytes;
    this.#headEnd = socket.start;
  }

  get headroom(): number {
    return this.bytes === this.#headBytes
      ? Math.min(this.start - this.#headEnd, HEADROOM)
      : HEADROOM;
  }

  get tailroom(): number {
    const { socket, options } = this;
    if (this.bytes !== socket.bytes) return 0;
    // A read may be posted behind the piece while that is still being written.
    if (options.interruptible) return 0;
    return (socket.held === 0 ? this.bytes.length : socket.start) - this.end;
  }

  abstract advance(): boolean;

  async next(): Promise<boolean> {
    if (this.last) return false;
    try {
      for (;;) {
        if (this.advance()) {
          if (this.last) this.options.onComplete?.();
          return this.end > this.start;
        }
        if (this.#cancelled) throw unwanted();
        if (!await this.#fill()) {
          this.atEnd();
          return false;
        }
      }
    } catch (thrown) {
      this.broken ||= !this.#cancelled;
      throw thrown;
    }
  }

  async #fill(): Promise<boolean> {
    const { socket, options } = this;
    this.waiting = true;
    socket.armRead(this.#idle, options.idleCode);
    try {
      const more = await (options.interruptible
        ? socket.fillInterruptibly()
        : socket.fill());
      // A peer that did not wait to be asked has begun.
      if (this.#idle === Infinity) {
        this.#idle = options.idle;
      }
      return more;
    } finally {
      this.waiting = false;
      socket.disarmRead();
    }
  }

  /** From here on so many milliseconds may pass between two reads, also in a wait that has begun. */
  limitIdle(milliseconds: number): void {
    this.#idle = milliseconds;
    if (this.waiting) {
      this.socket.armRead(milliseconds, this.options.idleCode);
    }
  }

  cancel(): void {
    if (this.last) return;
    // Whoever writes a piece at the moment comes for the next one later.
    this.#cancelled = true;
    this.socket.interruptRead(unwanted());
  }

  resume(): void {
    this.#cancelled = false;
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

function unwanted(): ProxyError {
  return new ProxyError("client_closed", "The rest of the body is not wanted");
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
  readonly trailers: ListFields | undefined;
  readonly #decoder: ChunkDecoder;
  #total = 0;

  constructor(
    socket: Socket,
    decoder: ChunkDecoder,
    options: BodyReadOptions,
  ) {
    super(socket, options);
    this.trailers = decoder.trailers;
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
