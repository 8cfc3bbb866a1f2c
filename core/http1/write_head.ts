/**
 * Writes the heads of messages as HTTP/1.1 sends them. Framing is always our
 * own: what a head says of its body comes from what will be written, never
 * from what was received (RFC 9112 §6, RFC 9110 §7.6.1).
 *
 * @module
 */
import type { OutgoingRequest, OutgoingResponse } from "../message/head.ts";
import { CR, FIELD_VALUE, LF, SP, TARGET, TOKEN } from "./chars.ts";
import { encodeLatin1, writeText } from "./text.ts";
import { copyRange, encodePrepared, writeFields } from "./write_fields.ts";
import { announcedTrailers } from "./write_trailers.ts";

const VERSION_LINE_END = encodeLatin1(" HTTP/1.1\r\n");
const VERSION = encodeLatin1("HTTP/1.1 ");
const CONTENT_LENGTH = encodeLatin1("content-length: ");
const CHUNKED = encodeLatin1("transfer-encoding: chunked\r\n");
const UPGRADE = encodeLatin1("connection: upgrade\r\nupgrade: ");
const CLOSE = encodeLatin1("connection: close\r\n");
const TRAILERS_WANTED = encodeLatin1("te: trailers\r\nconnection: te\r\n");
const TRAILER = encodeLatin1("trailer: ");
const NO_HOST = encodeLatin1("host: \r\n");

/** More than a start line takes besides its texts. */
const START_LINE = 32;
/** More than all lines that we add take, besides their texts. */
const OWN_LINES = 192;

/**
 * Writes a request's head at `at` and returns the position behind it, or -1
 * where `out` is too small. Throws a `TypeError` for text that can't be sent.
 */
export function writeRequestHead(
  out: Uint8Array,
  at: number,
  request: OutgoingRequest,
): number {
  const { method, target, fields, bodyLength, upgrade } = request;
  if (at + method.length + target.length + START_LINE > out.length) return -1;
  let end = writeText(out, at, method, TOKEN, "a method");
  out[end++] = SP;
  end = writeText(out, end, target, TARGET, "a target");
  end = copyRange(out, end, VERSION_LINE_END, 0, VERSION_LINE_END.length);
  end = writeFields(out, end, fields);
  if (end < 0) return -1;
  const prepared = request.prepared?.http1(encodePrepared);
  const trailers = request.trailers === true;
  const announced = trailers && bodyLength < 0 ? announcedTrailers(fields) : "";
  const more = (prepared?.length ?? 0) + (upgrade?.length ?? 0) +
    announced.length + OWN_LINES;
  if (end + more > out.length) return -1;
  // HTTP/1.1 must have one, even where an HTTP/1.0 client named none (RFC 9112 §3.2).
  if (!fields.has("host")) end = writeLine(out, end, NO_HOST);
  if (prepared !== undefined) end = writeLine(out, end, prepared);
  if (bodyLength < 0) {
    end = writeLine(out, end, CHUNKED);
  } else if (bodyLength > 0 || expectsBody(method)) {
    end = writeLength(out, end, bodyLength);
  }
  if (trailers) end = writeLine(out, end, TRAILERS_WANTED);
  if (announced !== "") end = writeTrailer(out, end, announced);
  if (upgrade !== undefined) end = writeUpgrade(out, end, upgrade);
  return writeEmptyLine(out, end);
}

/** How a response is sent on this connection. */
export interface ResponseMode {
  /** The connection closes behind it. */
  readonly close: boolean;
  /** The client speaks HTTP/1.0: nothing is chunked, the connection closes. */
  readonly http10: boolean;
  /** A body of unknown length goes out in chunks; else the connection's end ends it. */
  readonly chunked: boolean;
  /** Trailers that come behind the body are sent on: `Trailer` may announce them. Default false. */
  readonly trailers?: boolean;
  /** The line to add to a final response without a Date, by {@linkcode DateLine}. */
  readonly date?: Uint8Array;
}

