/**
 * A client's HTTP/1.1 connection: requests read one after another, each handed
 * to whoever runs transactions, each answered in order.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import type { OutgoingResponse, RequestHead } from "../message/head.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Clock } from "../net/clock.ts";
import type { Socket } from "../net/socket.ts";
import type { ClientExchange } from "../session/exchange.ts";
import {
  type BodyReadOptions,
  ChunkedBody,
  LengthBody,
} from "./body_readers.ts";
import { ChunkDecoder } from "./chunk_decoder.ts";
import { HeadIndex } from "./head_index.ts";
import type { DateLine } from "./http_date.ts";
import { Http1RequestHead } from "./request_head.ts";
import { parseRequestHead, skipEmptyLines } from "./request_parser.ts";
import { writeMessage } from "./write_body.ts";
import { writeResponseHead } from "./write_head.ts";

/** What a client may send. */
export interface RequestLimits {
  readonly headerBytes: number;
  readonly headers: number;
  readonly targetBytes: number;
  /** Bytes of a body, `Infinity` for any number. */
  readonly bodyBytes: number;
}

/** How long a client may take, in milliseconds. */
export interface ClientTimeouts {
  /** For a whole head, from its first byte. */
  readonly header: number;
  /** Between two reads of a body. */
  readonly body: number;
  /** For a write to get on. */
  readonly write: number;
  /** Between two requests. */
  readonly keepAlive: number;
}

/** What a connection needs of its surroundings. */
export interface Http1ClientOptions {
  readonly buffers: Buffers;
  readonly clock: Clock;
  readonly date: DateLine;
  readonly limits: RequestLimits;
  readonly timeouts: ClientTimeouts;
}

/** Bytes of empty lines before a request that are ignored (RFC 9112 §2.2). */
const MAX_EMPTY = 64;

/** An unread body of at most so many bytes is drained to keep the connection (design.md §2). */
const MAX_DRAIN = 64 << 10;

/** How long a drain may take, in milliseconds. */
const DRAIN_TIME = 1_000;

/** A transaction that waits so long gets to know when its client resets, in milliseconds. */
const WATCH_AFTER = 200;

/** One connection; it is the exchange of the request at hand too. */
export class Http1ClientConnection implements ClientExchange {
  onGone: ((reason: ProxyError) => void) | undefined;

  readonly #socket: Socket;
  readonly #options: Http1ClientOptions;
  readonly #index: HeadIndex;
  #head: Http1RequestHead | undefined;
  #reader: LengthBody | ChunkedBody | null = null;
  #keepAlive = true;
  #draining = false;
  #waiting = false;
  #switched = false;
  #continued = false;
  #answered = false;
  #first = true;
  #bytesInBefore = 0;
  #bytesOutBefore = 0;

  constructor(socket: Socket, options: Http1ClientOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#index = new HeadIndex(options.limits.headers);
    socket.onLost = () =>
      this.onGone?.(
        new ProxyError("client_closed", "The client reset the connection"),
      );
  }

