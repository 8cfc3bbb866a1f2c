/**
 * A session's link to one backend with what is known of it: what it was sent,
 * what of that it has certainly read, what it owes.
 *
 * A WebSocket peer answers Pings in order with what it reads, so that a Pong
 * proves that everything sent before its Ping was read (RFC 6455 §5.5.3): such a
 * Ping is a fence.
 *
 * @module
 */
import type { Link, MessageKind } from "./link.ts";

/** Counts messages by their size. */
export interface SizeCounter {
  observe(bytes: number): void;
}

/** Who counts the messages of one backend. */
export interface MessageSizes {
  readonly toBackend: SizeCounter;
  readonly fromBackend: SizeCounter;
}

/** A link that a dial brought. */
export interface Dialled {
  readonly link: Link;
  readonly backendId: string;
}

/** Bytes of a fence's payload: nobody else's Pong has as many by chance and the right number in it. */
const FENCE_BYTES = 12;

/** Marks a fence's payload. */
const FENCE_MARK = 0x48524652;

/** One whose fence is not answered and that says nothing for so long is stalled, in milliseconds. */
export const STALLED = 1_000;

/** How fast a long answer is forgotten. */
const DECAY = 0.9;

/** One backend of a session. */
export class BackendSide {
  /** What the dial brought. */
  readonly dialled: Dialled;
  /** Counts its messages. */
  readonly sizes: MessageSizes;
  /** Messages that it was sent and seems not to have answered, each message of its own taken for an answer. */
  owed = 0;
  /** Messages that it sent. */
  received = 0;
  /** When a message came last that nobody had asked for, as far as can be told. */
  unaskedAt = -Infinity;
  /** The number of the last message that went to it. */
  lastSent = 0;
  /** The message that the fence under way stands behind; undefined where none is under way. */
  fence: number | undefined;
  /** When the fence was sent or its link last did not listen, by the deadlines' time. */
  fencedAt = 0;
  /** When the last fence was put. */
  lastFenceAt = -Infinity;
  /** Bytes sent since then. */
  unfenced = 0;
  /** Milliseconds from a message to the next one that comes back, the longest of late. */
  answerTime = 0;
  /** When the first message went to it that nothing came back after yet. */
  #askedAt: number | undefined;
  /** A message that nobody had asked for came in this batch. */
  #unasked = false;
  /** Nothing comes from it any more. */
  over = false;

  constructor(dialled: Dialled, sizes: MessageSizes) {
    this.dialled = dialled;
    this.sizes = sizes;
  }

  get link(): Link {
    return this.dialled.link;
  }

  get backendId(): string {
    return this.dialled.backendId;
  }

  /** Sends the message of this number. */
  send(
    number: number,
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.link.send(kind, bytes, start, end);
    this.owed++;
    this.lastSent = number;
    this.unfenced += end - start;
  }

  /** It sent a message. */
  heard(): void {
    this.received++;
    if (this.owed > 0) this.owed--;
    else this.#unasked = true;
  }

  /**
   * For how long it has let nothing be heard since it was asked for something,
   * and owes us a Pong; `swept` is the deadlines' time, which leaves out what the
   * event loop stood still for.
   */
  silence(now: number, swept: number): number {
    if (this.fence === undefined || this.#askedAt === undefined) return 0;
    return Math.min(now - this.#askedAt, swept - this.fencedAt);
  }

  /** A batch of messages went to it. */
  asked(now: number): void {
    this.#askedAt ??= now;
  }

  /** Messages came back. */
  answered(now: number): void {
    if (this.#unasked) {
      this.#unasked = false;
      this.unaskedAt = now;
    }
    if (this.#askedAt === undefined) return;
    this.answerTime = Math.max(now - this.#askedAt, this.answerTime * DECAY);
    this.#askedAt = undefined;
  }

  /** Puts a fence behind what was sent. */
  putFence(now: number): void {
    const payload = new Uint8Array(FENCE_BYTES);
    const view = new DataView(payload.buffer);
    view.setUint32(0, FENCE_MARK);
    view.setFloat64(4, this.lastSent);
    this.fence = this.lastSent;
    this.fencedAt = now;
    this.unfenced = 0;
    this.link.ping(payload);
  }

  /** A Pong came: the number of the last message that was read before, undefined where it is no fence's. */
  readPong(
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number | undefined {
    if (end - start !== FENCE_BYTES || this.fence === undefined) {
      return undefined;
    }
    const view = new DataView(
      bytes.buffer,
      bytes.byteOffset + start,
      FENCE_BYTES,
    );
    if (view.getUint32(0) !== FENCE_MARK) return undefined;
    // An older fence's Pong proves nothing that a later one would not.
    if (view.getFloat64(4) !== this.fence) return undefined;
    this.fence = undefined;
    return view.getFloat64(4);
  }
}
