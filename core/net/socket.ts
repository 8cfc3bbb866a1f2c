/**
 * One connection with its inbound buffer: partial writes looped, closed once,
 * deadlines per direction, bytes counted, every error a ProxyError.
 *
 * @module
 */
import { type FailureCode, ProxyError } from "../errors.ts";
import { HEADROOM } from "../message/body.ts";
import type { BufferPool, Buffers } from "./buffer_pool.ts";
import type { ByteConn } from "./byte_conn.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { NOWHERE } from "./roster.ts";

/** Bytes that go through one side of a proxy, for metrics. */
export interface ByteCounter {
  in: number;
  out: number;
}

/** What a socket needs of its surroundings. */
export interface SocketOptions {
  readonly buffers: Buffers;
  readonly deadlines: Deadlines;
  /** What an end that the peer caused is called. */
  readonly closedCode: "client_closed" | "backend_closed";
  /** What a failed read or write is called, where that is more than the end that `closedCode` names. */
  readonly failureCode?: (thrown: unknown) => FailureCode | undefined;
  /** The sum over sockets of this side. */
  readonly total: ByteCounter;
  /** The buffer that it reads into while little comes; a stream gets larger ones. */
  readonly buffer: "small" | "medium";
}

/** Whose connection is silent. */
export interface Resting {
  /** Nothing came for a second: what was made for the next message may go. */
  rests(): void;
}

/**
 * A connection as sessions and connectors use it. Bytes read stay in `bytes`
 * from `start` to `end` until they are consumed by moving `start`: held, that
 * is, until an analyser or a body lets them go.
 */
export class Socket implements Expiring {
  place = NOWHERE;
  /** The inbound buffer. */
  bytes: Uint8Array;
  /** The first byte that is not consumed. */
  start = HEADROOM;
  /** Behind the last byte read. */
  end = HEADROOM;
  /** The peer ended its direction. */
  ended = false;
  /** Both directions are closed on our side. */
  closed = false;
  /** Bytes read so far. */
  bytesIn = 0;
  /** Bytes written so far. */
  bytesOut = 0;
  /** Called when a posted read fails: the peer has reset the connection. */
  onLost: (() => void) | undefined;
  /** Called when a posted read brings bytes or the end, before whoever waits in `fill` goes on. */
  onReadable: (() => void) | undefined;
  /** Called once when it is closed, whoever closes it. */
  onClosed: (() => void) | undefined;

  readonly #conn: ByteConn;
  readonly #options: SocketOptions;
  #readDeadline = Infinity;
  #writeDeadline = Infinity;
  #writeTimeout = Infinity;
  #readCode: FailureCode = "internal";
  #writeCode: FailureCode = "internal";
  #failure: ProxyError | undefined;
  #watching = false;
  /** Who is told when nothing came for a second, and when that silence is too long. */
  #resting: Resting | undefined;
  #restUntil = Infinity;
  #interrupt: ((reason: ProxyError) => void) | undefined;
  #posted: Promise<number | null> | undefined;
  /** Made with the first posted read: most clients' connections never have one, a pooled one has one per request. */
  #whenPosted: PostedHandlers | undefined;
  /** The buffer that a pinned head lies in, once reading went on in another. */
  #retired: Uint8Array | undefined;
  #pinned = false;
  /** Bytes of the buffer are on their way to another connection. */
  #lent = false;
  /** What the last read says about the buffer's size: it was filled, or hardly used. */
  #fit: "tight" | "right" | "loose" = "right";
  #floor: BufferPool;
  /** A view of all of the buffer that reads may use. */
  #whole: Uint8Array = EMPTY;
  #wholeOf: Uint8Array = EMPTY;
  /** Mostly silent: while that is so its standing read is as small as can be. */
  #settled = false;
  /** When bytes came last, where it is settled. */
  #readAt = -Infinity;

  constructor(conn: ByteConn, options: SocketOptions) {
    this.#conn = conn;
    this.#options = options;
    this.#floor = options.buffers[options.buffer];
    this.bytes = this.#floor.take();
    options.deadlines.add(this);
  }

  /** The earlier of both directions' deadlines. */
  get deadline(): number {
    return this.#readDeadline < this.#writeDeadline
      ? this.#readDeadline
      : this.#writeDeadline;
  }

  /** Bytes read and not consumed. */
  get held(): number {
    return this.end - this.start;
  }

  /** Why the connection was closed by a deadline or an abort. */
  get failure(): ProxyError | undefined {
    return this.#failure;
  }