  /**
   * Runs exchanges until the connection ends. Rejects with a ProxyError where
   * the client ended it badly between requests.
   */
  async serve(
    run: (exchange: ClientExchange) => Promise<void>,
  ): Promise<void> {
    const socket = this.#socket;
    while (await this.#nextRequest()) {
      this.#begin();
      await run(this);
      this.#end();
      if (this.#switched || socket.closed) return;
      const unread = this.#reader?.last === false;
      if (!this.#keepAlive || (unread && !await this.#drainBody())) {
        await this.#linger();
        return;
      }
    }
    socket.close();
  }

  /** Ends the connection as soon as no request is at work; responses say `Connection: close`. */
  drain(): void {
    this.#draining = true;
    if (this.#waiting && this.#socket.held === 0) this.#socket.close();
  }

  readHead(): RequestHead | Promise<RequestHead> {
    return this.#parse() ?? this.#readSlowly();
  }

  get body(): BodyReader | null {
    return this.#reader;
  }

  get mustClose(): boolean {
    const reader = this.#reader;
    if (reader === null || reader.last) return false;
    if (this.#head?.expectsContinue === true && !this.#continued) return true;
    return !(reader instanceof LengthBody && reader.remaining <= MAX_DRAIN);
  }

  watch(): void {
    this.#socket.watchAfter(WATCH_AFTER);
  }

  get takesInterim(): boolean {
    return this.#head?.version !== "1.0";
  }

  async sendInterim(response: OutgoingResponse): Promise<void> {
    if (response.status === 100) this.#continue();
    await this.#write(response, null, {
      close: false,
      chunked: false,
      http10: false,
    });
  }

  /** From here on the client's time for its body runs. */
  #continue(): void {
    this.#continued = true;
    if (this.#reader === null) return;
    const { body } = this.#options.timeouts;
    this.#reader.idle = body;
    if (!this.#reader.last) this.#socket.armRead(body, "request_timeout");
  }

  async send(
    response: OutgoingResponse,
    body: BodyReader | null,
    options: { readonly close: boolean },
  ): Promise<void> {
    const http10 = this.#head?.version === "1.0";
    const sized = response.bodyLength !== undefined && response.bodyLength >= 0;
    const chunked = response.hasBody && !sized && !http10;
    if (
      options.close || this.#draining || this.mustClose ||
      this.#head?.keepAlive !== true || (response.hasBody && !sized && http10)
    ) {
      this.#keepAlive = false;
    }
    this.#answered = true;
    try {
      await this.#write(response, body, {
        close: !this.#keepAlive,
        chunked,
        http10,
      });
    } catch (thrown) {
      // The client can tell a broken-off message only by the connection's end.
      this.abort(asProxyError(thrown));
      throw thrown;
    }
  }

