/**
 * Whether bytes are UTF-8 (RFC 6455 §8.1).
 *
 * @module
 */
import { isUtf8 } from "node:buffer";

/** Up to so many bytes a loop that finds only ASCII beats the call (measured: 26 ns to 80). */
const LOOP_UP_TO = 128;

/** Whether the bytes from `start` to `end` are UTF-8. */
export function isValidUtf8(
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (end - start <= LOOP_UP_TO) {
    let all = 0;
    for (let i = start; i < end; i++) all |= bytes[i]!;
    if (all < 0x80) return true;
  }
  return isUtf8(bytes.subarray(start, end));
}
