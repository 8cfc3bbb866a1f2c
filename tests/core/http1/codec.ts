/**
 * Drives the codec over bytes as a connection would, in any pieces, and tells
 * what came of it in a form that can be compared.
 *
 * @module
 */
import { type FailureCode, ProxyError } from "../../../core/errors.ts";
import { ChunkDecoder } from "../../../core/http1/chunk_decoder.ts";
import { HeadIndex } from "../../../core/http1/head_index.ts";
import { Http1RequestHead } from "../../../core/http1/request_head.ts";
import {
  parseRequestHead,
  skipEmptyLines,
} from "../../../core/http1/request_parser.ts";
import { Http1ResponseHead } from "../../../core/http1/response_head.ts";
import { parseResponseHead } from "../../../core/http1/response_parser.ts";
import { decodeLatin1, encodeLatin1 } from "../../../core/http1/text.ts";
import {
  writeRequestHead,
  writeResponseHead,
} from "../../../core/http1/write_head.ts";

/** The defaults of the config. */
export const LIMITS = {
  headerBytes: 16 << 10,
  headers: 100,
  targetBytes: 8 << 10,
};

/** A message as it was understood. */
export interface Message {
  /** The head's facts, by name. */
  readonly head: Readonly<Record<string, unknown>>;
  readonly fields: readonly (readonly [string, string])[];
  body: string;
  /** Whether the whole body came. */
  complete: boolean;
  /** The head as it would be sent on. */
  readonly written: string;
}

/** What came of a connection's bytes. */
export interface Outcome {
  readonly messages: readonly Message[];
  /** The code of the failure that ended it. */
  readonly error: FailureCode | undefined;
  /** Bytes of a head that is not complete. */
  readonly pending: number;
}

/** What differs between requests and responses. */
interface Side {
  skip(bytes: Uint8Array, start: number, end: number): number;
  parse(
    bytes: Uint8Array,
    start: number,
    end: number,
    index: HeadIndex,
  ): number;
  /** The message, its length (-1 chunked, -2 until the end). */
  read(
    bytes: Uint8Array,
    index: HeadIndex,
  ): { message: Message; length: number };
  readonly code: "bad_request" | "bad_response";
}

const OUT = 64 << 10;

function requestSide(limits: typeof LIMITS): Side {
  return {
    code: "bad_request",
    skip: skipEmptyLines,
    parse: (bytes, start, end, index) =>
      parseRequestHead(bytes, start, end, limits, index),
    read(bytes, index) {
      const head = new Http1RequestHead(bytes, index);
      const { method, target, fields, bodyLength, upgrade } = head;
      const out = new Uint8Array(OUT);
      const end = writeRequestHead(out, 0, {
        method,
        target,
        fields,
        bodyLength,
        upgrade,
        prepared: undefined,
      });
      const { version, expectsContinue, keepAlive } = head;
      const facts = { method, target, bodyLength, upgrade, version };
      return {
        message: {
          head: { ...facts, expectsContinue, keepAlive },
          fields: [...fields],
          body: "",
          complete: bodyLength === 0,
          written: decodeLatin1(out, 0, end),
        },
        length: bodyLength,
      };
    },
  };
}

function responseSide(limits: typeof LIMITS, method: string): Side {
  return {
    code: "bad_response",
    skip: (_bytes, start) => start,
    parse: (bytes, start, end, index) =>
      parseResponseHead(bytes, start, end, limits, index),
    read(bytes, index) {
      const head = new Http1ResponseHead(bytes, index, method);
      const { status, reason, bodyLength, closeDelimited, keepAlive } = head;
      const { chunked, declaredLength } = head;
      const out = new Uint8Array(OUT);
      const end = writeResponseHead(out, 0, {
        status,
        reason,
        fields: head.fields,
        bodyLength: bodyLength === 0 ? declaredLength : bodyLength,
        hasBody: bodyLength !== 0 || declaredLength === 0,
      }, { close: false, http10: false, chunked: true });
      const facts = { status, reason, bodyLength, closeDelimited, keepAlive };
      return {
        message: {
          head: { ...facts, chunked, declaredLength },
          fields: [...head.fields],
          body: "",
          complete: bodyLength === 0,
          written: decodeLatin1(out, 0, end),
        },
        length: closeDelimited ? -2 : bodyLength,
      };
    },
  };
}

/** What comes of requests that arrive in `pieces`. */
export function driveRequests(
  pieces: readonly string[],
  limits: typeof LIMITS = LIMITS,
): Outcome {
  return drive(pieces, requestSide(limits));
}

/** What comes of responses that arrive in `pieces`, all to `method`. */
export function driveResponses(
  pieces: readonly string[],
  method = "GET",
  limits: typeof LIMITS = LIMITS,
): Outcome {
  return drive(pieces, responseSide(limits, method));
}

function drive(pieces: readonly string[], side: Side): Outcome {
  const bytes = encodeLatin1(pieces.join(""));
  const index = new HeadIndex(LIMITS.headers);
  const messages: Message[] = [];
  let start = 0;
  let end = 0;
  let length = 0;
  let decoder: ChunkDecoder | undefined;
  let message: Message | undefined;
  try {
    for (const piece of pieces) {
      end += piece.length;
      while (start < end) {
        if (message !== undefined && !message.complete) {
          if (decoder !== undefined) {
            start = decoder.decode(bytes, start, end);
            const { dataStart, dataEnd } = decoder;
            message.body += decodeLatin1(bytes, dataStart, dataEnd);
            message.complete = decoder.done;
          } else {
            const take = length < 0
              ? end - start
              : Math.min(length - message.body.length, end - start);
            message.body += decodeLatin1(bytes, start, start + take);
            start += take;
            message.complete = message.body.length === length;
          }
          continue;
        }
        if (!index.started) start = side.skip(bytes, start, end);
        const behind = side.parse(bytes, start, end, index);
        if (behind < 0) break;
        ({ message, length } = side.read(bytes, index));
        messages.push(message);
        decoder = length === -1
          ? new ChunkDecoder(side.code, LIMITS)
          : undefined;
        start = behind;
        index.reset();
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof ProxyError)) throw thrown;
    // How much of a bad body was decoded before depends on the pieces.
    if (message?.complete === false) message.body = "";
    return { messages, error: thrown.code, pending: 0 };
  }
  const inBody = message !== undefined && !message.complete;
  return { messages, error: undefined, pending: inBody ? 0 : end - start };
}

/** The request's head that `text` is, or its failure. */
export function parseRequest(text: string, limits = LIMITS): Http1RequestHead {
  const bytes = encodeLatin1(text);
  const index = new HeadIndex(limits.headers);
  const end = parseRequestHead(bytes, 0, bytes.length, limits, index);
  if (end < 0) throw new Error("The head is not complete");
  return new Http1RequestHead(bytes, index);
}

/** The response's head that `text` is, or its failure. */
export function parseResponse(
  text: string,
  method = "GET",
  limits = LIMITS,
): Http1ResponseHead {
  const bytes = encodeLatin1(text);
  const index = new HeadIndex(limits.headers);
  const end = parseResponseHead(bytes, 0, bytes.length, limits, index);
  if (end < 0) throw new Error("The head is not complete");
  return new Http1ResponseHead(bytes, index, method);
}

/** Each character of `text` on its own. */
export function byteByByte(text: string): string[] {
  return text.split("");
}
