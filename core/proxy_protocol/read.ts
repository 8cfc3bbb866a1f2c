/**
 * Reads a PROXY header of either version, strictly: what breaks the protocol
 * in any way is refused, as it is the word on who the client is.
 *
 * Asked again with more bytes until the header is whole; nothing behind it is
 * looked at.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { type HeaderRead, V2_SIGNATURE } from "./header.ts";
import { readV1 } from "./read_v1.ts";
import { readV2 } from "./read_v2.ts";

export { MAX_HEADER_BYTES } from "./read_v2.ts";

/** What version 1 begins with (§2.1). */
const V1_SIGNATURE: readonly number[] = [0x50, 0x52, 0x4f, 0x58, 0x59];

/** Which header bytes begin with: `more` while they might become either, `none` for something else. */
export function headerKind(
  bytes: Uint8Array,
  start: number,
  end: number,
): "v1" | "v2" | "more" | "none" {
  if (start === end) return "more";
  const first = bytes[start] === V1_SIGNATURE[0];
  const signature = first ? V1_SIGNATURE : V2_SIGNATURE;
  const length = Math.min(signature.length, end - start);
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== signature[i]) return "none";
  }
  if (length < signature.length) return "more";
  return first ? "v1" : "v2";
}

/**
 * The header in the bytes from `start` to `end`. Throws a ProxyError as soon as
 * they can't become one: `proxy_header_missing` where they are something else,
 * `proxy_header_invalid` where they break the protocol.
 */
export function readHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
): HeaderRead {
  switch (headerKind(bytes, start, end)) {
    case "v1":
      return readV1(bytes, start, end);
    case "v2":
      return readV2(bytes, start, end);
    case "more":
      return undefined;
    case "none":
      throw new ProxyError(
        "proxy_header_missing",
        "The connection does not begin with a PROXY header",
      );
  }
}
