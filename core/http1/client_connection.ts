/**
 * A client's HTTP/1.1 connection: requests read one after another, each handed
 * to whoever runs transactions, each answered in order.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import type { BodyReader, RequestBody } from "../message/body.ts";
import type { OutgoingResponse, RequestHead } from "../message/head.ts";
import { ListFields } from "../message/list_fields.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Clock } from "../net/clock.ts";
import { type Analyser, HeldDirection } from "../net/held_direction.ts";
import type { Resting, Socket } from "../net/socket.ts";
import type {
  ClientExchange,
  ExchangeOwner,
  Lasting,
} from "../session/exchange.ts";
import {
  type BodyReadOptions,
  checkBodyLength,
  ChunkedBody,
  LengthBody,
} from "./body_readers.ts";
import { ChunkDecoder } from "./chunk_decoder.ts";
import { drainBody, linger, MAX_DRAIN } from "./drain.ts";
import { NO_INDEX } from "./head_index.ts";
import type { HeadIndexPool } from "./head_index_pool.ts";
import type { DateLine } from "./http_date.ts";
import { Http1RequestHead } from "./request_head.ts";
import { parseRequestHead, skipEmptyLines } from "./request_parser.ts";
import { writeMessage } from "./write_body.ts";
import { type ResponseMode, writeResponseHead } from "./write_head.ts";
import { writeHeadInto } from "./head_buffer.ts";

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

/** Who runs exchanges. */
export interface ExchangeRunner {
  /** Until the response is out or given up, or a tunnel is what goes on. Never rejects. */
  run(exchange: ClientExchange): Promise<Lasting | undefined>;
  /** One is over, and its head with it. */
  ended(): void;
  /** No request came for a second. */
  rests(): void;
}

/** What a connection needs of its surroundings. */
export interface Http1ClientOptions {
  readonly buffers: Buffers;
  /** With room for as many fields as `limits` allows. */
  readonly indexes: HeadIndexPool;
  readonly clock: Clock;
  readonly date: DateLine;
  readonly limits: RequestLimits;
  readonly timeouts: ClientTimeouts;
}

/** Bytes of empty lines before a request that are ignored (RFC 9112 §2.2). */
const MAX_EMPTY = 64;

/** How long a new connection may keep a drain waiting for its first request, in milliseconds. */
const FIRST_REQUEST_TIME = 1_000;

/** A transaction that waits so long gets to know when its client resets, in milliseconds. */
const WATCH_AFTER = 200;

/** How responses are sent behind which the exchange goes on. */
const INTERIM = {
  close: false,
  chunked: false,
  http10: false,
  trailers: false,
};

const NO_ANALYSERS: readonly Analyser[] = [];

/**
 * One connection. It is the exchange of the request at hand too, and what holds
 * its direction until there is a head.
 */
