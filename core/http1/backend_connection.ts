/**
 * An HTTP/1.1 connection to a backend: one request and its response at a time,
 * then back to its pool where both messages are complete.
 *
 * @module
 */
import type { BackendConnection } from "../connect/backend_connection.ts";
import type { ConnectionPool } from "../connect/pool.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import type { OutgoingRequest, ResponseHead } from "../message/head.ts";
import { ListFields } from "../message/list_fields.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Deadlines } from "../net/deadlines.ts";
import { type Analyser, HeldDirection } from "../net/held_direction.ts";
import type { Socket } from "../net/socket.ts";
import type { ConnectionFacts, SocketAddress } from "../plugin.ts";
import {
  type BodyReadOptions,
  ChunkedBody,
  LengthBody,
  UntilEndBody,
} from "./body_readers.ts";
import { ChunkDecoder } from "./chunk_decoder.ts";
import { HeadIndex, NO_INDEX } from "./head_index.ts";
import { Http1ResponseHead } from "./response_head.ts";
import { parseResponseHead } from "./response_parser.ts";
import { writeMessage } from "./write_body.ts";
import { writeHeadInto } from "./head_buffer.ts";
import { writeRequestHead } from "./write_head.ts";

/** What a backend may send before it counts as broken. */
export interface ResponseLimits {
  readonly headerBytes: number;
  readonly headers: number;
}

/** What a connection needs of its surroundings. */
export interface Http1BackendOptions {
  readonly buffers: Buffers;
  readonly deadlines: Deadlines;
  readonly limits: ResponseLimits;
  /** Milliseconds that a write may wait. */
  readonly writeTimeout: number;
  /** Milliseconds that it may wait in the pool. */
  readonly idleTimeout: number;
  /** The key of its preface; left out where it has none. */
  readonly key?: string | undefined;
  /** Its pool's generation when its dial began; left out where it has no pool. */
  readonly generation?: number;
}

/** Interim responses before a final one: more are an attack on whoever relays them. */
const MAX_INTERIM = 32;

const GIVEN_UP = new ProxyError("backend_closed", "The exchange was given up");

const NO_ANALYSERS: readonly Analyser[] = [];

/** One connection. */
export class Http1BackendConnection implements BackendConnection {
  readonly facts: ConnectionFacts & { reused: boolean };
  readonly key: string | undefined;
  readonly generation: number;
  uploadError: ProxyError | undefined;
  upload: Promise<void> | null = null;
  answered = false;

