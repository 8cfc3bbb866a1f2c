/**
 * Trailers on their way out (RFC 9110 §6.5): which a head announces, and how they
 * end a body in chunks.
 *
 * @module
 */
import type { Fields } from "../message/fields.ts";
import type { ListFields } from "../message/list_fields.ts";
import { mayBeTrailer } from "../message/trailer_rules.ts";
import { CR, LF } from "./chars.ts";
import { LAST_CHUNK } from "./write_chunk.ts";
import { writeFields } from "./write_fields.ts";

/** `: ` and CRLF. */
const LINE_EXTRA = 4;

/** The last chunk with the trailers behind it. Throws a `TypeError` for text that can't be sent. */
export function encodeTrailers(trailers: ListFields): Uint8Array {
  let length = LAST_CHUNK.length;
  for (const [name, value] of trailers) {
    length += name.length + value.length + LINE_EXTRA;
  }
  const out = new Uint8Array(length);
  out.set(LAST_CHUNK);
  // The fields come before the empty line.
  const end = writeFields(out, LAST_CHUNK.length - 2, trailers);
  out[end] = CR;
  out[end + 1] = LF;
  return out;
}

/** What Trailer says, without those that will be dropped; empty where nothing is left. */
export function announcedTrailers(fields: Fields): string {
  if (!fields.has("trailer")) return "";
  return fields.getAll("trailer").join(",").split(",")
    .map((name) => name.trim())
    .filter((name) => NAME.test(name) && mayBeTrailer(name.toLowerCase()))
    .join(", ");
}

const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