  /** Reads end with `code` unless one comes within so many milliseconds. */
  armRead(milliseconds: number, code: FailureCode): void {
    this.#readDeadline = this.#options.deadlines.after(milliseconds);
    this.#readCode = code;
    this.#watching = false;
    this.#resting = undefined;
  }

  /** Reads may wait for ever. */
  disarmRead(): void {
    this.#readDeadline = Infinity;
    this.#watching = false;
    this.#resting = undefined;
  }

  /** As `armRead`; who is to be told of a rest is, after a second. */
  armRest(milliseconds: number, code: FailureCode, owner: Resting): void {
    this.armRead(milliseconds, code);
    if (milliseconds <= REST_AFTER) return;
    this.#restUntil = this.#readDeadline;
    this.#readDeadline = this.#options.deadlines.after(REST_AFTER);
    this.#resting = owner;
  }

  /**
   * Where nobody reads for so many milliseconds, a read is posted so that a
   * reset is noticed: only who waits long pays for it.
   */
  watchAfter(milliseconds: number): void {
    this.#readDeadline = this.#options.deadlines.after(milliseconds);
    this.#watching = true;
  }

  /** A write of which the peer takes no byte for so many milliseconds ends with `code`; by default it may wait for ever. */
  limitWrites(milliseconds: number, code: FailureCode): void {
    this.#writeTimeout = milliseconds;
    this.#writeCode = code;
  }

