/**
 * Messages as they would be sent on.
 *
 * @module
 */
import { chunkPrefix } from "../../../core/http1/write_chunk.ts";
import { decodeLatin1 } from "../../../core/http1/text.ts";
import type { Message } from "./codec.ts";

/** All bytes of a message; its body is one chunk where no length is known. */
export function sentOn({ head, written, body }: Message): string {
  if (head.bodyLength !== -1) return written + body;
  if (body === "") return `${written}0\r\n\r\n`;
  const room = new Uint8Array(16);
  const start = chunkPrefix(room, 16, body.length);
  return `${written}${decodeLatin1(room, start, 16)}${body}\r\n0\r\n\r\n`;
}
