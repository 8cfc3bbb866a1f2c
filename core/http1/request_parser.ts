/**
 * Parses and judges the head of a request: what it returns is one message that
 * every next hop understands in the same way, or it throws.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { CR, LF } from "./chars.ts";
import { judgeConnection, judgeUpgrade } from "./connection_options.ts";
import { judgeFraming } from "./framing.ts";
import { refuseSize, REQUEST } from "./head_errors.ts";
import {
  AT_LINE,
  AT_START,
  FLAGS,
  type HeadIndex,
  HOP_BY_HOP,
  IN_TARGET,
  STRIDE,
  VALUE_END,
  VALUE_START,
} from "./head_index.ts";
import { CONNECTION, EXPECT, UPGRADE } from "./known_fields.ts";
import { refuseTarget, scanRequestLine } from "./request_line.ts";
import { judgeTarget } from "./request_target.ts";
import { scanFields } from "./scan_fields.ts";
import { isText } from "./text.ts";

/** What a request's head may have. */
export interface RequestLimits {
  /** Bytes from the request line to the empty line, both included. */
  readonly headerBytes: number;
  /** Fields. */
  readonly headers: number;
  /** Bytes of the target. */
  readonly targetBytes: number;
}

/**
 * Skips empty lines before a request (RFC 9112 §2.2): the offset of the first
 * byte that belongs to none, which may be a CR whose LF is still to come.
 */
export function skipEmptyLines(
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let at = start;
  while (at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at;
}

/**
 * Parses the head that starts at `start` and returns the offset behind it, or -1
 * where more bytes are needed: call it again with those, at the same place or
 * wherever the same bytes have moved. `index` has to be reset before a head.
 * Empty lines before it are not skipped, see {@linkcode skipEmptyLines}: call
 * that as long as `index.started` is false.
 *
 * Throws a {@linkcode ProxyError}: at the same byte however the bytes are split.
 */
export function parseRequestHead(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: RequestLimits,
  index: HeadIndex,
): number {
  index.resume(start);
  // The CR of an empty line, perhaps: the next byte tells.
  if (
    index.phase === AT_START &&
    (end === start || (bytes[start] === CR && end === start + 1))
  ) return -1;
  const bound = start + limits.headerBytes;
  const stop = Math.min(end, bound);
  let at = index.at;
  if (index.phase < AT_LINE) {
    at = scanRequestLine(bytes, at, stop, limits.targetBytes, index);
  }
  if (at >= 0) {
    const fields = Math.min(limits.headers, index.capacity);
    at = scanFields(bytes, at, stop, index, fields, REQUEST);
  }
  if (at < 0) {
    if (stop === bound) refuseLength(index, limits);
    return -1;
  }
  judgeRequest(bytes, index);
  return at;
}

function refuseLength(index: HeadIndex, limits: RequestLimits): never {
  if (index.phase === IN_TARGET) refuseTarget(limits.headerBytes);
  refuseSize(REQUEST, limits.headerBytes, "bytes");
}

function judgeRequest(bytes: Uint8Array, index: HeadIndex): void {
  if (index.has(CONNECTION)) judgeConnection(bytes, index, REQUEST);
  judgeTarget(bytes, index);
  judgeFraming(bytes, index, REQUEST, "refuse");
  if (index.has(EXPECT)) judgeExpect(bytes, index);
  if (index.has(UPGRADE)) judgeUpgrade(bytes, index);
}

/**
 * Only `100-continue` is known (RFC 9110 §10.1.1). It means nothing in HTTP/1.0
 * and without a body, and is not sent on there: a backend that answers 100 to
 * what nobody waits for puts a response too many into the connection.
 */
function judgeExpect(bytes: Uint8Array, index: HeadIndex): void {
  const first = index.find(EXPECT);
  const record = first * STRIDE;
  if (index.minor > 0) {
    const start = index.ranges[record + VALUE_START]!;
    const end = index.ranges[record + VALUE_END]!;
    if (
      index.hasSeveral(EXPECT) || !isText(bytes, start, end, "100-continue")
    ) {
      throw new ProxyError(
        "expectation_failed",
        "Cannot meet the expectation as only 100-continue is known",
      );
    }
    index.expectsContinue = index.chunked || index.contentLength > 0;
  }
  if (index.expectsContinue) return;
  for (let field = first; field >= 0; field = index.find(EXPECT, field + 1)) {
    index.ranges[field * STRIDE + FLAGS]! |= HOP_BY_HOP;
  }
}
