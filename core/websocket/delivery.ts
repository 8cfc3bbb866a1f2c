/**
 * A client's messages on their way to the backend that its session is on.
 *
 * They lie in a log until the backend is known to have read them, which fences
 * tell (see `backend_side.ts`): a new backend gets what a dead one has not, in
 * order and before anything newer. The client is held back while the log is
 * full.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Clock } from "../net/clock.ts";
import type { Deadlines } from "../net/deadlines.ts";
import type { BackendSide } from "./backend_side.ts";
import type { MessageKind } from "./link.ts";
import { ReplayLog } from "./replay_log.ts";
import type { SessionSettings } from "./session_owner.ts";

/** What messages are delivered by. */
export interface DeliveryOptions
  extends Pick<SessionSettings, "replay" | "pongTimeout"> {
  readonly buffers: Buffers;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/** What may wait for a backend where nothing is replayed, in bytes. */
const UNSENT = 64 << 10;

/** A fence follows so many bytes, whatever the time. */
const FENCE_AFTER = 32 << 10;

/** A fence follows the one before by so much, in milliseconds: what a crash may have sent twice is no older. */
const FENCE_INTERVAL = 20;

/** The deliveries of one session. */
export class Delivery {
  readonly #replays: boolean;
  readonly #bound: number;
  readonly #pongTimeout: number;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #log: ReplayLog;
  /** Who gets messages as they come; undefined while they have to wait. */
  #target: BackendSide | undefined;
  /** The last message that was counted by its size. */
  #counted = 0;
  /** The client waits to be read on until the log has room. */
  #room: PromiseWithResolvers<void> | undefined;
  #over = false;

  /** To this backend first. */
  constructor(target: BackendSide, options: DeliveryOptions) {
    this.#target = target;
    this.#replays = options.replay !== undefined;
    this.#bound = options.replay ?? UNSENT;
    this.#pongTimeout = options.pongTimeout;
    this.#clock = options.clock;
    this.#deadlines = options.deadlines;
    this.#log = new ReplayLog(options.buffers);
  }

  /** Bytes of memory for messages that wait or may have to be sent again. */
  get memory(): number {
    return this.#log.memory;
  }

  /** How many messages would come for the second time to who takes this backend's place. */
  unread({ lastSent }: BackendSide): number {
    return Math.max(0, lastSent - this.#log.dropped);
  }

  /** The client sent a message; the bytes are copied. */
  put(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const target = this.#target;
    const log = this.#log;
    if (target !== undefined && !this.#replays) {
      this.#send(target, log.skip(), kind, bytes, start, end);
      return;
    }
    log.append(kind, bytes, start, end);
    if (target === undefined) return;
    this.#send(target, log.last, kind, bytes, start, end);
  }

  /** All messages of one read were put: what the next read waits for. */
  batchEnd(): Promise<void> | undefined {
    const side = this.#target;
    const full = this.#log.size >= this.#bound;
    let flushed: Promise<void> | undefined;
    if (side !== undefined) {
      const now = this.#clock.now();
      side.asked(now);
      if (
        this.#replays && this.#log.count > 0 &&
        (full || side.unfenced >= FENCE_AFTER ||
          now - side.lastFenceAt >= FENCE_INTERVAL)
      ) this.#fence(side, now);
      flushed = side.link.flush();
    }
    if (!full) return flushed;
    this.#room ??= Promise.withResolvers<void>();
    const { promise } = this.#room;
    return flushed === undefined ? promise : flushed.then(() => promise);
  }

  /** Now and then: puts a fence where one is missing, and aborts a backend that does not answer its own. */
  watch(): void {
    const side = this.#target;
    if (side === undefined) return;
    const now = this.#deadlines.now;
    if (side.fence === undefined) {
      if (this.#log.count > 0) this.#fence(side);
    } else if (!side.link.listening) {
      side.fencedAt = now;
    } else if (now - side.fencedAt > this.#pongTimeout) {
      side.link.abort(
        new ProxyError("backend_silent", "The backend did not answer a Ping"),
      );
    }
  }

  /** A Pong came: whether it answers the backend's fence, so that all before was read. */
  pong(
    side: BackendSide,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const read = side.readPong(bytes, start, end);
    if (read === undefined) return false;
    this.#acknowledge(read);
    return true;
  }

  /** Messages that come have to wait for the next `moveTo` or `sendTo`. */
  pause(): void {
    this.#target = undefined;
  }

  /** A backend is over. Where its link knows what its peer has not got, the peer got the rest: nothing is sent twice. */
  settle({ link, lastSent }: BackendSide): void {
    if (!this.#replays) return;
    let left = 0;
    link.giveBack?.(() => left++);
    if (link.giveBack !== undefined) this.#acknowledge(lastSent - left);
  }

  /** A backend takes the place of one that is over: what that one may not have read comes first. */
  moveTo(side: BackendSide, { link, lastSent }: BackendSide): void {
    // Where messages are kept, the log has what certainly did not reach it.
    if (!this.#replays) {
      link.giveBack?.((kind, bytes, start, end) => {
        side.send(lastSent, kind, bytes, start, end);
      });
    }
    this.sendTo(side);
  }

  /** A backend gets all that waits, and what comes from now on. */
  sendTo(side: BackendSide): void {
    this.#target = side;
    const log = this.#log;
    let number = log.dropped;
    log.giveAfter(0, (kind, bytes, start, end) => {
      this.#send(side, ++number, kind, bytes, start, end);
    });
    if (!this.#replays) log.dropTo(log.last);
    else if (log.count > 0) this.#fence(side);
    side.asked(this.#clock.now());
    side.link.flush();
    this.#makeRoom();
  }

  /** Nothing is delivered any more, and nobody held back. */
  end(): void {
    this.#over = true;
    this.#log.clear();
    this.#makeRoom();
  }

  #send(
    side: BackendSide,
    number: number,
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    side.send(number, kind, bytes, start, end);
    // One that is sent a second time was counted before.
    if (number <= this.#counted) return;
    this.#counted = number;
    side.sizes.toBackend.observe(end - start);
  }

  #fence(side: BackendSide, now = this.#clock.now()): void {
    if (side.fence !== undefined) return;
    side.lastFenceAt = now;
    side.putFence(this.#deadlines.now);
    side.link.flush();
  }

  /** The backend has read all up to this message. */
  #acknowledge(number: number): void {
    this.#log.dropTo(number);
    this.#makeRoom();
  }

  #makeRoom(): void {
    if (this.#log.size >= this.#bound && !this.#over) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}