  /**
   * A deadline is over. Closing is the only way to end a pending read, but who
   * waits in `fillInterruptibly` is released without that and can still answer.
   */
  expire(): void {
    const reading = this.#readDeadline <= this.#writeDeadline;
    const resting = this.#resting;
    if (reading && resting !== undefined) {
      this.#resting = undefined;
      this.#readDeadline = this.#restUntil;
      resting.rests();
    } else if (!reading) {
      this.abort(new ProxyError(this.#writeCode, "No write got through"));
    } else if (this.#watching) {
      this.disarmRead();
      this.post();
    } else {
      const error = new ProxyError(this.#readCode, "Nothing came in time");
      if (this.#interrupt === undefined) this.abort(error);
      else this.interruptRead(error);
    }
  }

  /** Releases who waits in `fillInterruptibly`; the read itself stays posted. */
  interruptRead(reason: ProxyError): void {
    this.disarmRead();
    this.#interrupt?.(reason);
  }

  /** As `fill`, but a deadline or `interruptRead` ends the wait and not the connection. */
  async fillInterruptibly(): Promise<boolean> {
    const interrupted = new Promise<never>((_, reject) =>
      this.#interrupt = reject
    );
    try {
      return await Promise.race([this.fill(), interrupted]);
    } finally {
      this.#interrupt = undefined;
    }
  }

  /**
   * Closes for a reason that pending reads and writes then reject with. The
   * buffer is not used again: its bytes may be on their way to another
   * connection, whose write nobody ends here.
   */
  abort(reason: ProxyError): void {
    if (this.closed) return;
    this.#failure = reason;
    this.close();
  }

  /** Keeps the bytes from here on in place until `unpin`: a head lies there. */
  pin(): void {
    this.#pinned = true;
  }

  /** Nobody reads the pinned head any more. */
  unpin(): void {
    this.#pinned = false;
    if (this.#retired !== undefined) {
      this.#options.buffers.give(this.#retired);
      this.#retired = undefined;
    }
    if (this.closed && this.#posted === undefined) this.#giveBack();
  }

  /**
   * Starts a read before anybody waits for it, so that a reset is noticed. Does
   * nothing where one is posted or no room is free.
   */
  post(): void {
    if (this.#posted !== undefined || this.ended || this.closed) return;
    if (this.held === 0 && !this.#headHere) this.#rewind();
    if (this.end === this.bytes.length) return;
    this.#posted = this.#conn.read(this.#room());
    const { read, failed } = this.#whenPosted ??= this.#postedHandlers();
    this.#posted.then(read, failed);
  }

  #postedHandlers(): PostedHandlers {
    return {
      read: () => this.onReadable?.(),
      failed: () => {
        if (!this.closed) this.onLost?.();
      },
    };
  }

  /**
   * Waits for more bytes behind `end`, making room first. False at the end of
   * the peer's direction. Rejects with a ProxyError. No async function: each
   * silent connection would hold its frame (measured: 450 bytes).
   */
  fill(): Promise<boolean> {
    if (this.ended) return ENDED;
    if (this.#posted === undefined) {
      // Its buffer is gone; whoever made room would take one that nobody gives back.
      if (this.closed) return Promise.reject(this.#closedError());
      this.#makeRoom();
      this.#posted = this.#conn.read(this.#room());
    }
    return this.#posted.then(this.#onRead, this.#onReadFailed);
  }

  readonly #onRead = (count: number | null): boolean => {
    // Who was interrupted and who came after it wait for the same read.
    if (this.#posted !== undefined) this.#received(count);
    return !this.ended;
  };

  readonly #onReadFailed = (thrown: unknown): boolean => {
    this.#posted = undefined;
    if (!this.#isSilentEnd(thrown)) throw this.#failureOf(thrown);
    this.ended = true;
    return false;
  };

  /**
   * A client that ends TLS without saying so (RFC 8446 §6.1), as many do: an end
   * like any other, since a request's framing tells whether it is whole. Of a
   * backend it may have cut a response off.
   */
  #isSilentEnd(thrown: unknown): boolean {
    return thrown instanceof Deno.errors.UnexpectedEof && !this.closed &&
      this.#options.closedCode === "client_closed";
  }

  #received(count: number | null): void {
    this.#posted = undefined;
    // There always is room: 0 is the end of a direct connection.
    if (count === null || count === 0) {
      this.ended = true;
      return;
    }
    const room = this.bytes.length - this.end;
    this.end += count;
    this.bytesIn += count;
    this.#options.total.in += count;
    this.#fit = count === room
      ? "tight"
      : count < room >> 2
      ? "loose"
      : "right";
    if (this.#settled) this.#chooseFloor(count);
  }

  /** One that says much in each of two sweeps talks; what comes in one may be all for long. */
  #chooseFloor(count: number): void {
    const { buffers: { tiny, small }, deadlines: { now } } = this.#options;
    const talks = now - this.#readAt <= TALKS_WITHIN;
    if (count < tiny.size - HEADROOM) {
      if (!talks) this.#floor = tiny;
    } else if (now !== this.#readAt) {
      this.#readAt = now;
      this.#floor = talks ? small : tiny;
    }
  }

  /** Moves to a larger buffer, as far as there is one, for what is wanted `whole` beyond streams' share of them; false where there is none. Throws a ProxyError once it is closed. */
  enlarge(wanted: { readonly whole?: boolean } = {}): boolean {
    if (this.closed) throw this.#closedError();
    const pool = this.#options.buffers.larger(this.bytes, wanted);
    if (pool.size <= this.bytes.length) return false;
    this.#moveTo(pool.take());
    return true;
  }

  /**
   * It is about to be long-lived and mostly silent: its smallest buffer is the
   * smallest there is, and no head lies in it any more.
   */
  settle(): void {
    this.#settled = true;
    this.#floor = this.#options.buffers.tiny;
    this.unpin();
    this.shrink();
  }

  /** Back to the smallest buffer, where all is consumed: what an idle connection holds is its memory. */
  shrink(): void {
    this.#shrinkTo(this.#floor);
  }

  /** As `shrink`, but for one read to the smallest that there is: most likely nothing comes for long. */
  shrinkForRest(): void {
    this.#shrinkTo(this.#options.buffers.tiny);
  }

  #shrinkTo(pool: BufferPool): void {
    if (this.held > 0 || this.#posted !== undefined || this.#headHere) return;
    if (this.bytes.length !== pool.size && !this.closed) {
      this.#options.buffers.give(this.bytes);
      this.bytes = pool.take();
    }
    this.#fit = "right";
    this.#rewind();
  }

  /**
   * Writes all of it. `pooled`, the buffer that it lies in, then goes back to its
   * pool, whatever happens. Rejects with a ProxyError.
   */
  async write(bytes: Uint8Array, pooled?: Uint8Array): Promise<void> {
    const { buffers, deadlines } = this.#options;
    try {
      if (this.closed) throw this.#closedError();
      this.#writeDeadline = deadlines.after(this.#writeTimeout);
      let written = await this.#conn.write(bytes);
      this.#wrote(written);
      while (written < bytes.length) {
        this.#writeDeadline = deadlines.after(this.#writeTimeout);
        const more = await this.#conn.write(bytes.subarray(written));
        this.#wrote(more);
        written += more;
      }
    } catch (thrown) {
      throw this.#failureOf(thrown);
    } finally {
      this.#writeDeadline = Infinity;
      if (pooled !== undefined) buffers.give(pooled);
    }
  }

  #wrote(count: number): void {
    this.bytesOut += count;
    this.#options.total.out += count;
  }

  /**
   * Writes all that is held to another connection. Until that is done the buffer
   * stays out, whoever closes this one meanwhile: the next connection would read
   * into what is being written. Rejects with a ProxyError.
   */
  async passTo(other: Socket): Promise<void> {
    const bytes = this.bytes.subarray(this.start, this.end);
    this.start = this.end;
    this.#lent = true;
    try {
      await other.write(bytes);
    } finally {
      this.#lent = false;
      if (this.closed && this.#posted === undefined) this.#giveBack();
    }
  }

  /** Ends our direction after what was written. Errors are the reader's to see. */
  async closeWrite(): Promise<void> {
    if (this.closed) return;
    try {
      await this.#conn.closeWrite();
    } catch {
      // The peer is gone already: the pending or next read says so.
    }
  }

  /** Closes both directions, once; pending reads and writes reject. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#options.deadlines.delete(this);
    this.#conn.close();
    // A posted read may still write into the buffer until it rejects.
    if (this.#posted === undefined) this.#giveBack();
    else {
      const giveBackLater = () => {
        this.#posted = undefined;
        this.#giveBack();
      };
      this.#posted.then(giveBackLater, giveBackLater);
    }
    this.onClosed?.();
  }

  #giveBack(): void {
    if (this.#pinned || this.#lent || this.bytes === EMPTY) return;
    if (this.#failure === undefined) this.#options.buffers.give(this.bytes);
    else this.#options.buffers.drop(this.bytes);
    this.bytes = EMPTY;
    this.start = this.end = 0;
  }

  #closedError(): ProxyError {
    return this.#failure ??
      new ProxyError(this.#options.closedCode, "The connection is closed");
  }

  #failureOf(thrown: unknown): ProxyError {
    if (thrown instanceof ProxyError) return thrown;
    if (this.#failure !== undefined) return this.#failure;
    const { closedCode, failureCode } = this.#options;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return new ProxyError(failureCode?.(thrown) ?? closedCode, reason, {
      cause: thrown,
    });
  }

  #rewind(): void {
    this.start = this.end = HEADROOM;
  }

  /** What of the buffer is free: mostly all of it, in the buffer of the last read. */
  #room(): Uint8Array {
    if (this.end !== HEADROOM) return this.bytes.subarray(this.end);
    if (this.#wholeOf !== this.bytes) {
      this.#whole = this.bytes.subarray(HEADROOM);
      this.#wholeOf = this.bytes;
    }
    return this.#whole;
  }

  /** Whether a pinned head lies in the buffer that is read into. */
  get #headHere(): boolean {
    return this.#pinned && this.#retired === undefined;
  }

  #makeRoom(): void {
    const fit = this.#fit;
    this.#fit = "right";
    if (this.held === 0 && !this.#headHere) {
      if (fit === "tight") this.enlarge();
      else if (fit === "loose" || this.#floor === this.#options.buffers.tiny) {
        this.shrink();
      }
      this.#rewind();
    } else if (this.end === this.bytes.length) {
      if (this.start > HEADROOM && !this.#headHere) {
        this.bytes.copyWithin(HEADROOM, this.start, this.end);
        this.end -= this.start - HEADROOM;
        this.start = HEADROOM;
      } else {
        this.#moveTo(this.#options.buffers.larger(this.bytes).take());
      }
    }
  }

  #moveTo(buffer: Uint8Array): void {
    const held = this.held;
    if (buffer.length - HEADROOM <= held) {
      this.#options.buffers.give(buffer);
      throw new RangeError(
        `Cannot move ${held} held bytes to a buffer of ${buffer.length}`,
      );
    }
    buffer.set(this.bytes.subarray(this.start, this.end), HEADROOM);
    if (this.#headHere) this.#retired = this.bytes;
    else this.#options.buffers.give(this.bytes);
    this.bytes = buffer;
    this.start = HEADROOM;
    this.end = HEADROOM + held;
  }
}

const EMPTY = new Uint8Array(0);

const ENDED = Promise.resolve(false);

/** What a posted read calls. */
interface PostedHandlers {
  readonly read: () => void;
  readonly failed: () => void;
}

/** Who is silent for so long rests, in milliseconds. */
const REST_AFTER = 1_000;

/** Two reads of one that talks are no further apart, in milliseconds: two sweeps. */
const TALKS_WITHIN = 250;