export class Http1ClientConnection
  implements Analyser, ClientExchange, Resting {
  /** A head's time runs from its first byte on, see `#begin`. */
  readonly deadline = undefined;
  owner: ExchangeOwner | undefined;

  readonly #socket: Socket;
  readonly #options: Http1ClientOptions;
  #index = NO_INDEX;
  /** Held for a request's head; undefined while nobody needs it. */
  #inbound: HeldDirection<Http1RequestHead> | undefined;
  #analysers = NO_ANALYSERS;
  #head: Http1RequestHead | undefined;
  #reader: LengthBody | ChunkedBody | null = null;
  #keepAlive = true;
  #draining = false;
  /** No request has come yet. */
  #isNew = true;
  #waiting = false;
  #switched = false;
  #continued = false;
  #watched = false;
  #answered = false;
  #first = true;
  /** Bytes of empty lines before the request. */
  #ignored = 0;
  /** The last request came before a second was over: the next one is to arrive in one read. */
  #busy = false;
  #runner: ExchangeRunner | undefined;
  #bytesInBefore = 0;
  #bytesOutBefore = 0;

  constructor(socket: Socket, options: Http1ClientOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.limitWrites(options.timeouts.write, "client_write_timeout");
    socket.onLost = this.#lost;
  }

  readonly #lost = (): void => {
    this.owner?.clientGone(
      new ProxyError("client_closed", "The client reset the connection"),
    );
  };

  /**
   * Runs exchanges until the connection ends or is a tunnel, which lasts.
   * Rejects with a ProxyError where the client ended it badly between requests.
   */
  async serve(runner: ExchangeRunner): Promise<Lasting | undefined> {
    const socket = this.#socket;
    this.#runner = runner;
    for (;;) {
      this.#expectRequest();
      // No function of its own: each silent connection would hold its frame.
      let begins = this.#lookForRequest();
      while (begins === undefined) {
        this.#waiting = true;
        try {
          begins = await socket.fill()
            ? this.#lookForRequest()
            : socket.held > 0;
        } catch (thrown) {
          begins = false;
          const error = asProxyError(thrown);
          if (error.code !== "client_idle" && !this.#draining) throw error;
        } finally {
          this.#waiting = false;
        }
      }
      if (!begins) break;
      this.#begin();
      const lasting = await runner.run(this);
      if (lasting !== undefined) return lasting;
      this.#end();
      runner.ended();
      if (this.#switched || socket.closed) return undefined;
      const body = this.#reader;
      const unread = body !== null && !body.last;
      if (this.#keepAlive && unread) {
        this.#keepAlive = await drainBody(socket, body, this.#options.clock);
      }
      if (!this.#keepAlive) {
        // A client that has announced the end itself should send nothing more.
        const more = this.#head?.keepAlive !== false || unread;
        if (more || socket.held > 0) await linger(socket);
        break;
      }
    }
    socket.close();
    this.#retire();
    return undefined;
  }

  /**
   * Ends the connection as soon as no request is at work; responses say
   * `Connection: close`. A new one gets its first request answered, if that is on
   * its way: its client can't tell the end of a proxy from a failure.
   */
  drain(): void {
    this.#draining = true;
    if (!this.#waiting || this.#socket.held > 0) return;
    if (this.#isNew) this.#socket.armRead(FIRST_REQUEST_TIME, "client_idle");
    else this.#socket.close();
  }

  readHead(): RequestHead | Promise<RequestHead> {
    return this.#inbound!.release();
  }

  get body(): RequestBody | null {
    return this.#reader;
  }

  get mustClose(): boolean {
    const reader = this.#reader;
    if (reader === null || reader.last) return false;
    if (reader.broken) return true;
    if (this.#head?.expectsContinue === true && !this.#continued) return true;
    return !(reader instanceof LengthBody && reader.remaining <= MAX_DRAIN);
  }

  watch(): void {
    this.#watched = true;
    // Who waits for the body gets to know, and has a deadline of its own.
    if (this.#reader?.waiting !== true) this.#socket.watchAfter(WATCH_AFTER);
  }

  get takesInterim(): boolean {
    return this.#head?.version !== "1.0";
  }

  async sendInterim(response: OutgoingResponse): Promise<void> {
    if (response.status === 100) this.#continue();
    await this.#write(response, null, INTERIM);
  }

  /** From here on the client's time for its body runs. */
  #continue(): void {
    this.#continued = true;
    this.#reader?.limitIdle(this.#options.timeouts.body);
  }

  send(
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
    const close = !this.#keepAlive;
    const trailers = chunked && body?.trailers !== undefined;
    return this.#write(response, body, { close, chunked, http10, trailers });
  }

  async switchProtocols(response: OutgoingResponse): Promise<Socket> {
    this.#switched = true;
    this.#answered = true;
    await this.#write(response, null, INTERIM);
    // What comes is as long-lived as a tunnel is, and no head.
    this.#head!.fields.keep();
    this.#retire();
    return this.#socket;
  }

  /** No head follows soon: views of the last one are dead, and nothing is held for another. */
  #retire(): void {
    if (this.#index === NO_INDEX) return;
    this.#options.indexes.give(this.#index);
    this.#index = NO_INDEX;
    this.#inbound = undefined;
    this.#analysers = NO_ANALYSERS;
  }

  /** For heads that come. */
  #prepare(): void {
    this.#index = this.#options.indexes.take();
    this.#analysers = [this];
    this.#inbound = new HeldDirection(this.#socket, {
      interruptible: true,
      released: () => this.#head!,
    });
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

  /** From here on a request may come. */
  #expectRequest(): void {
    const { timeouts } = this.#options;
    this.#ignored = 0;
    // Once and for all: empty lines do not prolong it.
    if (this.#first) {
      this.#first = false;
      this.#socket.armRead(timeouts.header, "client_idle");
    } else if (this.#socket.held > 0) {
      this.#socket.armRead(timeouts.keepAlive, "client_idle");
    } else {
      this.#rest();
      this.#socket.armRest(timeouts.keepAlive, "client_idle", this);
      this.#busy = true;
    }
  }

  /** Whether a request begins; false where none is to come, undefined where more bytes tell. */
  #lookForRequest(): boolean | undefined {
    const socket = this.#socket;
    if (socket.held > 0) {
      const start = skipEmptyLines(socket.bytes, socket.start, socket.end);
      this.#ignored += start - socket.start;
      if (this.#ignored > MAX_EMPTY) return false;
      socket.start = start;
      // A lone CR may be the first half of an empty line.
      if (socket.held > 1 || (socket.held === 1 && !startsWithCr(socket))) {
        return true;
      }
    }
    return this.#draining && !this.#isNew && socket.held === 0
      ? false
      : undefined;
  }

  /** Lets go of what the last request needed: what idle connections hold is memory times their number. */
  #rest(): void {
    this.#head = undefined;
    this.#reader = null;
    // A read that is posted can't be swapped: until a client has shown that it
    // asks again at once it gets the smallest, which costs one read more.
    if (this.#busy) this.#socket.shrink();
    else this.#socket.shrinkForRest();
    this.#index.leave(this.#socket.bytes);
  }

  /** No request came for a second. */
  rests(): void {
    this.#busy = false;
    this.#retire();
    this.#runner?.rests();
  }

  #begin(): void {
    this.#isNew = false;
    const socket = this.#socket;
    this.#bytesInBefore = this.#consumed;
    this.#bytesOutBefore = socket.bytesOut;
    if (this.#inbound === undefined) this.#prepare();
    this.#index.reset();
    this.#inbound!.hold(this.#analysers);
    this.#head = undefined;
    this.#reader = null;
    this.#keepAlive = true;
    this.#continued = false;
    this.#watched = false;
    this.#answered = false;
    socket.armRead(this.#options.timeouts.header, "request_timeout");
  }

  #end(): void {
    this.owner = undefined;
    this.#head?.fields.release();
    this.#socket.unpin();
    if (!this.#answered) this.#keepAlive = false;
  }

  // ------------------------------------------------------------------ Analyser

  /** Finds the head, where all of it is held. */
  analyse(): "done" | "more" {
    const socket = this.#socket;
    const { limits } = this.#options;
    const end = parseRequestHead(
      socket.bytes,
      socket.start,
      socket.end,
      limits,
      this.#index,
    );
    if (end < 0) return "more";
    const head = new Http1RequestHead(socket.bytes, this.#index);
    socket.start = end;
    socket.pin();
    socket.disarmRead();
    this.#head = head;
    if (head.bodyLength !== 0) this.#openBody(head);
    return "done";
  }

  ended(): never {
    throw new ProxyError(
      "bad_request",
      "The client ended the connection within a request's head",
    );
  }

  full(): never {
    throw new ProxyError("headers_too_large", "The head is too large");
  }

  // ------------------------------------------------------------------ messages

  #openBody(head: Http1RequestHead): void {
    const { limits, timeouts } = this.#options;
    checkBodyLength(head.bodyLength, limits.bodyBytes);
    const options: BodyReadOptions = {
      idle: timeouts.body,
      onDemand: head.expectsContinue && this.#socket.held === 0,
      idleCode: "request_timeout",
      truncatedCode: "client_closed",
      limit: limits.bodyBytes,
      interruptible: true,
      onComplete: () => {
        if (this.#watched) this.#socket.watchAfter(WATCH_AFTER);
      },
    };
    if (head.bodyLength < 0) {
      const trailers = head.takesTrailers ? new ListFields() : undefined;
      const decoder = new ChunkDecoder("bad_request", limits, trailers);
      this.#reader = new ChunkedBody(this.#socket, decoder, options);
    } else {
      this.#reader = new LengthBody(this.#socket, head.bodyLength, options);
    }
  }

  #write(
    response: OutgoingResponse,
    body: BodyReader | null,
    mode: Required<Omit<ResponseMode, "date">>,
  ): Promise<void> {
    const { buffers, clock, date } = this.#options;
    const { close, chunked, http10, trailers } = mode;
    const line = date.bytes(clock.wall());
    const headMode = { close, chunked, http10, trailers, date: line };
    const { out, end } = writeHeadInto(
      buffers,
      (out) => writeResponseHead(out, 0, response, headMode),
      "response_too_large",
    );
    return writeMessage(this.#socket, out, end, body, {
      buffers,
      chunked,
      length: chunked ? -1 : response.bodyLength ?? -1,
    });
  }
}

function startsWithCr(socket: Socket): boolean {
  return socket.bytes[socket.start] === 13;
}
