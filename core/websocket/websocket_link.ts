/**
 * A WebSocket connection after its handshake, as a session's link: frames read
 * and written, Pings answered and sent, the closing handshake (RFC 6455 §5, §7).
 *
 * @module
 */
import { asProxyError, type FailureCode, ProxyError } from "../errors.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import { linger } from "../net/linger.ts";
import type { Socket } from "../net/socket.ts";
import { HEADROOM } from "../message/body.ts";
import {
  ABNORMAL,
  closePayload,
  NO_STATUS,
  readClosePayload,
} from "./close_payload.ts";
import { OPCODE } from "./frame_header.ts";
import { FrameQueue } from "./frame_queue.ts";
import { FrameReader, type FrameSink } from "./frame_reader.ts";
import type { Link, LinkEnd, LinkEvents, MessageKind } from "./link.ts";
import { WebSocketError } from "./websocket_error.ts";

/** What a link goes by; durations in milliseconds. */
export interface WebSocketLinkOptions {
  /** Who is at the other end: a client's frames are masked, ours to a server are. */
  readonly peer: "client" | "server";
  readonly buffers: Buffers;
  readonly deadlines: Deadlines;
  /** Bytes that a message of the peer may have. */
  readonly maxMessage: number;
  /** Silence after which the peer is pinged. */
  readonly pingInterval: number;
  /** A peer that is pinged must let itself be heard within this. */
  readonly pongTimeout: number;
  /** A write must get on within this. */
  readonly writeTimeout: number;
}

/** What failures are called, by whose they are. */
interface Codes {
  readonly violation: FailureCode;
  readonly silent: FailureCode;
}

const CODES: { readonly [P in WebSocketLinkOptions["peer"]]: Codes } = {
  client: { violation: "client_bad_frame", silent: "client_silent" },
  server: { violation: "backend_bad_frame", silent: "backend_silent" },
};

/** The peer's Close may take so long after ours, in milliseconds. */
const CLOSE_TIMEOUT = 5_000;

/** What the peer has sent before it was known to be gone may take so long to read, in milliseconds. */
const LAST_WORDS = 1_000;

const NOTHING = new Uint8Array(0);

/** One connection. */
export class WebSocketLink implements Link, Expiring, FrameSink {
  place = NOWHERE;
  /** When the peer is pinged, or given up. */
  deadline: number;
  readonly #socket: Socket;
  readonly #options: WebSocketLinkOptions;
  readonly #codes: Codes;
  readonly #reader: FrameReader;
  readonly #queue: FrameQueue;
  /** The latest Ping that is not answered: older ones need no answer (RFC 6455 §5.5.3). */
  #toAnswer: Uint8Array | undefined;
  #events: LinkEvents | undefined;
  #writing: Promise<void> | undefined;
  #unwritten = 0;
  /** We sent a Close. */
  #closing = false;
  /** The peer sent a Close. */
  #end: LinkEnd | undefined;
  /** The other side is slow: nothing is read, so that silence means nothing. */
  #blocked = false;
  /** A Ping is out and nothing came since. */
  #pinged = false;
  #over = false;
  #done: PromiseWithResolvers<void> | undefined;

