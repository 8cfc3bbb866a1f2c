/**
 * Writes field lines: those received are copied as the ranges they lie in, a
 * head is never built anew.
 *
 * @module
 */
import type { Fields, PreparedFields } from "../message/fields.ts";
import { isFramingField, isFramingName } from "../message/field_rules.ts";
import { ListFields } from "../message/list_fields.ts";
import { COLON, CR, FIELD_VALUE, LF, SP, TOKEN } from "./chars.ts";
import {
  FLAGS,
  HIDDEN,
  HOP_BY_HOP,
  NAME_END,
  NAME_START,
  REWRITTEN,
  STRIDE,
  VALUE_END,
  VALUE_START,
} from "./head_index.ts";
import { Http1Fields } from "./http1_fields.ts";
import { writeText } from "./text.ts";

/** `: ` and CRLF. */
const LINE_EXTRA = 4;

/** Up to here a loop copies faster than a call out of JavaScript (measured). */
const SHORT = 24;

/**
 * Writes the fields that are to be sent on, without those that frame a message
 * or belong to one connection, and returns the new position, or -1 where `out`
 * is too small. Throws a `TypeError` for text that can't be sent.
 */
export function writeFields(
  out: Uint8Array,
  at: number,
  fields: Fields,
): number {
  if (fields instanceof Http1Fields) return writeReceived(out, at, fields);
  if (fields instanceof ListFields) return writeList(out, at, fields);
  let end = at;
  for (const [name, value] of fields) {
    end = isFramingField(name) ? end : writeLine(out, end, name, value);
    if (end < 0) return -1;
  }
  return end;
}

function writeReceived(
  out: Uint8Array,
  at: number,
  fields: Http1Fields,
): number {
  const { bytes, index, added } = fields;
  const { ranges, count } = index;
  let end = at;
  // Lines that follow one another are one range.
  let runStart = 0;
  let runEnd = 0;
  for (let field = 0; field < count; field++) {
    const record = field * STRIDE;
    const flags = ranges[record + FLAGS]!;
    if ((flags & (HOP_BY_HOP | HIDDEN)) !== 0 || fields.isRemoved(field)) {
      continue;
    }
    const nameStart = ranges[record + NAME_START]!;
    if (nameStart !== runEnd || (flags & REWRITTEN) !== 0) {
      end = copyRange(out, end, bytes, runStart, runEnd);
      if (end < 0) return -1;
      runStart = nameStart;
    }
    if ((flags & REWRITTEN) !== 0) {
      end = writeParts(out, end, bytes, ranges, record);
      if (end < 0) return -1;
      runStart = runEnd = 0;
    } else {
      runEnd = index.lineEnd(field);
    }
  }
  end = copyRange(out, end, bytes, runStart, runEnd);
  return end < 0 || added === undefined ? end : writeList(out, end, added);
}

/** Writes a received field whose line can't be copied as a whole. */
function writeParts(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  ranges: Int32Array,
  record: number,
): number {
  const nameStart = ranges[record + NAME_START]!;
  const nameEnd = ranges[record + NAME_END]!;
  const valueStart = ranges[record + VALUE_START]!;
  const valueEnd = ranges[record + VALUE_END]!;
  const length = nameEnd - nameStart + valueEnd - valueStart + LINE_EXTRA;
  if (at + length > out.length) return -1;
  let end = copyRange(out, at, bytes, nameStart, nameEnd);
  out[end++] = COLON;
  out[end++] = SP;
  end = copyRange(out, end, bytes, valueStart, valueEnd);
  out[end++] = CR;
  out[end++] = LF;
  return end;
}

function writeList(out: Uint8Array, at: number, fields: ListFields): number {
  let end = at;
  for (let line = 0; line < fields.size; line++) {
    if (isFramingName(fields.lowerNameAt(line))) continue;
    end = writeLine(out, end, fields.nameAt(line), fields.valueAt(line));
    if (end < 0) return -1;
  }
  return end;
}

function writeLine(
  out: Uint8Array,
  at: number,
  name: string,
  value: string,
): number {
  if (at + name.length + value.length + LINE_EXTRA > out.length) return -1;
  let end = writeText(out, at, name, TOKEN, "a field name");
  out[end++] = COLON;
  out[end++] = SP;
  end = writeText(out, end, value, FIELD_VALUE, "a field value");
  out[end++] = CR;
  out[end++] = LF;
  return end;
}

/** Copies a range and returns the new position, or -1 where `out` is too small. */
export function copyRange(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const length = end - start;
  if (at + length > out.length) return -1;
  if (length > SHORT) {
    out.set(bytes.subarray(start, end), at);
  } else {
    for (let i = 0; i < length; i++) out[at + i] = bytes[start + i]!;
  }
  return at + length;
}

/** The lines of prepared fields; throws a `TypeError` for text that can't be sent. */
export function encodePrepared(fields: PreparedFields): Uint8Array {
  let length = 0;
  for (const [name, value] of fields) {
    length += name.length + value.length + LINE_EXTRA;
  }
  const out = new Uint8Array(length);
  let end = 0;
  for (const [name, value] of fields) end = writeLine(out, end, name, value);
  return out;
}
