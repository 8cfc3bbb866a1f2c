/**
 * The status line: `HTTP/1.d SP 3DIGIT [SP reason] CRLF` (RFC 9112 §4). The
 * space before an empty reason may be missing, as some backends leave it out.
 *
 * @module
 */
import * as chars from "./chars.ts";
import { refuse, refuseByte, RESPONSE } from "./head_errors.ts";
import * as heads from "./head_index.ts";
import type { HeadIndex } from "./head_index.ts";

// Own constants, not imported bindings: see scan_fields.ts.
const { CR, FIELD_VALUE, LF, SP } = chars;
const { AT_LINE, AT_REASON_LF, AT_START, IN_REASON, IN_VERSION } = heads;

/** `HTTP/1.1 200`. */
const CODE_END = 12;

/**
 * Goes on from `index.phase` at `from` and returns the offset behind the line,
 * or -1 where `stop` comes first. Throws a ProxyError.
 */
export function scanStatusLine(
  bytes: Uint8Array,
  from: number,
  stop: number,
  index: HeadIndex,
): number {
  let at = from;
  if (index.phase === AT_START) {
    index.versionStart = at;
    index.status = 0;
    index.phase = IN_VERSION;
  }
  if (index.phase === IN_VERSION) {
    const codeEnd = index.versionStart + CODE_END;
    at = skipOrdinary(bytes, at, stop, index);
    while (at < stop && at < codeEnd) {
      noteByte(bytes[at]!, at - index.versionStart, index);
      at++;
    }
    if (at === stop) return more(index, at);
    if (index.status < 100 || index.status > 599) {
      refuse(
        RESPONSE,
        `its status is not 100 to 599: current value is ${index.status}`,
      );
    }
    if (bytes[at] === SP) at++;
    else if (bytes[at] !== CR) refuseStatus(bytes[at]!);
    index.reasonStart = at;
    index.phase = IN_REASON;
  }
  if (index.phase === IN_REASON) {
    while (at < stop && FIELD_VALUE[bytes[at]!] !== 0) at++;
    if (at === stop) return more(index, at);
    if (bytes[at] !== CR) {
      refuseByte(RESPONSE, bytes[at]!, "the reason has an illegal byte");
    }
    index.reasonEnd = at++;
    index.phase = AT_REASON_LF;
  }
  if (at === stop) return more(index, at);
  if (bytes[at] !== LF) refuse(RESPONSE, "CR is not followed by LF");
  index.phase = AT_LINE;
  return at + 1;
}

/** Skips what all responses start with, where it is here; byte after byte tells what is wrong. */
function skipOrdinary(
  bytes: Uint8Array,
  at: number,
  stop: number,
  index: HeadIndex,
): number {
  if (
    at !== index.versionStart || stop - at < CODE_END ||
    bytes[at] !== 0x48 || bytes[at + 1] !== 0x54 ||
    bytes[at + 2] !== 0x54 || bytes[at + 3] !== 0x50 ||
    bytes[at + 4] !== 0x2f || bytes[at + 5] !== 0x31 ||
    bytes[at + 6] !== 0x2e || bytes[at + 7] !== 0x31 || bytes[at + 8] !== SP
  ) return at;
  index.minor = 1;
  return at + 9;
}

const PREFIX = [0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e];

function noteByte(byte: number, place: number, index: HeadIndex): void {
  if (place < 7) {
    if (byte !== PREFIX[place]) refuseStatus(byte);
  } else if (place === 8) {
    if (byte !== SP) refuseStatus(byte);
  } else {
    const digit = byte - 0x30;
    if (digit < 0 || digit > 9) refuseStatus(byte);
    if (place === 7) index.minor = digit === 0 ? 0 : 1;
    else index.status = index.status * 10 + digit;
  }
}

function refuseStatus(byte: number): never {
  refuseByte(RESPONSE, byte, "the status line has an illegal byte");
}

function more(index: HeadIndex, at: number): number {
  index.at = at;
  return -1;
}
