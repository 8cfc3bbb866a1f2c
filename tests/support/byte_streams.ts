/**
 * Whole reads and writes over connections, and bytes to send.
 *
 * @module
 */
import type { ByteConn } from "../../core/net/byte_conn.ts";

/** Writes all of it, however many writes that takes. */
export async function writeAll(
  conn: ByteConn,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}

/** Reads up to the peer's end. */
export async function readAll(conn: ByteConn): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const buffer = new Uint8Array(64 << 10);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return join(pieces);
    pieces.push(buffer.slice(0, count));
  }
}

/** Reads exactly so many bytes. Rejects where the peer ends before. */
export async function readExactly(
  conn: ByteConn,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await conn.read(bytes.subarray(at));
    if (count === null) {
      throw new Error(`The peer ended after ${at} of ${length} bytes`);
    }
    at += count;
  }
  return bytes;
}

/** Bytes that tell every place from every other: no run repeats soon. */
export function patternBytes(
  length: number,
  seed = 1,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    // xorshift32: fast, and its low byte has no short period.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** The bytes of a text in UTF-8. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text of bytes in UTF-8. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** One after another. */
export function join(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(
    pieces.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
