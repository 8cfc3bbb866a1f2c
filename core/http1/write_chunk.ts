/**
 * The framing of chunks on their way out (RFC 9112 §7.1), put around data where
 * it lies.
 *
 * @module
 */
import { CR, LF } from "./chars.ts";
import { encodeLatin1 } from "./text.ts";

/** What ends a body in chunks without trailers. */
export const LAST_CHUNK: Uint8Array = encodeLatin1("0\r\n\r\n");

/**
 * Writes the size line of a chunk right before its data and returns where it
 * starts: at most 16 bytes before `dataStart`, which is what `HEADROOM` keeps free.
 * Throws a `RangeError` for an empty chunk, which would end the body.
 */
export function chunkPrefix(
  bytes: Uint8Array,
  dataStart: number,
  length: number,
): number {
  if (!(length > 0 && length <= Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(
      `Cannot frame chunk as its length must be > 0: current value is ${length}`,
    );
  }
  let at = dataStart;
  bytes[--at] = LF;
  bytes[--at] = CR;
  for (let rest = length; rest > 0; rest = Math.floor(rest / 16)) {
    const digit = rest % 16;
    bytes[--at] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
  return at;
}