  async switchProtocols(response: OutgoingResponse): Promise<Socket> {
    this.#switched = true;
    this.#answered = true;
    await this.#write(response, null, {
      close: false,
      chunked: false,
      http10: false,
    });
    return this.#socket;
  }

  abort(reason: ProxyError): void {
    this.#keepAlive = false;
    this.#socket.abort(reason);
  }

  get bytesIn(): number {
    return this.#consumed - this.#bytesInBefore;
  }

  get bytesOut(): number {
    return this.#socket.bytesOut - this.#bytesOutBefore;
  }

  get #consumed(): number {
    return this.#socket.bytesIn - this.#socket.held;
  }

  /** Waits for the first byte of a request; false where none comes. */
  async #nextRequest(): Promise<boolean> {
    const socket = this.#socket;
    const { timeouts } = this.#options;
    if (socket.held === 0) {
      socket.shrink();
      socket.armRead(
        this.#first ? timeouts.header : timeouts.keepAlive,
        "client_idle",
      );
    }
    this.#first = false;
    let ignored = 0;
    for (;;) {
      if (socket.held > 0) {
        const start = skipEmptyLines(socket.bytes, socket.start, socket.end);
        ignored += start - socket.start;
        if (ignored > MAX_EMPTY) return false;
        socket.start = start;
        // A lone CR may be the first half of an empty line.
        if (socket.held > 1 || (socket.held === 1 && !startsWithCr(socket))) {
          return true;
        }
      }
      if (this.#draining && socket.held === 0) return false;
      this.#waiting = true;
      try {
        if (!await socket.fill()) return socket.held > 0;
      } catch (thrown) {
        const error = asProxyError(thrown);
        if (error.code === "client_idle" || this.#draining) return false;
        throw error;
      } finally {
        this.#waiting = false;
      }
    }
  }

  #begin(): void {
    const socket = this.#socket;
    this.#bytesInBefore = this.#consumed;
    this.#bytesOutBefore = socket.bytesOut;
    this.#index.reset();
    this.#head = undefined;
    this.#reader = null;
    this.#keepAlive = true;
    this.#continued = false;
    this.#answered = false;
    socket.armRead(this.#options.timeouts.header, "request_timeout");
  }

  #end(): void {
    this.onGone = undefined;
    this.#head?.fields.release();
    this.#socket.unpin();
    this.#socket.disarmWrite();
    if (!this.#answered) this.#keepAlive = false;
  }

  /** The head, where all of it is held. */
  #parse(): Http1RequestHead | undefined {
    const socket = this.#socket;
    const { limits } = this.#options;
    const end = parseRequestHead(
      socket.bytes,
      socket.start,
      socket.end,
      limits,
      this.#index,
    );
    if (end < 0) return undefined;
    const head = new Http1RequestHead(socket.bytes, this.#index);
    socket.start = end;
    socket.pin();
    socket.disarmRead();
    this.#head = head;
    if (head.bodyLength !== 0) this.#openBody(head);
    return head;
  }

  async #readSlowly(): Promise<Http1RequestHead> {
    const socket = this.#socket;
    for (;;) {
      if (socket.end === socket.bytes.length) {
        if (!socket.enlarge()) {
          throw new ProxyError("headers_too_large", "The head is too large");
        }
        this.#index.reset();
      }
      if (!await socket.fillInterruptibly()) {
        throw new ProxyError(
          "bad_request",
          "The client ended the connection within a request's head",
        );
      }
      const head = this.#parse();
      if (head !== undefined) return head;
    }
  }

  #openBody(head: Http1RequestHead): void {
    const { limits, timeouts } = this.#options;
    if (head.bodyLength > limits.bodyBytes) {
      throw new ProxyError(
        "body_too_large",
        `The body's ${head.bodyLength} bytes exceed ${limits.bodyBytes}`,
      );
    }
    const options: BodyReadOptions = {
      idle: head.expectsContinue ? Infinity : timeouts.body,
      idleCode: "request_timeout",
      truncatedCode: "client_closed",
      limit: limits.bodyBytes,
      interruptible: true,
    };
    if (head.bodyLength < 0) {
      const decoder = new ChunkDecoder("bad_request", limits);
      this.#reader = new ChunkedBody(this.#socket, decoder, options);
    } else {
      this.#reader = new LengthBody(this.#socket, head.bodyLength, options);
    }
  }

  async #write(
    response: OutgoingResponse,
    body: BodyReader | null,
    mode: {
      readonly close: boolean;
      readonly chunked: boolean;
      readonly http10: boolean;
    },
  ): Promise<void> {
    const { buffers, clock, date } = this.#options;
    const out = buffers.medium.take();
    try {
      const headEnd = writeResponseHead(out, 0, response, {
        ...mode,
        date: date.bytes(clock.wall()),
      });
      if (headEnd < 0) {
        throw new ProxyError(
          "head_overflow",
          `The response's head outgrew ${out.length} bytes as it was changed`,
        );
      }
      await writeMessage(this.#socket, out, headEnd, body, {
        chunked: mode.chunked,
        length: mode.chunked ? -1 : response.bodyLength ?? -1,
        beforeWrite: this.#armWrite,
      });
    } finally {
      buffers.give(out);
    }
  }

  readonly #armWrite = (): void => {
    this.#socket.armWrite(
      this.#options.timeouts.write,
      "client_write_timeout",
    );
  };

  /** Reads what is left of the request's body, within bounds; whether all of it came. */
  async #drainBody(): Promise<boolean> {
    const body = this.#reader!;
    body.idle = DRAIN_TIME;
    const socket = this.#socket;
    const until = this.#options.clock.now() + DRAIN_TIME;
    let drained = 0;
    try {
      while (!body.last) {
        if (!body.advance() && !await body.next()) break;
        drained += body.end - body.start;
        if (drained > MAX_DRAIN || this.#options.clock.now() > until) {
          return false;
        }
      }
    } catch (thrown) {
      if (!socket.closed) return false;
      throw thrown;
    }
    return body.last;
  }

  /**
   * Ends the connection so that the client gets the answer: closing with unread
   * bytes would send a reset, which can overtake it (RFC 9112 §9.6).
   */
  async #linger(): Promise<void> {
    const socket = this.#socket;
    await socket.closeWrite();
    if (this.#reader?.last === false || this.#head === undefined) {
      socket.armRead(DRAIN_TIME, "client_idle");
      let drained = 0;
      try {
        while (drained <= MAX_DRAIN && await socket.fill()) {
          drained += socket.held;
          socket.start = socket.end;
        }
      } catch {
        // It took too long or was reset: the answer is out, nothing is lost.
      }
    }
    socket.close();
  }
}

function startsWithCr(socket: Socket): boolean {
  return socket.bytes[socket.start] === 13;
}