/**
 * Writes a response's head at `at` and returns the position behind it, or -1
 * where `out` is too small. A 101 or 426 keeps the Upgrade of its fields.
 * Throws a `TypeError` for text that can't be sent, a `RangeError` for a status
 * that has not three digits.
 */
export function writeResponseHead(
  out: Uint8Array,
  at: number,
  response: OutgoingResponse,
  mode: ResponseMode,
): number {
  const { status, reason, fields } = response;
  if (at + reason.length + START_LINE > out.length) return -1;
  let end = writeLine(out, at, VERSION);
  end = writeStatus(out, end, status);
  out[end++] = SP;
  end = writeText(out, end, reason, FIELD_VALUE, "a reason");
  end = writeEmptyLine(out, end);
  end = writeFields(out, end, fields);
  if (end < 0) return -1;
  const upgrade = status === 101 || status === 426
    ? fields.first("upgrade")
    : undefined;
  const { date } = mode;
  const announced = mode.trailers === true ? announcedTrailers(fields) : "";
  const more = (upgrade?.length ?? 0) + (date?.length ?? 0) +
    announced.length + OWN_LINES;
  if (end + more > out.length) return -1;
  if (status >= 200) {
    if (date !== undefined && !fields.has("date")) {
      end = writeLine(out, end, date);
    }
    end = writeFraming(out, end, response, mode);
    if (announced !== "") end = writeTrailer(out, end, announced);
  }
  if (upgrade !== undefined) end = writeUpgrade(out, end, upgrade);
  return writeEmptyLine(out, end);
}

/** What says where a final response ends, and whether another one may follow. */
function writeFraming(
  out: Uint8Array,
  at: number,
  response: OutgoingResponse,
  mode: ResponseMode,
): number {
  const length = response.bodyLength ?? -1;
  let end = at;
  let close = mode.close || mode.http10;
  if (response.status !== 204) {
    if (length >= 0) {
      end = writeLength(out, end, length);
    } else if (response.hasBody) {
      if (mode.chunked && !mode.http10) end = writeLine(out, end, CHUNKED);
      else close = true;
    }
  }
  return close ? writeLine(out, end, CLOSE) : end;
}

/** Methods whose requests say that they have no content (RFC 9110 §8.6). */
function expectsBody(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}

function writeLength(out: Uint8Array, at: number, length: number): number {
  let end = writeLine(out, at, CONTENT_LENGTH);
  let digits = 1;
  for (let rest = length; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  end += digits;
  let rest = length;
  for (let i = 1; i <= digits; i++) {
    out[end - i] = 0x30 + rest % 10;
    rest = Math.floor(rest / 10);
  }
  return writeEmptyLine(out, end);
}

function writeStatus(out: Uint8Array, at: number, status: number): number {
  if (!(status >= 100 && status <= 999)) {
    throw new RangeError(
      `Cannot send status as it must have three digits: current value is ${status}`,
    );
  }
  out[at] = 0x30 + Math.floor(status / 100);
  out[at + 1] = 0x30 + Math.floor(status / 10) % 10;
  out[at + 2] = 0x30 + status % 10;
  return at + 3;
}

function writeUpgrade(out: Uint8Array, at: number, protocol: string): number {
  const end = writeLine(out, at, UPGRADE);
  return writeEmptyLine(
    out,
    writeText(out, end, protocol, FIELD_VALUE, "a protocol"),
  );
}

function writeTrailer(out: Uint8Array, at: number, names: string): number {
  const end = writeLine(out, at, TRAILER);
  return writeEmptyLine(
    out,
    writeText(out, end, names, FIELD_VALUE, "trailers' names"),
  );
}

/** Copies a line for which there is room. */
function writeLine(out: Uint8Array, at: number, line: Uint8Array): number {
  return copyRange(out, at, line, 0, line.length);
}

/** Ends a line, or with an empty one the head. */
function writeEmptyLine(out: Uint8Array, at: number): number {
  out[at] = CR;
  out[at + 1] = LF;
  return at + 2;
}
