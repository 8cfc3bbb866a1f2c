/**
 * How a head is refused: the codes of each side, and words for a byte.
 *
 * @module
 */
import { type FailureCode, ProxyError } from "../errors.ts";

/** What failures of a head are called, by who sent it. */
export interface HeadCodes {
  /** It is wrong. */
  readonly malformed: FailureCode;
  /** It is longer, or has more fields, than the limits allow. */
  readonly tooLarge: FailureCode;
  /** Its transfer coding is one that we don't know. */
  readonly coding: FailureCode;
  /** For messages. */
  readonly subject: string;
}

/** A client's failures. */
export const REQUEST: HeadCodes = Object.freeze({
  malformed: "bad_request",
  tooLarge: "headers_too_large",
  coding: "coding_not_implemented",
  subject: "request",
});

/** A backend's failures. */
export const RESPONSE: HeadCodes = Object.freeze({
  malformed: "bad_response",
  tooLarge: "response_too_large",
  coding: "bad_response",
  subject: "response",
});

/** Refuses a malformed head: `reason` completes "Cannot parse … as …". */
export function refuse(codes: HeadCodes, reason: string): never {
  throw new ProxyError(
    codes.malformed,
    `Cannot parse ${codes.subject} head as ${reason}`,
  );
}

/** Refuses a head for one byte. */
export function refuseByte(
  codes: HeadCodes,
  byte: number,
  place: string,
): never {
  const hex = byte.toString(16).padStart(2, "0");
  refuse(codes, `${place}: current byte is 0x${hex}`);
}

/** Refuses a head that has more than `limit` of something. */
export function refuseSize(
  codes: HeadCodes,
  limit: number,
  what: string,
): never {
  throw new ProxyError(
    codes.tooLarge,
    `Cannot parse ${codes.subject} head as it has more than ${limit} ${what}`,
  );
}
