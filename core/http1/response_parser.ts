/**
 * Parses and judges the head of a response, interim ones too.
 *
 * @module
 */
import { judgeConnection } from "./connection_options.ts";
import { judgeFraming } from "./framing.ts";
import { refuseSize, RESPONSE } from "./head_errors.ts";
import { AT_LINE, type HeadIndex } from "./head_index.ts";
import { CONNECTION } from "./known_fields.ts";
import { scanFields } from "./scan_fields.ts";
import { scanStatusLine } from "./status_line.ts";

/** What a response's head may have. */
export interface ResponseLimits {
  /** Bytes from the status line to the empty line, both included. */
  readonly headerBytes: number;
  /** Fields. */
  readonly headers: number;
}

/**
 * Parses the head that starts at `start` and returns the offset behind it, or -1
 * where more bytes are needed: call it again with those, at the same place or
 * wherever the same bytes have moved. `index` has to be reset before a head.
 *
 * Throws a ProxyError: at the same byte however the bytes are split.
 */
export function parseResponseHead(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: ResponseLimits,
  index: HeadIndex,
): number {
  index.resume(start);
  const bound = start + limits.headerBytes;
  const stop = Math.min(end, bound);
  let at = index.at;
  if (index.phase < AT_LINE) at = scanStatusLine(bytes, at, stop, index);
  if (at >= 0) {
    const fields = Math.min(limits.headers, index.capacity);
    at = scanFields(bytes, at, stop, index, fields, RESPONSE);
  }
  if (at < 0) {
    if (stop === bound) refuseSize(RESPONSE, limits.headerBytes, "bytes");
    return -1;
  }
  if (index.has(CONNECTION)) judgeConnection(bytes, index, RESPONSE);
  judgeFraming(bytes, index, RESPONSE, "if-equal");
  return at;
}
