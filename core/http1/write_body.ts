/**
 * Writes a body behind a head: as it is or in chunks, a small message in one
 * write (each write is a system call, 64 % of a request's cost is the kernel's;
 * measured).
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { type BodyReader, HEADROOM } from "../message/body.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Socket } from "../net/socket.ts";
import { chunkPrefix, LAST_CHUNK } from "./write_chunk.ts";
import { encodeTrailers } from "./write_trailers.ts";

/** How a body is written. */
export interface BodyWriteOptions {
  /** Whether it goes out in chunks. */
  readonly chunked: boolean;
  /** Bytes that the head declared, -1 where it declared none. */
  readonly length: number;
  readonly buffers: Buffers;
  /** Called before each piece that was not at hand with the head. */
  readonly onPiece?: () => void;
}

/** Bytes that framing adds to one piece at most: size line, CRLF, last chunk. */
const FRAMING = 32;

/**
 * Writes the head in the pooled buffer `out` up to `headEnd` and the body behind
 * it; `out` goes back to its pool. Throws or rejects with a ProxyError.
 */
export function writeMessage(
  socket: Socket,
  out: Uint8Array,
  headEnd: number,
  body: BodyReader | null,
  options: BodyWriteOptions,
): Promise<void> {
  if (body === null) return socket.write(out.subarray(0, headEnd), out);
  let length: number;
  try {
    length = body.advance() ? body.end - body.start : 0;
  } catch (thrown) {
    options.buffers.give(out);
    throw thrown;
  }
  const atOnce = body.last && !hasTrailers(body) &&
    headEnd + length + FRAMING <= out.length &&
    isLength(options.length, length);
  if (!atOnce) return writePieces(socket, out, headEnd, body, options);
  const end = appendPiece(out, headEnd, body, options.chunked);
  return socket.write(out.subarray(0, end), out);
}

/** The head and a body in several writes. */
async function writePieces(
  socket: Socket,
  out: Uint8Array,
  headEnd: number,
  body: BodyReader,
  options: BodyWriteOptions,
): Promise<void> {
  try {
    let sent = body.end - body.start;
    checkLength(options.length, sent, body.last);
    if (headEnd + sent + FRAMING <= out.length) {
      const end = appendPiece(out, headEnd, body, options.chunked);
      await socket.write(out.subarray(0, end));
    } else {
      await socket.write(out.subarray(0, headEnd));
      await writePiece(socket, out, body, options);
    }
    while (!body.last) {
      if (!await body.next()) {
        checkLength(options.length, sent, true);
        if (options.chunked) await socket.write(lastChunk(body));
        return;
      }
      options.onPiece?.();
      sent += body.end - body.start;
      checkLength(options.length, sent, body.last);
      await writePiece(socket, out, body, options);
    }
    if (options.chunked && hasTrailers(body)) {
      await socket.write(lastChunk(body));
    }
  } finally {
    options.buffers.give(out);
  }
}

/** Copies a piece with its framing behind what `out` holds; the new end. */
function appendPiece(
  out: Uint8Array,
  at: number,
  body: BodyReader,
  chunked: boolean,
): number {
  const length = body.end - body.start;
  let end = at;
  if (length > 0) {
    // The size line is written right before the data, which lies where it may be.
    const data = chunked ? end + 10 : end;
    out.set(body.bytes.subarray(body.start, body.end), data);
    if (chunked) {
      const start = chunkPrefix(out, data, length);
      out.copyWithin(end, start, data + length);
      end += data + length - start;
      out[end++] = 13;
      out[end++] = 10;
    } else {
      end += length;
    }
  }
  if (chunked && endsHere(body)) {
    out.set(LAST_CHUNK, end);
    end += LAST_CHUNK.length;
  }
  return end;
}

/** Writes one piece that stands alone, framing it in place where there is room. */
async function writePiece(
  socket: Socket,
  out: Uint8Array,
  body: BodyReader,
  options: BodyWriteOptions,
): Promise<void> {
  if (!options.chunked) {
    await socket.write(body.bytes.subarray(body.start, body.end));
    return;
  }
  const length = body.end - body.start;
  if (length + FRAMING <= out.length) {
    await socket.write(out.subarray(0, appendPiece(out, 0, body, true)));
    return;
  }
  const ends = endsHere(body);
  if (body.headroom < HEADROOM) {
    const prefix = chunkPrefix(out, HEADROOM, length);
    await socket.write(out.subarray(prefix, HEADROOM));
    await socket.write(body.bytes.subarray(body.start, body.end));
    await socket.write(ends ? CRLF_LAST_CHUNK : CRLF);
    return;
  }
  const start = chunkPrefix(body.bytes, body.start, length);
  const tail = ends ? 2 + LAST_CHUNK.length : 2;
  if (body.tailroom >= tail) {
    const { bytes, end } = body;
    bytes[end] = 13;
    bytes[end + 1] = 10;
    if (ends) bytes.set(LAST_CHUNK, end + 2);
    await socket.write(bytes.subarray(start, end + tail));
    return;
  }
  await socket.write(body.bytes.subarray(start, body.end));
  await socket.write(ends ? CRLF_LAST_CHUNK : CRLF);
}

/** Whether fields follow the body, known once its last piece is at hand. */
function hasTrailers({ trailers }: BodyReader): boolean {
  return trailers !== undefined && trailers.size > 0;
}

function lastChunk(body: BodyReader): Uint8Array {
  return hasTrailers(body) ? encodeTrailers(body.trailers!) : LAST_CHUNK;
}

/** Whether nothing follows the piece at hand. */
function endsHere(body: BodyReader): boolean {
  return body.last && !hasTrailers(body);
}

const CRLF = new Uint8Array([13, 10]);
const CRLF_LAST_CHUNK = new Uint8Array([13, 10, ...LAST_CHUNK]);

/** Whether a whole body has the length that was declared, where one was. */
function isLength(declared: number, length: number): boolean {
  return declared < 0 || declared === length;
}

/** Holds a body to what its head declared: one byte more or less would be taken for the next message. */
function checkLength(declared: number, sent: number, last: boolean): void {
  if (last ? isLength(declared, sent) : declared < 0 || sent <= declared) {
    return;
  }
  throw new ProxyError(
    "response_truncated",
    `The body has ${sent} bytes of ${declared} declared`,
  );
}