  readonly #socket: Socket;
  readonly #options: Http1BackendOptions;
  readonly #pool: ConnectionPool<Http1BackendConnection> | undefined;
  #index: HeadIndex;
  readonly #inbound: HeldDirection<Http1ResponseHead>;
  /** What a response's direction is held for. */
  #analysers: readonly Analyser[] = [{
    // The request's way decides when its time runs, see `#armHead`.
    deadline: undefined,
    analyse: () => this.#parse(),
    ended: () => {
      throw new ProxyError(
        this.answered ? "response_truncated" : "backend_closed",
        "The backend ended the connection before a complete response head",
      );
    },
    full: () => {
      throw new ProxyError(
        "response_too_large",
        `The response's head exceeds ${this.#options.limits.headerBytes} bytes`,
      );
    },
  }];
  #method = "";
  /** Trailers of the response are wanted. */
  #trailers = false;
  #head: Http1ResponseHead | undefined;
  #body: LengthBody | ChunkedBody | UntilEndBody | null = null;
  #requestComplete = true;
  /** Milliseconds to the head that is waited for, undefined while none is. */
  #headTimeout: number | undefined;
  /** The backend has all of the request, or was asked whether it wants the body: its time runs. */
  #itsTurn = true;
  #interim = 0;
  #inUse = false;
  /** The end or bytes came before a request was sent. */
  #spoilt = false;
  /** A request's body was begun to be read. */
  #bodyBegun = false;
  /** Bytes written before its use. */
  #bytesOutBefore = 0;

  constructor(
    socket: Socket,
    remote: SocketAddress,
    options: Http1BackendOptions,
    pool: ConnectionPool<Http1BackendConnection> | undefined,
  ) {
    this.facts = { remote, reused: false };
    this.key = options.key;
    this.generation = options.generation ?? 0;
    this.#socket = socket;
    this.#options = options;
    this.#pool = pool;
    this.#index = new HeadIndex(options.limits.headers);
    this.#inbound = new HeldDirection(socket, {
      interruptible: false,
      released: () => this.#head!,
    });
    socket.limitWrites(options.writeTimeout, "backend_timeout");
    this.#beginUse();
  }

  /** Whether it can't be used any more. */
  get closed(): boolean {
    return this.#socket.closed;
  }

  get untouched(): boolean {
    return !this.#bodyBegun && this.#socket.bytesOut === this.#bytesOutBefore;
  }

  send(request: OutgoingRequest, body: BodyReader | null): Promise<void> {
    const { buffers } = this.#options;
    this.#checkUnspoilt();
    this.#method = request.method;
    this.#trailers = request.trailers === true;
    this.#interim = 0;
    this.#headTimeout = undefined;
    const { out, end } = writeHeadInto(
      buffers,
      (out) => writeRequestHead(out, 0, request),
      "head_overflow",
    );
    this.#bodyBegun = body !== null;
    const written = writeMessage(this.#socket, out, end, body, {
      buffers,
      chunked: request.bodyLength < 0,
      length: request.bodyLength,
      onPiece: this.#onPiece,
    });
    // A write that fails ends the connection: nobody asks then what was complete.
    this.#requestComplete = body === null;
    this.#itsTurn = body === null || request.fields.has("expect");
    if (body === null) return written;
    this.upload = this.#watchUpload(written);
    return Promise.resolve();
  }

  /** A pooled connection may end, or get bytes that would be taken for the response, until it is used. */
  #checkUnspoilt(): void {
    this.#socket.onReadable = undefined;
    this.#socket.onLost = undefined;
    if (!this.#spoilt) return;
    throw new ProxyError(
      "backend_closed",
      "The backend ended or used the pooled connection before a request was sent",
    );
  }

  readHead(timeout: number): ResponseHead | Promise<ResponseHead> {
    const socket = this.#socket;
    this.#head?.fields.release();
    socket.unpin();
    this.#index.reset();
    this.#headTimeout = timeout;
    this.#armHead();
    this.#inbound.hold(this.#analysers);
    return this.#inbound.release();
  }

  /** The head, where all of it is held. */
  #parse(): "done" | "more" {
    const socket = this.#socket;
    if (socket.held === 0) return "more";
    this.answered = true;
    const end = parseResponseHead(
      socket.bytes,
      socket.start,
      socket.end,
      this.#options.limits,
      this.#index,
    );
    if (end < 0) return "more";
    const head = new Http1ResponseHead(
      socket.bytes,
      this.#index,
      this.#method,
    );
    this.#head = head;
    socket.start = end;
    socket.pin();
    this.#headTimeout = undefined;
    socket.disarmRead();
    this.#checkInterim(head.status);
    return "done";
  }

  #checkInterim(status: number): void {
    if (status === 101) {
      if (this.#requestComplete) return;
      throw new ProxyError(
        "bad_response",
        "The backend switched protocols within the request",
      );
    }
    if (status < 200 && ++this.#interim > MAX_INTERIM) {
      throw new ProxyError(
        "bad_response",
        `The backend sent more than ${MAX_INTERIM} interim responses`,
      );
    }
  }

  body(idle: number): BodyReader | null {
    const head = this.#head;
    if (head === undefined || head.bodyLength === 0) return null;
    const options: BodyReadOptions = {
      idle,
      idleCode: "backend_timeout",
      truncatedCode: "response_truncated",
      limit: Infinity,
      interruptible: false,
    };
    if (head.closeDelimited) {
      this.#body = new UntilEndBody(this.#socket, options);
    } else if (head.bodyLength < 0) {
      const { limits } = this.#options;
      const trailers = this.#trailers ? new ListFields() : undefined;
      const decoder = new ChunkDecoder("bad_response", limits, trailers);
      this.#body = new ChunkedBody(this.#socket, decoder, options);
    } else {
      this.#body = new LengthBody(this.#socket, head.bodyLength, options);
    }
    return this.#body;
  }

  tunnel(): Socket {
    this.#head?.fields.release();
    this.#head = undefined;
    this.#retire();
    const socket = this.#socket;
    const pool = this.#pool;
    socket.unpin();
    this.#inUse = false;
    // It counts as active until the tunnel ends, which holds nothing of this.
    const closed = () => {
      if (pool !== undefined) pool.active--;
    };
    socket.onClosed = closed;
    return socket;
  }

  /** No head follows: views of the last one are dead, and nothing is held for another. */
  #retire(): void {
    this.#index.invalidate();
    this.#index = NO_INDEX;
    this.#analysers = NO_ANALYSERS;
    this.#inbound.hold(NO_ANALYSERS);
  }

  release(): void {
    const head = this.#head;
    const socket = this.#socket;
    const complete = this.#requestComplete && head !== undefined &&
      head.status >= 200 && head.keepAlive && !socket.ended &&
      socket.held === 0 &&
      (this.#body === null ? head.bodyLength === 0 : this.#body.last);
    this.#endUse();
    if (!complete || socket.closed) {
      socket.close();
      return;
    }
    socket.shrink();
    this.facts.reused = true;
    if (this.#pool?.put(this) !== true) {
      socket.close();
      return;
    }
    socket.armRead(this.#options.idleTimeout, "backend_closed");
    // Whatever comes while nobody asked, the end or bytes, makes it useless:
    // surplus bytes would be taken for the next transaction's response.
    socket.onReadable = this.#discard;
    socket.onLost = this.#discard;
    socket.onClosed = this.#leavePool;
    socket.post();
  }

  /** Out of the pool, for another transaction. */
  reuse(): void {
    const socket = this.#socket;
    socket.onReadable = this.#spoil;
    socket.onLost = this.#spoil;
    socket.onClosed = undefined;
    socket.disarmRead();
    this.#beginUse();
  }

  readonly #spoil = (): void => {
    this.#spoilt = true;
  };

  close(): void {
    // Given up within its use, its bytes may be on their way to the client.
    if (this.#inUse) this.#socket.abort(GIVEN_UP);
    this.#endUse();
    this.#socket.close();
  }

  #beginUse(): void {
    this.#inUse = true;
    this.#spoilt = false;
    this.#bodyBegun = false;
    this.#bytesOutBefore = this.#socket.bytesOut;
    this.answered = false;
    this.uploadError = undefined;
    this.upload = null;
    if (this.#pool !== undefined) this.#pool.active++;
  }

  readonly #endUse = (): void => {
    if (!this.#inUse) return;
    this.#inUse = false;
    if (this.#pool !== undefined) this.#pool.active--;
    this.#head?.fields.release();
    this.#head = undefined;
    this.#body = null;
    this.#socket.unpin();
  };

  /** A body that flows takes the time that it takes. */
  readonly #onPiece = (): void => {
    if (!this.#itsTurn) return;
    this.#itsTurn = false;
    this.#armHead();
  };

  #armHead(): void {
    if (this.#headTimeout === undefined) return;
    if (this.#itsTurn) {
      this.#socket.armRead(this.#headTimeout, "backend_timeout");
    } else {
      this.#socket.disarmRead();
    }
  }

  readonly #discard = (): void => this.#socket.close();

  readonly #leavePool = (): void => this.#pool?.remove(this);

  /** Never rejects: who reads the response asks for `uploadError`. */
  async #watchUpload(written: Promise<void>): Promise<void> {
    try {
      await written;
      this.#requestComplete = true;
    } catch (thrown) {
      this.uploadError = asProxyError(thrown);
      // Its own failure may come with an answer that is still to be read (RFC
      // 9112 §9.5); any other one ends its wait.
      if (this.uploadError.side !== "backend") {
        this.#socket.abort(this.uploadError);
      }
    }
    this.#itsTurn = true;
    this.#armHead();
  }
}
