/**
 * One side of a WebSocket session as the session sees it: whole messages in and
 * out, whatever carries them.
 *
 * Nothing here makes a promise per message: messages of one read are handed on
 * one after another, then written together, and the next read waits for that
 * write. So a slow side holds back the other, and neither loses anything.
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import type { EntryTaker } from "./replay_log.ts";

/** A data message's kind, by its opcode on the wire (RFC 6455 §5.2). */
export type MessageKind = 1 | 2;

/** How a link ended. */
export interface LinkEnd {
  /** The Close code; 1005 where a Close had none, 1006 where none came (RFC 6455 §7.4.1). */
  readonly code: number;
  /** The Close reason; empty where there was none. */
  readonly reason: string;
  /** Why it ended without a Close, or by a Close of our own: a reset, a timeout, a broken frame. */
  readonly error: ProxyError | undefined;
  /** It failed, whatever its code; left out where the code says so or not. */
  readonly failed?: true;
}

/** What a link tells its session. Calls come one after another and never within one of the session's own calls. */
export interface LinkEvents {
  /** A whole message; the bytes are valid within the call only. */
  message(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void;
  /** A Pong came; the bytes are valid within the call only. */
  pong(bytes: Uint8Array, start: number, end: number): void;
  /**
   * All messages of one read were given. The next read waits for the promise:
   * that is the backpressure.
   */
  batchEnd(): Promise<void> | undefined;
  /** It is over, once: nothing comes after it. All that was read before was given. */
  ended(end: LinkEnd): void;
}

/** One side. */
export interface Link {
  /** Begins to read; events come from here on. */
  start(events: LinkEvents): void;
  /** Queues a message for the next `flush`; copies the bytes. Ignored once it is over. */
  send(kind: MessageKind, bytes: Uint8Array, start: number, end: number): void;
  /** Queues a Ping with a payload of at most 125 bytes. */
  ping(payload: Uint8Array): void;
  /** Writes what is queued; a promise only where the peer's window does not take it at once. Never rejects: a failed write is an end. */
  flush(): Promise<void> | undefined;
  /** Bytes queued or on their way and not taken by the peer yet. */
  readonly buffered: number;
  /** Whether it listens to the peer: not while it waits for `batchEnd`'s promise, when silence means nothing. */
  readonly listening: boolean;
  /**
   * Closes it in order: what is queued, then a Close (1005: one without a code),
   * then the peer's Close is waited for, for a bounded time, while what it still
   * sends is given. `ended` follows.
   */
  close(code: number, reason: string): void;
  /** Ends it at once; `ended` follows with 1006. */
  abort(reason: ProxyError): void;
  /**
   * Once it is over: gives those of the messages sent that its peer has certainly
   * not got, in their order, once. Left out where nobody can tell.
   */
  giveBack?(take: EntryTaker): void;
}
