/**
 * Bodies, pulled piece by piece, never gathered.
 *
 * @module
 */
import type { ListFields } from "./list_fields.ts";

/** Free bytes that pieces have before them: room for a chunk's size line or an HTTP/2 frame header. */
export const HEADROOM = 16;

/**
 * A body on its way. `next` moves to the next piece: the bytes from `start` to
 * `end` of `bytes`, which belong to the reader and are valid until the next
 * call. The `headroom` bytes before and the `tailroom` bytes behind them may be
 * overwritten, so that framing costs no copy.
 */
export interface BodyReader {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Free bytes before `start`: {@linkcode HEADROOM} but where a head lies there that is still read. */
  readonly headroom: number;
  /** Free bytes behind `end`: 0 where held bytes of the next message follow. */
  readonly tailroom: number;
  /** Whether the piece at hand is the last one, known without another read. */
  readonly last: boolean;
  /**
   * Fields that follow the body, complete once the last piece is at hand; left
   * out where trailers are dropped.
   */
  readonly trailers?: ListFields | undefined;
  /**
   * Moves to a piece that is at hand already, without waiting; false where none
   * is. An empty body, or one at its end, is `last` with an empty piece: true.
   */
  advance(): boolean;
  /** Waits for the next piece; false after the last one. Rejects with a ProxyError. */
  next(): Promise<boolean>;
  /** Gives up the rest: the source need not send it. */
  cancel(): void;
}

/** A request's body: who gave it up may want it after all, to drop the rest or to send it again. */
export interface RequestBody extends BodyReader {
  /** Takes back a `cancel`. */
  resume(): void;
}