  constructor(socket: Socket, options: WebSocketLinkOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#codes = CODES[options.peer];
    this.#reader = new FrameReader(this, {
      sender: options.peer,
      maxMessage: options.maxMessage,
    });
    this.#queue = new FrameQueue(options.buffers, {
      masked: options.peer === "server",
    });
    this.deadline = options.deadlines.after(options.pingInterval);
  }

  /** Resolves when it is over and its connection closed. */
  get done(): Promise<void> {
    this.#done ??= Promise.withResolvers();
    if (this.#over) this.#done.resolve();
    return this.#done.promise;
  }

  /** Bytes of a message that is not complete. */
  get gathered(): number {
    return this.#reader.gathered;
  }

  start(events: LinkEvents): void {
    this.#events = events;
    const { deadlines, writeTimeout } = this.#options;
    deadlines.add(this);
    this.#socket.disarmRead();
    this.#socket.limitWrites(writeTimeout, this.#codes.silent);
    // What came with the handshake is told later than this call ends.
    queueMicrotask(() => this.#read());
  }

  send(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (this.#closing) return;
    this.#queue.add(kind, bytes, start, end);
  }

  ping(payload: Uint8Array): void {
    if (this.#closing) return;
    this.#queue.add(OPCODE.ping, payload, 0, payload.length);
    if (this.#pinged) return;
    this.#pinged = true;
    const { deadlines, pongTimeout } = this.#options;
    this.deadline = deadlines.after(pongTimeout);
  }

  flush(): Promise<void> | undefined {
    if (this.#writing !== undefined) return this.#writing;
    if (this.#queue.size === 0) return undefined;
    this.#writing = this.#write();
    return this.#writing;
  }

  get buffered(): number {
    return this.#queue.size + this.#unwritten;
  }

  get listening(): boolean {
    return !this.#blocked;
  }

  close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#sendClose(code, reason);
    this.flush();
    const { deadlines } = this.#options;
    this.deadline = deadlines.after(CLOSE_TIMEOUT);
  }

  abort(reason: ProxyError): void {
    this.#socket.abort(reason);
  }

  /** Time is over: for silence, for a Ping's answer, or for a Close. */
  expire(): void {
    const { deadlines, pingInterval } = this.#options;
    if (this.#closing) {
      this.deadline = Infinity;
      this.abort(
        new ProxyError(this.#codes.silent, "The peer did not answer a Close"),
      );
    } else if (this.#blocked) {
      this.deadline = deadlines.after(pingInterval);
    } else if (this.#pinged) {
      this.deadline = Infinity;
      this.abort(
        new ProxyError(this.#codes.silent, "The peer did not answer a Ping"),
      );
    } else {
      this.ping(NOTHING);
      this.flush();
    }
  }

  // ---------------------------------------------------------------- FrameSink

  message(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#events!.message(kind, bytes, start, end);
  }

  control(
    opcode: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (opcode === OPCODE.ping) {
      this.#toAnswer = bytes.slice(start, end);
    } else if (opcode === OPCODE.pong) {
      this.#events!.pong(bytes, start, end);
    } else {
      const said = readClosePayload(bytes, start, end);
      this.#end = { ...said, error: undefined };
      // Whatever follows a Close means nothing (RFC 6455 §5.5.1).
      this.#reader.stop();
    }
  }

  // --------------------------------------------------------------------- loop

  // No async functions: each idle session would hold their frames (measured:
  // 450 bytes each).

  /** Gives what is held, then waits for more. */
  #read(): void {
    let waiting: Promise<void> | undefined;
    try {
      if (this.#socket.held > 0) {
        this.#consume();
        this.#answer();
        waiting = this.#events!.batchEnd();
      }
      if (this.#end !== undefined) this.#finish(this.#answerClose(this.#end));
      else if (waiting === undefined) this.#wait();
      else {
        this.#blocked = true;
        waiting.then(() => this.#unblock(), this.#onFailed);
      }
    } catch (thrown) {
      this.#onFailed(thrown);
    }
  }

  #wait(): void {
    this.#socket.fill().then(this.#onFilled, this.#onFailed);
  }

  readonly #onFilled = (more: boolean): void => {
    if (!more) {
      this.#finish(this.#lost());
      return;
    }
    this.#heard();
    this.#read();
  };

  /** The other side has taken what it was given. */
  #unblock(): void {
    this.#blocked = false;
    try {
      this.#wait();
    } catch (thrown) {
      this.#onFailed(thrown);
    }
  }

  readonly #onFailed = (thrown: unknown): void => {
    this.#finish(
      thrown instanceof WebSocketError
        ? this.#violated(thrown)
        : this.#lost(asProxyError(thrown)),
    );
  };

  /** Nothing more is read of it. Never rejects. */
  async #finish(end: LinkEnd): Promise<void> {
    this.#options.deadlines.delete(this);
    this.#events!.ended(end);
    this.#closing = true;
    const written = this.flush();
    if (written !== undefined) await written;
    this.#queue.clear();
    await linger(this.#socket);
    this.#over = true;
    this.#done?.resolve();
  }

  #consume(): void {
    const socket = this.#socket;
    const reader = this.#reader;
    socket.start = reader.read(
      socket.bytes,
      socket.start,
      socket.end,
      this.#options.buffers.large.size - HEADROOM,
    );
    while (socket.held + reader.missing > socket.bytes.length - HEADROOM) {
      if (socket.enlarge()) continue;
      // No buffer is left that could hold it: piece by piece, then.
      const room = socket.bytes.length - HEADROOM;
      socket.start = reader.read(socket.bytes, socket.start, socket.end, room);
      break;
    }
  }

  #heard(): void {
    if (this.#closing) return;
    this.#pinged = false;
    const { deadlines, pingInterval } = this.#options;
    this.deadline = deadlines.after(pingInterval);
  }

  #answer(): void {
    const payload = this.#toAnswer;
    if (payload === undefined || this.#closing) return;
    // One that pings and takes nothing would have its Pongs pile up.
    if (this.#writing !== undefined) return;
    this.#toAnswer = undefined;
    this.#queue.add(OPCODE.pong, payload, 0, payload.length);
    this.flush();
  }

  /** The answer to a Close says what the Close said. */
  #answerClose(end: LinkEnd): LinkEnd {
    if (!this.#closing) this.#sendClose(end.code, "");
    return end;
  }

  #violated(error: WebSocketError): LinkEnd {
    if (!this.#closing) this.#sendClose(error.code, error.message);
    return {
      code: ABNORMAL,
      reason: error.message,
      error: new ProxyError(this.#codes.violation, error.message, {
        cause: error,
      }),
    };
  }

  #lost(error: ProxyError | undefined = this.#socket.failure): LinkEnd {
    this.#closing = true;
    this.#queue.clear();
    return { code: ABNORMAL, reason: "", error };
  }

  #sendClose(code: number, reason: string): void {
    const payload = code === NO_STATUS ? NOTHING : closePayload(code, reason);
    this.#queue.add(OPCODE.close, payload, 0, payload.length);
    this.#closing = true;
  }

  /** Writes until nothing waits; never rejects. */
  async #write(): Promise<void> {
    const socket = this.#socket;
    try {
      for (;;) {
        const filled = this.#queue.take();
        if (filled === undefined) break;
        this.#unwritten = filled.end;
        await socket.write(
          filled.bytes.subarray(0, filled.end),
          filled.bytes,
        );
      }
    } catch {
      // What the peer sent before it closed is still to be read; its end comes then.
      this.#queue.clear();
      this.#closing = true;
      if (!socket.closed) {
        socket.armRead(LAST_WORDS, this.#codes.silent);
      }
    } finally {
      this.#unwritten = 0;
      this.#writing = undefined;
    }
    this.#answer();
  }
}
