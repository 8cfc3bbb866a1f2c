/**
 * What frames a body: Content-Length and Transfer-Encoding, judged so that no
 * next hop can find another end of the message (RFC 9112 §6).
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { type HeadCodes, refuse } from "./head_errors.ts";
import {
  type HeadIndex,
  KNOWN,
  STRIDE,
  VALUE_END,
  VALUE_START,
} from "./head_index.ts";
import { CONTENT_LENGTH, TRANSFER_ENCODING } from "./known_fields.ts";
import { decodeLatin1, isText } from "./text.ts";

/**
 * Notes in `index` what the framing fields say. A client's repeated
 * Content-Length is refused even if both agree: no honest client sends it.
 * Throws a ProxyError.
 */
export function judgeFraming(
  bytes: Uint8Array,
  index: HeadIndex,
  codes: HeadCodes,
  repeatedLength: "refuse" | "if-equal",
): void {
  if (index.has(CONTENT_LENGTH)) {
    if (index.hasSeveral(CONTENT_LENGTH) && repeatedLength === "refuse") {
      refuse(codes, "it has more than one Content-Length");
    }
    judgeLength(bytes, index, codes);
  }
  if (index.has(TRANSFER_ENCODING)) judgeCoding(bytes, index, codes);
}

function judgeLength(
  bytes: Uint8Array,
  index: HeadIndex,
  codes: HeadCodes,
): void {
  for (let field = 0; field < index.count; field++) {
    const record = field * STRIDE;
    if (index.ranges[record + KNOWN] !== CONTENT_LENGTH) continue;
    const length = parseLength(
      bytes,
      index.ranges[record + VALUE_START]!,
      index.ranges[record + VALUE_END]!,
      codes,
    );
    if (index.contentLength >= 0 && index.contentLength !== length) {
      refuse(codes, "its Content-Length fields differ");
    }
    index.contentLength = length;
  }
}

/** Digits and nothing else: no list, no sign, no more than a number holds exactly. */
function parseLength(
  bytes: Uint8Array,
  start: number,
  end: number,
  codes: HeadCodes,
): number {
  let length = start === end ? NaN : 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    length = digit >= 0 && digit <= 9 ? length * 10 + digit : NaN;
  }
  if (!(length <= Number.MAX_SAFE_INTEGER)) {
    refuse(
      codes,
      `its Content-Length is no number up to 2^53-1: current value is ${
        JSON.stringify(decodeLatin1(bytes, start, end))
      }`,
    );
  }
  return length;
}

function judgeCoding(
  bytes: Uint8Array,
  index: HeadIndex,
  codes: HeadCodes,
): void {
  if (index.has(CONTENT_LENGTH)) {
    refuse(codes, "it has both Content-Length and Transfer-Encoding");
  }
  if (index.minor === 0) refuse(codes, "HTTP/1.0 has no Transfer-Encoding");
  if (index.hasSeveral(TRANSFER_ENCODING)) {
    refuse(codes, "it has more than one Transfer-Encoding");
  }
  const record = index.find(TRANSFER_ENCODING) * STRIDE;
  const start = index.ranges[record + VALUE_START]!;
  const end = index.ranges[record + VALUE_END]!;
  if (!isText(bytes, start, end, "chunked")) {
    refuseCoding(decodeLatin1(bytes, start, end), codes);
  }
  index.chunked = true;
}

/** A well-formed list that names another coding is one that we don't know; all else is wrong. */
function refuseCoding(value: string, codes: HeadCodes): never {
  const tokens = value.toLowerCase().split(",").map((item) => item.trim());
  const wellFormed = tokens.every((token) =>
    /^[\w!#$%&'*+.^`|~-]+$/.test(token)
  );
  const message =
    `Cannot parse ${codes.subject} head as its Transfer-Encoding is not chunked: current value is ${
      JSON.stringify(value)
    }`;
  const code = wellFormed && tokens.some((token) => token !== "chunked")
    ? codes.coding
    : codes.malformed;
  throw new ProxyError(code, message);
}
