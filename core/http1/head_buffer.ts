/**
 * Finds a pooled buffer that a head fits in.
 *
 * @module
 */
import { type FailureCode, ProxyError } from "../errors.ts";
import type { Buffers } from "../net/buffer_pool.ts";

/** A pooled buffer with a head in it; whoever gets it gives it back. */
export interface WrittenHead {
  readonly out: Uint8Array;
  /** Behind the head, which starts at 0. */
  readonly end: number;
}

/**
 * Has a head written into a buffer, and where it is too large into a larger one.
 * `write` returns the end, or -1 for too large. Throws what it throws, and
 * `overflow` where no buffer is large enough.
 */
export function writeHeadInto(
  buffers: Buffers,
  write: (out: Uint8Array) => number,
  overflow: FailureCode,
): WrittenHead {
  let out = buffers.medium.take();
  try {
    let end = write(out);
    if (end < 0) {
      buffers.give(out);
      out = buffers.large.take();
      end = write(out);
    }
    if (end >= 0) return { out, end };
  } catch (thrown) {
    buffers.give(out);
    throw thrown;
  }
  buffers.give(out);
  throw new ProxyError(
    overflow,
    `The head outgrew ${out.length} bytes as it was changed`,
  );
}
